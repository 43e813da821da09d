"""The paper's published figures beside a run's own."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

import pandas as pd
import yaml

from genrescope.evaluation.cells import Cell
from genrescope.report.run_directory import RunDirectory

FIGURES = "paper_figures.yaml"


def load_paper() -> dict[str, Any]:
    """The published figures, as data.

    Examples
    --------
    >>> [cell["accuracy"] for cell in load_paper()["cells"] if cell["target"] == "korean"]
    [0.2477, 0.2387, 0.2052]
    """
    text = resources.files("genrescope.report").joinpath(FIGURES).read_text(encoding="utf-8")
    content: dict[str, Any] = yaml.safe_load(text)
    return content


@dataclass(frozen=True)
class Counterpart:
    """Which corpora and models of a run stand for the paper's.

    Attributes
    ----------
    corpora : dict of str to str
        The run's corpus for each of the paper's, by format; those the run has.
    models : dict of str to str
        The run's model for each kind.
    """

    corpora: dict[str, str]
    models: dict[str, str]

    @classmethod
    def of(cls, run: RunDirectory, formats: Mapping[str, str]) -> "Counterpart":
        """Find the run's corpora by their format and its models by their kind.

        Parameters
        ----------
        run : RunDirectory
        formats : mapping of str to str
            The format that each of the paper's corpora is read by.
        """
        corpora = {}
        for name, form in formats.items():
            same = [ours for ours, facts in run.corpora.items() if facts.get("format") == form]
            if same:
                corpora[name] = name if name in same else same[0]
        models: dict[str, str] = {}
        for model in run.models:
            models.setdefault(run.kind(model), model)
        return cls(corpora, models)

    def cell(self, model: str, source: str, target: str) -> Cell | None:
        """The run's cell for one of the paper's, or None where it cannot have one."""
        if model not in self.models or not {source, target} <= set(self.corpora):
            return None
        return Cell(self.models[model], self.corpora[source], self.corpora[target])


def compare_scores(run: RunDirectory, paper: dict[str, Any]) -> list[dict[str, Any]]:
    """Each published cell beside the run's.

    Returns
    -------
    list of dict
        `listing`, `model`, `source`, `target` and `n` as published, `ours_n` and `synthetic`,
        `scores` (name, paper, ours, low, high, inside) and `classes` (genre, f1, recall, ours_f1,
        ours_recall); `ours_n` is None and the lists hold no own figures where the run has no such
        cell. `inside` tells whether the published value lies in the run's interval; it is None
        where there is no interval.
    """
    counterpart = Counterpart.of(run, paper["corpora"])
    rows = []
    for published in paper["cells"]:
        names = {key: published[key] for key in ("listing", "model", "source", "target", "n")}
        cell = counterpart.cell(published["model"], published["source"], published["target"])
        row = None if cell is None else run.row(cell)
        report = (
            None if cell is None or row is None else run.json(*cell.folder.parts, "report.json")
        )
        rows.append(
            names
            | {
                "ours_n": None if row is None else int(row["n"]),
                "scores": [_score(name, published[name], row) for name in paper["scores"]],
                "classes": _classes(paper, published, report),
            }
        )
    return rows


def _score(name: str, published: float, row: dict[str, Any] | None) -> dict[str, Any]:
    found = {"name": name, "paper": published, "ours": None, "low": None, "high": None}
    if row is None:
        return found | {"inside": None}
    found["ours"] = row[name]
    low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
    if low is None or high is None or low != low or high != high:
        return found | {"inside": None}
    return found | {"low": low, "high": high, "inside": bool(low <= published <= high)}


def _classes(
    paper: dict[str, Any], published: dict[str, Any], report: dict[str, Any] | None
) -> list[dict[str, Any]]:
    rows = []
    for place, genre in enumerate(paper["genres"]):
        own = (report or {}).get(genre)
        rows.append(
            {
                "genre": genre,
                "support": paper["support"][published["target"]][place],
                "f1": published["f1"][place],
                "recall": published["recall"][place],
                "ours_support": None if own is None else int(own["support"]),
                "ours_f1": None if own is None else own["f1-score"],
                "ours_recall": None if own is None else own["recall"],
            }
        )
    return rows


def compare_shap(run: RunDirectory, paper: dict[str, Any]) -> dict[str, Any] | None:
    """The published SHAP top ten beside the run's.

    Returns
    -------
    dict or None
        `rows` (rank, paper, paper_value, ours, ours_value), `shared` features of the two lists,
        and `shared_shifted`: the same if the paper counts its MFCCs from 1, as its listing leaves
        open. None where the run explains no such model.
    """
    published = paper["shap"]
    counterpart = Counterpart.of(run, paper["corpora"])
    cell = counterpart.cell(published["model"], published["source"], published["source"])
    if cell is None:
        return None
    table = run.table("explanations", "shap", cell.model, cell.source, "top_features.csv")
    if table is None:
        return None
    own = table.head(len(published["top"]))
    names = [name for name, _ in published["top"]]
    ours = own["feature"].tolist()
    rows = [
        {
            "rank": place + 1,
            "paper": names[place],
            "paper_value": published["top"][place][1],
            "ours": ours[place] if place < len(ours) else None,
            "ours_value": float(own["mean_abs_shap"].iloc[place]) if place < len(ours) else None,
        }
        for place in range(len(names))
    ]
    return {
        "rows": rows,
        "shared": sorted(set(names) & set(ours)),
        "shared_shifted": sorted({count_from_zero(name) for name in names} & set(ours)),
        "model": cell.model,
        "source": cell.source,
    }


def count_from_zero(name: str) -> str:
    """The name of an MFCC feature counted from 1, counted from 0; other names as they are.

    Examples
    --------
    >>> count_from_zero("mfcc_mean_3"), count_from_zero("rms_std")
    ('mfcc_mean_2', 'rms_std')
    """
    if not name.startswith("mfcc_"):
        return name
    stem, _, place = name.rpartition("_")
    return f"{stem}_{int(place) - 1}"


def coverage(run: RunDirectory, paper: dict[str, Any]) -> pd.DataFrame:
    """Cells of the run by `model`, `source`, `target`; `paper`: whether the paper reports them."""
    counterpart = Counterpart.of(run, paper["corpora"])
    reported = {
        counterpart.cell(cell["model"], cell["source"], cell["target"]) for cell in paper["cells"]
    }
    table = run.headline[["model", "source", "target"]]
    return table.assign(
        paper=[Cell(*names) in reported for names in table.itertuples(index=False, name=None)]
    )
