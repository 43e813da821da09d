"""The report's figures: what changed away from home, how far to trust, how training went."""

from typing import Any

import pandas as pd

from genrescope.evaluation.calibration import calibrate
from genrescope.evaluation.cells import Cell
from genrescope.figures import drop_figure, reliability_figure, training_curve_figure
from genrescope.report.embedding import Embedder
from genrescope.report.run_directory import RunDirectory


def drop_exhibit(drops: pd.DataFrame, embed: Embedder) -> str | None:
    """The figure of the drops that can be drawn."""
    drawn = drops.dropna(subset=["in_domain", "cross"])
    if drawn.empty:
        return None
    figure = drop_figure(
        drawn,
        title="What a trained model loses away from home",
        subtitle="Bars join the same model's macro-F1 on its own held-out clips and on the other "
        "corpus.",
    )
    return embed.figure(figure)


def reliability_exhibits(run: RunDirectory, embed: Embedder) -> list[dict[str, Any]]:
    """A reliability figure per source: targets below each other, models side by side.

    Returns
    -------
    list of dict
        `source` and `figure`.
    """
    found = []
    for source in run.sources:
        panels = {}
        for target in run.targets:
            for model in run.models:
                cell = Cell(model, source, target)
                part = run.part(cell)
                if part is not None:
                    panels[f"→ {target}", model] = calibrate(
                        run.predictions(cell, part), run.genres, n_resamples=run.n_resamples
                    )
        if panels:
            figure = reliability_figure(panels, title=f"Trained on {source}")
            found.append({"source": source, "figure": embed.figure(figure)})
    return found


def curve_exhibits(run: RunDirectory, embed: Embedder) -> list[dict[str, Any]]:
    """Training curves of every bundle that has one."""
    found = []
    for model in run.models:
        for source in run.sources:
            curve = run.table("models", model, source, "training_curve.csv")
            if curve is None or curve.empty:
                continue
            figure = training_curve_figure(curve, title=f"{model} trained on {source}")
            found.append(
                {
                    "model": model,
                    "source": source,
                    "figure": embed.figure(figure, dpi=120),
                    "panels": len(figure.axes),
                    "steps": len(curve),
                    "unit": "rounds" if "round" in curve else "epochs",
                }
            )
    return found
