"""The last step of a study: its provenance and its report."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from genrescope.config import StudyConfig
from genrescope.files import sha256_json, write_json
from genrescope.report.html import write_report
from genrescope.study.provenance import now
from genrescope.study.steps import Ledger


def report_run(
    ledger: Ledger,
    config: StudyConfig,
    facts: dict[str, Any],
    *,
    started: str,
    tables: Sequence[pd.DataFrame],
) -> Path:
    """Write `run.json` and the report, unless nothing that they show has changed.

    Parameters
    ----------
    ledger : Ledger
        Of the run directory, every other step visited.
    config : StudyConfig
    facts : dict
        As from `provenance`.
    started : str
        When the run began.
    tables : sequence of DataFrame
        Written by no step, and shown.

    Returns
    -------
    pathlib.Path
        The report.
    """
    report, record = ledger.folder / "report.html", ledger.folder / "run.json"

    def write() -> None:
        times = {"started": started, "finished": now(), "durations": ledger.durations}
        write_json(record, facts | times)
        write_report(ledger.folder)

    inputs = {
        "facts": facts,
        "config": config.model_dump(mode="json"),
        "steps": {name: ledger.key(name) for name in ledger.durations},
        "tables": [sha256_json(table.to_csv()) for table in tables],
    }
    ledger.run("write the report", inputs, [report, record], write)
    return report
