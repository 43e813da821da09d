"""What an audit found, each finding as a row with a plain sentence, most important first."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

# In the order of importance: what inflates scores, what spoils labels, what a model may learn
# instead of the genre, what is merely odd.
KINDS: tuple[str, ...] = (
    "duplicate-across-split",
    "group-across-split",
    "duplicate-leak",
    "conflicting-labels",
    "shared-artist",
    "dominant-group",
    "genre-bandwidth",
    "corpus-level",
    "corpus-bandwidth",
    "known-fault",
    "duplicate",
    "clipping",
    "silence",
    "plain-sound",
    "failure",
)
COLUMNS = ("kind", "corpus", "genre", "value", "sentence")
EXAMPLES = 3

Row = dict[str, Any]


def findings_frame(rows: Iterable[Row]) -> pd.DataFrame:
    """Rows of findings as a table, most important kind first.

    Examples
    --------
    >>> rows = [finding("silence", "a", "quiet"), finding("duplicate-leak", "a", "twice")]
    >>> findings_frame(rows)["sentence"].tolist()
    ['twice', 'quiet']
    """
    table = pd.DataFrame(list(rows), columns=list(COLUMNS))
    rank = table["kind"].map({kind: number for number, kind in enumerate(KINDS)})
    table = table.iloc[np.argsort(rank.to_numpy(), kind="stable")]
    types = {column: "str" for column in COLUMNS if column != "value"}
    return table.astype({**types, "value": "float64"}).reset_index(drop=True)


def finding(
    kind: str, corpus: str, sentence: str, *, genre: str | None = None, value: float = float("nan")
) -> Row:
    """One row; `value` is the number that the sentence turns on."""
    row = {"kind": kind, "corpus": corpus, "genre": genre, "value": value, "sentence": sentence}
    return row


def duplicate_findings(duplicates: pd.DataFrame) -> list[Row]:
    """Pairs that a split may part, pairs whose labels differ, and the harmless ones."""
    rows = []
    for (a, b), pairs in duplicates.groupby(["corpus_a", "corpus_b"], sort=False):
        where = f"of {a}" if a == b else f"of {a} and {b}"
        corpus = str(a) if a == b else f"{a}+{b}"
        leaks, kept = pairs[pairs["leak"]], pairs[~pairs["leak"]]
        conflicts = pairs[pairs["labels_differ"]]
        if len(leaks):
            why = "are in different groups" if a == b else "are in both corpora"
            rows.append(
                finding(
                    "duplicate-leak",
                    corpus,
                    f"{_pairs(leaks)} {where} hold the same recording but {why}: grouping does "
                    f"not keep them out of train and test at once ({_examples(leaks)})",
                    value=len(leaks),
                )
            )
        if len(conflicts):
            rows.append(
                finding(
                    "conflicting-labels",
                    corpus,
                    f"{_pairs(conflicts)} {where} hold the same recording under different labels "
                    f"({_examples(conflicts, labels=True)})",
                    value=len(conflicts),
                )
            )
        if len(kept):
            rows.append(
                finding(
                    "duplicate",
                    corpus,
                    f"{_pairs(kept)} {where} hold the same recording and share a group, so no "
                    f"split parts them; they count double ({_examples(kept)})",
                    value=len(kept),
                )
            )
    return rows


def split_findings(
    clips: pd.DataFrame, duplicates: pd.DataFrame, parts: "pd.Series[str]"
) -> list[Row]:
    """Groups with clips in several parts of a split, and duplicates that it parts."""
    placed = clips.assign(part=clips["clip_id"].map(parts)).dropna(subset=["part"])
    placed = placed[placed["part"] != "removed"]
    rows = []
    for corpus, of_corpus in placed.groupby("corpus", sort=False):
        found = of_corpus.groupby("group")["part"].agg(lambda part: sorted(set(part)))
        crossing = found[found.map(len) > 1]
        if len(crossing):
            shown = [
                f"{group} in {' and '.join(where)}"
                for group, where in crossing.iloc[:EXAMPLES].items()
            ]
            rows.append(
                finding(
                    "group-across-split",
                    str(corpus),
                    f"{_number(len(crossing), 'group')} of {corpus} {_have(len(crossing))} clips "
                    f"in more than one part of the split ({_joined(shown, len(crossing))})",
                    value=len(crossing),
                )
            )
    by_file = placed.groupby(["corpus", "path"])["part"].agg(set).to_dict()
    none: set[str] = set()
    sides = [
        (
            by_file.get((row["corpus_a"], row["path_a"]), none),
            by_file.get((row["corpus_b"], row["path_b"]), none),
        )
        for row in duplicates.to_dict("records")
    ]
    parted = duplicates[np.array([bool(a and b and len(a | b) > 1) for a, b in sides], dtype=bool)]
    if len(parted):
        rows.append(
            finding(
                "duplicate-across-split",
                _corpora(parted),
                f"{_pairs(parted)} with the same recording lie in different parts of the split "
                f"({_examples(parted)})",
                value=len(parted),
            )
        )
    return rows


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _have(count: int) -> str:
    return "has" if count == 1 else "have"


def _pairs(table: pd.DataFrame) -> str:
    return f"{_number(len(table), 'pair')} of files"


def _corpora(pairs: pd.DataFrame) -> str:
    return "+".join(dict.fromkeys([*pairs["corpus_a"], *pairs["corpus_b"]]))


def _examples(pairs: pd.DataFrame, *, labels: bool = False) -> str:
    shown = []
    for row in pairs.head(EXAMPLES).to_dict("records"):
        sides = [str(row[f"path_{side}"]).rsplit("/", 1)[-1] for side in "ab"]
        if labels:
            sides = [
                f"{name} as {row[f'label_{side}']}" for side, name in zip("ab", sides, strict=True)
            ]
        shown.append(" and ".join(sides))
    return _joined(shown, len(pairs))


def _joined(shown: Sequence[str], count: int) -> str:
    more = f"; {count - len(shown)} more" if count > len(shown) else ""
    return "; ".join(shown) + more
