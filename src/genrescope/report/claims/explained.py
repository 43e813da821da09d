"""Claims about explanations: the rank of a feature, the steadiness of a genre's maps."""

from typing import Any

import numpy as np
import pandas as pd

from genrescope.figures.style import number
from genrescope.report.claims.kinds import Feature, SteadiestMap
from genrescope.report.claims.outcome import (
    CONTRADICTED,
    INCLUDES_BOTH,
    OPEN,
    SUPPORTED,
    Comparison,
    Outcome,
    conclude,
    judge,
)
from genrescope.report.conclusions import interval, listed
from genrescope.report.run_directory import RunDirectory


def check_feature(run: RunDirectory, claim: Feature, source: str, model: str) -> Outcome:
    """Hold a feature's rank by SHAP against the ranks it has over splits of the source.

    It is supported where the whole 95% range of ranks is within the `top`, contradicted where all
    of it is outside; one training alone gives a rank without a range.
    """
    top = run.table("explanations", "shap", model, source, "top_features.csv")
    if top is None:
        return judge(claim, [], [f"the run explains no model {model} of {source} by SHAP"])
    first = top.iloc[0]
    remark = f"First is {first['feature']} ({number(first['mean_abs_shap'], 3)})"
    every = run.table("explanations", "shap", model, source, "per_class.csv")
    if every is not None and claim.feature in set(every["feature"]):
        order = every.set_index("feature").mean(axis=1).sort_values(ascending=False)
        rank = list(order.index).index(claim.feature) + 1
        remark += f"; {claim.feature} is number {rank} of {len(order)}"
    trainings = ("explanations", "stability", model, source)
    ranks, summary = run.table(*trainings, "stability.csv"), run.json(*trainings, "stability.json")
    if ranks is None or not summary or summary["n"] < 2:
        reason = "a rank from one training alone has no uncertainty to test"
        return judge(claim, [], [reason], f"{remark}.")
    n = int(summary["n"])
    rows = ranks[ranks["feature"] == claim.feature]
    if rows.empty and claim.top <= len(ranks):
        remark += f"; over {n} splits it is not among the {len(ranks)} strongest."
        return Outcome(claim, CONTRADICTED, "", (), remark)
    if rows.empty:
        reason = f"ranks are known of the {len(ranks)} strongest features only"
        return judge(claim, [], [reason], f"{remark}.")
    low, high = float(rows["rank_low"].iloc[0]), float(rows["rank_high"].iloc[0])
    remark += f"; over {n} splits its rank is {low:.0f} to {high:.0f} (95%)."
    if high <= claim.top:
        return Outcome(claim, SUPPORTED, "", (), remark)
    if low > claim.top:
        return Outcome(claim, CONTRADICTED, "", (), remark)
    return Outcome(claim, OPEN, INCLUDES_BOTH, (), remark)


def check_maps(run: RunDirectory, claim: SteadiestMap, source: str) -> Outcome:
    """Hold a genre's maps against those of the others: how far they move under a little noise.

    Two genres differ where their 95% intervals of max-sensitivity are apart, which is stricter
    than a test of their difference; the interval given of it reaches from end to end.
    """
    remark = _full_maps(run, source, claim.method)
    table = run.table("explanations", "quality", source, "table.csv")
    rows = None
    if table is not None:
        of_method = (table["method"] == claim.method) & (table["measure"] == "sensitivity")
        rows = table[of_method & table["genre"].isin(run.genres)].set_index("genre")
        said = [
            f"{genre} {interval(row['value'], row['low'], row['high'])}"
            for genre, row in rows.iterrows()
        ]
        if said:
            remark += f" Under noise of 1 dB maps move by (max-sensitivity): {listed(said)}."
    absent = [genre for genre in run.genres if rows is None or genre not in rows.index]
    if absent:
        return judge(claim, [], [f"no map of {listed(absent)} was measured"], remark.strip())
    return _steadier(run, claim, rows, remark.strip())  # type: ignore[arg-type]


def _steadier(run: RunDirectory, claim: SteadiestMap, rows: pd.DataFrame, remark: str) -> Outcome:
    by_genre: dict[Any, dict[str, Any]] = rows.to_dict("index")  # type: ignore[assignment]
    own = by_genre[claim.genre]
    found = []
    for genre in run.genres:
        if genre == claim.genre:
            continue
        other = by_genre[genre]
        low, high = other["low"] - own["high"], other["high"] - own["low"]
        difference = Comparison(
            "max-sensitivity",
            f"{genre} − {claim.genre}",
            value=other["value"] - own["value"],
            low=low,
            high=high,
            p_value=np.nan,
            n=int(own["n"]),
            verdict="positive" if low > 0 else "negative" if high < 0 else "undecided",
        )
        found.append(difference)
    return Outcome(claim, *conclude(found), tuple(found), remark)


def _full_maps(run: RunDirectory, source: str, method: str) -> str:
    index = run.json("explanations", "grad_cam", source, "index.json")
    drawn = [entry for entry in index or [] if entry.get("kind") != "none"]
    if not drawn:
        return ""
    name = "Grad-CAM" if method == "grad_cam" else method
    said = []
    for genre in run.genres:
        of_genre = [entry for entry in drawn if entry["genre"] == genre]
        full = sum(name not in entry["empty"] for entry in of_genre)
        said.append(f"{genre} {full} of {len(of_genre)}" if of_genre else f"{genre} not shown")
    return f"Maps that are not empty: {listed(said)}."
