"""Compute every number of a run's results.csv again, from predictions.csv alone.

It shares no code with genrescope: scikit-learn and a plain loop over resamples are the second
opinion. `python recompute.py RUN_DIRECTORY` prints how far the two are apart.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn import metrics

ID_COLUMNS = ["seed", "part", "clip_id", "group", "genre", "predicted"]
EXACT = [
    "n",
    "accuracy",
    "balanced_accuracy",
    "macro_f1",
    "weighted_f1",
    "kappa",
    "ece",
    "majority_accuracy",
]
KEYS = ["source", "target", "part", "seed"]
BOUNDS = ["accuracy_low", "accuracy_high", "macro_f1_low", "macro_f1_high"]


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, keep_default_na=False)


def expected_calibration_error(rows: pd.DataFrame, genres: list[str], bins: int = 15) -> float:
    confidence = rows[genres].to_numpy(float).max(axis=1)
    right = (rows["genre"] == rows["predicted"]).to_numpy(float)
    error = 0.0
    for low in range(bins):
        # Bins are open on the left and closed on the right (Guo et al. 2017).
        inside = (confidence > low / bins) & (confidence <= (low + 1) / bins)
        if inside.any():
            error += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return error


def scores(rows: pd.DataFrame, genres: list[str]) -> dict[str, float]:
    true, predicted = rows["genre"], rows["predicted"]
    present = [genre for genre in genres if (true == genre).any()]
    kappa = metrics.cohen_kappa_score(true, predicted) if len(set(true) | set(predicted)) > 1 else 0
    return {
        "n": len(rows),
        "accuracy": metrics.accuracy_score(true, predicted),
        "balanced_accuracy": metrics.recall_score(
            true, predicted, labels=present, average="macro", zero_division=0
        ),
        "macro_f1": metrics.f1_score(
            true, predicted, labels=present, average="macro", zero_division=0
        ),
        "weighted_f1": metrics.f1_score(
            true, predicted, labels=present, average="weighted", zero_division=0
        ),
        "kappa": kappa,
        "ece": expected_calibration_error(rows, genres),
        "majority_accuracy": true.value_counts(normalize=True).max(),
    }


def guessed(rows: pd.DataFrame, genres: list[str], guess: str) -> tuple[pd.DataFrame, np.ndarray]:
    """Every clip answered with every genre, and how often the guess gives that answer."""
    shares = rows["genre"].value_counts(normalize=True)
    if guess == "majority":
        q = {genre: float(genre == max(genres, key=lambda g: shares.get(g, 0))) for genre in genres}
    elif guess == "prior":
        q = {genre: shares.get(genre, 0.0) for genre in genres}
    else:
        q = {genre: float(genre in shares) / len(shares) for genre in genres}
    answers = rows[["genre", "group"]].merge(pd.DataFrame({"predicted": genres}), how="cross")
    return answers, answers["predicted"].map(q).to_numpy()


def guess_scores(rows: pd.DataFrame, genres: list[str], guess: str) -> dict[str, float]:
    answers, weight = guessed(rows, genres, guess)
    true, predicted = answers["genre"], answers["predicted"]
    present = [genre for genre in genres if (true == genre).any()]
    shared = {"labels": present, "zero_division": 0, "sample_weight": weight}
    right = (true == predicted).to_numpy(float)
    error = 0.0
    for low in range(15):
        inside = (weight > low / 15) & (weight <= (low + 1) / 15)
        error += abs((weight * (right - weight))[inside].sum()) / len(rows)
    kappa = 0.0
    if len(present) > 1:
        kappa = metrics.cohen_kappa_score(true, predicted, sample_weight=weight)
    return {
        "n": len(rows),
        "accuracy": metrics.accuracy_score(true, predicted, sample_weight=weight),
        "balanced_accuracy": metrics.recall_score(true, predicted, average="macro", **shared),
        "macro_f1": metrics.f1_score(true, predicted, average="macro", **shared),
        "weighted_f1": metrics.f1_score(true, predicted, average="weighted", **shared),
        "kappa": kappa,
        "ece": error,
        "majority_accuracy": true.value_counts(normalize=True).max(),
    }


def bounds(
    rows: pd.DataFrame,
    genres: list[str],
    resamples: int,
    seed: int,
    weight: np.ndarray | None = None,
) -> dict[str, float]:
    """Bootstrap groups by a plain loop: other draws than genrescope takes, so only close."""
    rng = np.random.default_rng(seed)
    weight = np.ones(len(rows)) if weight is None else weight
    tables = [
        metrics.confusion_matrix(
            rows["genre"].iloc[places],
            rows["predicted"].iloc[places],
            labels=genres,
            sample_weight=weight[places],
        )
        for places in rows.groupby("group").indices.values()
    ]
    if len(tables) < 2:
        return dict.fromkeys(BOUNDS, np.nan)
    drawn = []
    for _ in range(resamples):
        table = sum(tables[i] for i in rng.integers(len(tables), size=len(tables)))
        right, true, predicted = np.diag(table), table.sum(axis=1), table.sum(axis=0)
        present = true > 0
        f1 = 2 * right[present] / (true + predicted)[present]
        drawn.append((right.sum() / table.sum(), f1.mean()))
    low, high = np.percentile(drawn, [2.5, 97.5], axis=0)
    return dict(zip(BOUNDS, [low[0], high[0], low[1], high[1]], strict=True))


def compare(run: Path, *, resamples: int = 0) -> pd.DataFrame:
    """Deviation of each number from its second opinion, a row per row of results.csv."""
    results = pd.read_csv(run / "results.csv")
    deviations = []
    for _, row in results.iterrows():
        guess = row["model"].removeprefix("guess:") if row["model"].startswith("guess:") else ""
        model = row["model"]
        if guess:  # on the clips of any model that was tested with this seed
            same = (results[KEYS] == row[KEYS]).all(axis=1)
            model = results.loc[same & ~results["model"].str.startswith("guess:"), "model"].iloc[0]
        cell = run / "cells" / model / f"{row['source']}__{row['target']}"
        predictions = read(cell / "predictions.csv")
        genres = [column for column in predictions if column not in ID_COLUMNS]
        probabilities = predictions[genres].to_numpy(float)
        assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)
        assert (predictions["predicted"] == np.array(genres)[probabilities.argmax(axis=1)]).all()
        rows = predictions[predictions["seed"] == row["seed"]]
        if row["part"] == "test":
            rows = rows[rows["part"] == "test"]
        again = guess_scores(rows, genres, guess) if guess else scores(rows, genres)
        deviation = {name: abs(row[name] - again[name]) for name in EXACT}
        if resamples:
            rows, weight = guessed(rows, genres, guess) if guess else (rows, None)
            again = bounds(rows, genres, resamples, 1, weight)
            deviation |= {name: abs(row[name] - again[name]) for name in BOUNDS}
        deviations.append(deviation)
    return pd.concat(
        [results[["model", "source", "target", "part", "seed"]], pd.DataFrame(deviations)], axis=1
    )


def compare_reports(run: Path) -> float:
    """Largest deviation of any report.json from scikit-learn's own classification report."""
    largest = 0.0
    for path in sorted(run.glob("cells/*/*/report.json")):
        report = json.loads(path.read_text(encoding="utf-8"))
        rows = read(path.parent / "predictions.csv")
        rows = rows[rows["seed"] == rows["seed"].iloc[0]]
        source, target = path.parent.name.split("__")
        if set(source.split("+")) & set(target.split("+")):
            rows = rows[rows["part"] == "test"]
        again = metrics.classification_report(
            rows["genre"], rows["predicted"], output_dict=True, zero_division=0
        )
        for genre, row in again.items():
            if isinstance(row, dict) and genre in report and row["support"]:
                for name, value in row.items():
                    if not genre.endswith("avg"):
                        largest = max(largest, abs(value - report[genre][name]))
        assert report["accuracy"] == again.get("accuracy", report["accuracy"])
    return largest


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    table = compare(folder, resamples=200)
    print(table.drop(columns=["seed"]).to_string(float_format=lambda value: f"{value:.1e}"))
    print(f"largest deviation of a score: {table[EXACT].to_numpy().max():.1e}")
    print(f"largest deviation of an interval's bound: {np.nanmax(table[BOUNDS].to_numpy()):.3f}")
    print(f"largest deviation of a report.json: {compare_reports(folder):.1e}")
