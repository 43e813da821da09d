"""Files that hold the same recording, within and across corpora."""

from collections.abc import Container, Hashable, Mapping
from itertools import combinations
from typing import Any

import pandas as pd

from genrescope.audio.matches import find_matches
from genrescope.corpora.gtzan_facts import excerpt_of, track_of
from genrescope.corpora.hearing import Heard

DUPLICATE_DTYPES: dict[str, str] = {
    "kind": "str",
    "corpus_a": "str",
    "corpus_b": "str",
    "path_a": "str",
    "path_b": "str",
    "offset_s": "float64",
    "overlap_s": "float64",
    "agreement": "float64",
    "score": "float64",
    "label_a": "str",
    "label_b": "str",
    "group_a": "str",
    "group_b": "str",
    "labels_differ": "bool",
    "artists_differ": "bool",
    "leak": "bool",
    "listed": "bool",
}


def find_duplicates(heard: Heard, *, documented: Container[str] = ()) -> pd.DataFrame:
    """Pairs of files that hold the same recording.

    Exact copies have the same SHA-256; near ones are found by `genrescope.audio.matches` through
    lossy coding, gain, trimming and shifts, not through a change of speed or pitch.

    Parameters
    ----------
    heard : Heard
        From `genrescope.corpora.hearing.hear`.
    documented : container of str
        Names of the corpora that are copies of GTZAN: Sturm's list speaks of their files.

    Returns
    -------
    pandas.DataFrame
        A row per pair: `kind` (``exact``, ``near``, or ``shared`` for one file in two corpora);
        `offset_s`, where in a the sound of b begins; `overlap_s`; `agreement`, the share of equal
        bits, and `score`, standard deviations above chance (missing for exact copies);
        `labels_differ`; `artists_differ`, where both are known; `leak`, whether the two have
        different groups or corpora, so that a split may part them; `listed`, whether Sturm lists
        them as repetitions of each other in GTZAN. Leaks first, then pairs whose labels differ.
    """
    about = heard.clips.drop_duplicates(["path", "corpus"])
    by_path = {path: table.to_dict("records") for path, table in about.groupby("path", sort=False)}
    position = {path: index for index, path in enumerate(heard.paths)}
    rows = []
    for path, owners in by_path.items():
        length_s = heard.fingerprints[position[str(path)]].duration_s
        for a, b in combinations(owners, 2):
            rows.append(_row("shared", a, b, 0.0, length_s))
    copies: dict[str, list[int]] = {}
    for index, digest in enumerate(heard.digests):
        copies.setdefault(digest, []).append(index)
    exact = {pair for same in copies.values() for pair in combinations(same, 2)}
    found = [
        ("exact", *pair, 0.0, heard.fingerprints[pair[0]].duration_s) for pair in sorted(exact)
    ]
    # Copies of a file match what the file matches; all such pairs are listed.
    matches = {
        (match.first, match.second): match
        for match in find_matches(heard.fingerprints)
        if (match.first, match.second) not in exact
    }
    found += [
        ("near", *pair, match.offset_s, match.agreement.overlap_s)
        for pair, match in matches.items()
    ]
    for kind, first, second, offset_s, overlap_s in found:
        match = matches.get((first, second))
        for a in by_path.get(heard.paths[first], []):
            for b in by_path.get(heard.paths[second], []):
                row = _row(kind, a, b, offset_s, overlap_s)
                if a["corpus"] in documented and b["corpus"] in documented:
                    row["listed"] = _listed(str(a["path"]), str(b["path"]))
                if match is not None:
                    row["agreement"], row["score"] = match.agreement.share, match.agreement.score
                rows.append(row)
    table = pd.DataFrame(rows, columns=list(DUPLICATE_DTYPES)).astype(DUPLICATE_DTYPES)
    order = ["leak", "labels_differ", "kind", "path_a", "path_b"]
    table = table.sort_values(order, ascending=[False, False, True, True, True])
    return table.reset_index(drop=True)


def _row(
    kind: str,
    a: Mapping[Hashable, Any],
    b: Mapping[Hashable, Any],
    offset_s: float,
    overlap_s: float,
) -> dict[str, Any]:
    known = not (pd.isna(a["artist"]) or pd.isna(b["artist"]))
    return {
        "kind": kind,
        "corpus_a": a["corpus"],
        "corpus_b": b["corpus"],
        "path_a": a["path"],
        "path_b": b["path"],
        "offset_s": offset_s,
        "overlap_s": overlap_s,
        "agreement": 1.0 if kind != "near" else float("nan"),
        "score": float("nan"),
        "label_a": a["label"],
        "label_b": b["label"],
        "group_a": a["group"],
        "group_b": b["group"],
        "labels_differ": a["label"] != b["label"],
        "artists_differ": known and a["artist"] != b["artist"],
        "leak": a["corpus"] != b["corpus"] or a["group"] != b["group"],
        "listed": False,
    }


def _listed(first: str, second: str) -> bool:
    excerpts = [excerpt_of(path.rsplit("/", 1)[-1]) for path in (first, second)]
    one, other = excerpts
    return (
        one is not None and other is not None and one != other and track_of(one) == track_of(other)
    )
