"""Checked claims as people and programs read them: a table, CSV, or JSON."""

import json
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from math import isfinite, isnan
from typing import Any

import pandas as pd

from genrescope.figures.style import number
from genrescope.report.claims.outcome import CONTRADICTED, OPEN, SUPPORTED, Comparison, Outcome
from genrescope.report.conclusions import interval, p_words

FORMATS = ("table", "json", "csv")
WIDTH = 100  # characters
COLUMN = 2 + max(len(word) for word in (SUPPORTED, CONTRADICTED, OPEN))
LEGEND = "In brackets: 95% intervals over groups. p: adjusted over a claim's comparisons (Holm).\n"


def render_claims(outcomes: Sequence[Outcome], format: str) -> str:  # noqa: A002 (the option's word)
    """Lay checked claims out as text.

    Parameters
    ----------
    outcomes : sequence of Outcome
        As from `check_claims`.
    format : str
        `table` (verdict, claim, numbers), `json` (the same with every comparison) or `csv` (a row
        per comparison).

    Returns
    -------
    str
        With a line end.
    """
    if format == "json":
        records = [_record(outcome) for outcome in outcomes]
        return json.dumps(records, ensure_ascii=False, indent=2) + "\n"
    if format == "csv":
        return claim_frame(outcomes).to_csv(index=False, lineterminator="\n")
    blocks = ["".join(f"{line}\n" for line in _lines(outcome)) for outcome in outcomes]
    return "\n".join([*blocks, LEGEND])


def claim_frame(outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """A row per comparison, and one for a claim without any.

    Returns
    -------
    DataFrame
        `number`, `claim`, `kind`, `claim_verdict`, `reason`, `remark`, then the fields of
        `Comparison`.
    """
    rows = []
    for place, outcome in enumerate(outcomes, start=1):
        common = {
            "number": place,
            "claim": outcome.claim.claim,
            "kind": outcome.claim.kind,
            "claim_verdict": outcome.verdict,
            "reason": outcome.reason,
            "remark": outcome.remark,
        }
        rows += [common | asdict(one) for one in outcome.comparisons] or [common]
    fields = list(Comparison.__dataclass_fields__)
    names = ["number", "claim", "kind", "claim_verdict", "reason", "remark", *fields]
    return pd.DataFrame(rows, columns=pd.Index(names))


def figures(one: Comparison) -> tuple[str, str, str]:
    """A comparison's figure with interval and claimed bounds, its p-value, its number of clips.

    Examples
    --------
    >>> figures(Comparison("accuracy", "a − b", 0.1, 0.02, 0.18, 0.01, 90, p_adjusted=0.02))
    ('.100 [.020, .180]', 'p = .020', 'n = 90')
    """
    bounds = ""
    if isfinite(one.below):
        bounds = f", claimed {number(one.above, 3)} to {number(one.below, 3)}"
    elif one.above:
        bounds = f", claimed above {number(one.above, 3)}"
    p_value = "" if isnan(one.p_adjusted) else p_words(one.p_adjusted)
    found = interval(one.value, one.low, one.high, digits=3)
    return found + bounds, p_value, f"n = {one.n:,}"


def _lines(outcome: Outcome) -> Iterator[str]:
    claim = textwrap.wrap(outcome.claim.claim, WIDTH - COLUMN)
    yield f"{outcome.verdict:<{COLUMN}}{claim[0]}"
    yield from (f"{'':{COLUMN}}{line}" for line in claim[1:])
    if outcome.reason:
        yield from _wrapped(f"({outcome.reason})")
    rows = [(one.score, one.what, *figures(one)) for one in outcome.comparisons]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for score, found in outcome.by_score().items():
        yield f"  {score}: {found}"
        for row in rows:
            if row[0] == score:
                cells = zip(row[1:], widths[1:], strict=True)
                yield ("    " + "  ".join(f"{cell:<{width}}" for cell, width in cells)).rstrip()
    if outcome.remark:
        yield from _wrapped(outcome.remark)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="  ")


def _record(outcome: Outcome) -> dict[str, Any]:
    return {
        "claim": outcome.claim.model_dump(mode="json"),
        "verdict": outcome.verdict,
        "reason": outcome.reason,
        "by_score": outcome.by_score(),
        "remark": outcome.remark,
        # JSON has no NaN and no infinity: what is not there is null.
        "comparisons": [
            {name: _plain(value) for name, value in asdict(one).items()}
            for one in outcome.comparisons
        ],
    }


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not isfinite(value) else value
