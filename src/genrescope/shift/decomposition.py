"""What a drop is made of: other genre shares, other music, the same music under another genre."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from genrescope.errors import TrainingError
from genrescope.evaluation.counts import codes, group_counts, metrics_of, percentile_interval
from genrescope.shift.adaptation import Matrix
from genrescope.shift.group_draws import Sides
from genrescope.shift.overlap import Overlap, domain_logits, domain_vectors, measure_overlap

METRICS = {"macro_f1": "macro-F1", "accuracy": "accuracy"}
CAUSES = {
    "label": "genre shares",
    "covariate": "other music",
    "concept": "same music, other genre",
    "remainder": "other music or other genre",
}
COLUMNS = ["metric", "cause", "drop", "low", "high"]


@dataclass(frozen=True)
class ShiftDecomposition:
    """The drop from a source to a target, by cause.

    Attributes
    ----------
    scores : DataFrame
        By `metric` (rows), each with `low` and `high`: `source`, the score on held-out source
        clips, and `target`.
    drops : DataFrame
        `COLUMNS`: for each metric the causes `label`, then `covariate` and `concept` or, where
        the corpora overlap too little, `remainder`; and `total`, their exact sum. A drop above 0
        is a loss; `low` and `high` bound its 95% interval.
    overlap : Overlap
    n_source_groups, n_target_groups : int
    """

    scores: pd.DataFrame
    drops: pd.DataFrame
    overlap: Overlap
    n_source_groups: int
    n_target_groups: int

    @property
    def divided(self) -> bool:
        """Whether covariate and concept shift are told apart."""
        return not self.overlap.obstacle

    def frame(self) -> pd.DataFrame:
        """Every cause's drop, for both metrics."""
        return self.drops

    def steps(
        self, metric: str = "macro_f1", *, source: str = "source", target: str = "target"
    ) -> pd.DataFrame:
        """Lay the drop out for `genrescope.figures.waterfall_figure`.

        Parameters
        ----------
        metric : str
            `macro_f1` or `accuracy`.
        source, target : str
            Names of the corpora.

        Returns
        -------
        DataFrame
            `name`, `score`, `low`, `high`, `drop`, `drop_low`, `drop_high`: the source's score, a
            row per cause with the score that is left after it, the target's score.
        """
        ends = self._ends(metric)
        causes = self.drops[(self.drops["metric"] == metric) & (self.drops["cause"] != "total")]
        none = (np.nan,) * 3
        score = ends["source"]
        rows = [(f"{source}, held out", score, ends["source_low"], ends["source_high"], *none)]
        for row in causes.to_dict("records"):
            score -= row["drop"]
            interval = (row["drop"], row["low"], row["high"])
            rows.append((CAUSES[row["cause"]], score, np.nan, np.nan, *interval))
        rows.append((target, ends["target"], ends["target_low"], ends["target_high"], *none))
        names = ["name", "score", "low", "high", "drop", "drop_low", "drop_high"]
        return pd.DataFrame(rows, columns=pd.Index(names))

    def sentences(self, metric: str = "macro_f1") -> list[str]:
        """What may be said, one fact a sentence.

        Parameters
        ----------
        metric : str
            `macro_f1` or `accuracy`.
        """
        ends, overlap = self._ends(metric), self.overlap
        rows = self.drops[self.drops["metric"] == metric].to_dict("records")
        facts = [
            f"From {overlap.n_source} held-out source clips ({self.n_source_groups} groups) to "
            f"{overlap.n_target} target clips ({self.n_target_groups} groups), {METRICS[metric]} "
            f"goes from {ends['source']:.3f} to {ends['target']:.3f}: a drop of "
            f"{_figure(rows[-1])}.",
            f"A classifier tells the music of the two apart with an AUC of {overlap.auc:.2f} "
            f"[{overlap.auc_low:.2f}, {overlap.auc_high:.2f}]; in what they share there are "
            f"{overlap.source_ess:.0f} source and {overlap.target_ess:.0f} target clips, "
            "effectively.",
        ]
        words = {
            "label": "Other shares of the genres",
            "covariate": "Music that is more or less frequent in the target than in the source",
            "concept": "Music that both have but that bears another genre in the target",
            "remainder": "Other music and other meanings of the genres together",
        }
        for row in rows[:-1]:
            unclear = " (may be nothing)" if row["low"] <= 0 <= row["high"] else ""
            facts.append(f"{words[row['cause']]}: {_figure(row)}{unclear}.")
        if not self.divided:
            facts.append(f"Covariate and concept shift are not told apart, for {overlap.obstacle}.")
        return facts

    def _ends(self, metric: str) -> dict[str, float]:
        if metric not in METRICS:
            raise ValueError(f"{metric!r} is not divided: one of {', '.join(METRICS)}")
        ends: dict[str, float] = self.scores.T.to_dict()[metric]
        return ends


def _figure(row: dict[Any, Any]) -> str:
    return f"{row['drop']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]"


def decompose_shift(
    source: pd.DataFrame,
    target: pd.DataFrame,
    genres: Sequence[str],
    *,
    source_features: pd.DataFrame,
    target_features: pd.DataFrame,
    n_resamples: int = 500,
    seed: int = 0,
) -> ShiftDecomposition:
    """Divide a model's drop from source to target into label, covariate and concept shift.

    First the source's clips are weighted to the target's shares of the genres: what the score
    then loses is label shift. Then, after Cai, Namkoong and Yadlowsky 2023 ("Diagnosing model
    performance under distribution shift"), both corpora are weighted to the music that they
    share. Covariate shift is what the score loses from the source to the shared music, by the
    source's genres, and from the shared music to the target, by the target's genres. Concept
    shift is the difference of the two scores on the shared music. All scores are of weighted
    confusion matrices.

    Intervals are percentiles over resamples of the groups of both sides. Genre shares, domain
    classifiers and weights are estimated anew in every resample; the model is taken as trained.

    Parameters
    ----------
    source, target : DataFrame
        As from `genrescope.evaluation.cells.predict_cell`: `clip_id`, `group`, `genre`,
        `predicted` and a probability per genre; several seeds of a clip count as one clip. The
        model was trained on none of these clips.
    genres : sequence of str
        In display order.
    source_features, target_features : DataFrame
        Feature vectors by `clip_id`.
    n_resamples : int
    seed : int
        Of the resamples.

    Returns
    -------
    ShiftDecomposition
        Intervals are NaN with fewer than two groups on a side.

    Raises
    ------
    TrainingError
        Where the target has a genre that the source's clips lack, or the features of the two
        differ.
    ValueError
        Where columns or vectors are missing.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> def answers(n, share):
    ...     x = rng.normal(size=n)
    ...     truth = np.where(rng.random(n) < share, "a", "b")
    ...     said = np.where((truth == "a") | (x > 1), "a", "b")
    ...     ids = [str(i) for i in range(n)]
    ...     table = pd.DataFrame({"clip_id": ids, "group": ids, "genre": truth, "predicted": said,
    ...         "a": np.where(said == "a", 0.8, 0.2), "b": np.where(said == "b", 0.8, 0.2)})
    ...     return table, pd.DataFrame({"x": x}, index=ids)
    >>> (home, X_home), (away, X_away) = answers(400, 0.8), answers(400, 0.2)
    >>> found = decompose_shift(home, away, ["a", "b"], source_features=X_home,
    ...                         target_features=X_away, n_resamples=50)
    >>> found.divided, found.frame().query("metric == 'macro_f1'")["cause"].tolist()
    (True, ['label', 'covariate', 'concept', 'total'])
    """
    if list(source_features.columns) != list(target_features.columns):
        raise TrainingError("source and target have other features: they cannot be compared")
    clips = [
        _clips(source, source_features, genres, "source"),
        _clips(target, target_features, genres, "target"),
    ]
    absent = sorted(set(target["genre"]) - set(source["genre"]))
    if absent:
        raise TrainingError(
            f"the target has clips of {', '.join(absent)}, the source's held-out clips have none: "
            "their shares cannot be made equal"
        )
    sides = Sides.from_groups(clips[0].group, clips[1].group)
    cells, genre, answers, features = (
        np.concatenate(pair)
        for pair in zip(*((c.cells, c.genre, c.answers, c.features) for c in clips), strict=True)
    )
    draws = sides.resamples(n_resamples, seed=seed)
    alike = _with_target_shares(draws, genre, sides.is_target, len(genres))
    logits = domain_logits(domain_vectors(features, answers), sides, alike)
    overlap, shared = measure_overlap(logits, sides, alike, n_genres=len(set(target["genre"])))
    ends, drops = {}, []
    for metric in METRICS:
        at_source, relabelled, shared_source, shared_target, at_target = (
            _scores(weights[:, part], cells[part], len(genres), metric)
            for weights, part in (
                (draws, ~sides.is_target),
                (alike, ~sides.is_target),
                (shared, ~sides.is_target),
                (shared, sides.is_target),
                (draws, sides.is_target),
            )
        )
        parts = {"label": at_source - relabelled}
        if overlap.obstacle:
            parts["remainder"] = relabelled - at_target
        else:
            parts["covariate"] = (relabelled - shared_source) + (shared_target - at_target)
            parts["concept"] = shared_source - shared_target
        parts["total"] = at_source - at_target
        for cause, values in parts.items():
            drops.append((metric, cause, *_interval(values)))
        ends[metric] = (*_interval(at_source), *_interval(at_target))
    names = [f"{end}{bound}" for end in ("source", "target") for bound in ("", "_low", "_high")]
    of_target = sides.group_side
    return ShiftDecomposition(
        pd.DataFrame.from_dict(ends, orient="index", columns=pd.Index(names)).rename_axis("metric"),
        pd.DataFrame(drops, columns=pd.Index(COLUMNS)),
        overlap,
        int((~of_target).sum()),
        int(of_target.sum()),
    )


@dataclass(frozen=True)
class _Clips:
    """Clips of one side: a row each, however many seeds answered."""

    cells: Matrix  # answers by true and predicted genre [shape=(n, n_genres ** 2)]; rows sum to 1
    genre: npt.NDArray[np.intp]
    group: npt.NDArray[np.object_]
    answers: Matrix
    features: Matrix


def _clips(
    predictions: pd.DataFrame, features: pd.DataFrame, genres: Sequence[str], side: str
) -> _Clips:
    missing = [name for name in ("clip_id", "group", *genres) if name not in predictions]
    if missing:
        raise ValueError(f"the {side}'s predictions lack the columns {', '.join(missing)}")
    if not len(predictions):
        raise TrainingError(f"the {side} has no clips: there is no drop to divide")
    by_clip = predictions.groupby("clip_id", sort=True)
    first = by_clip.first()
    vectors = features.reindex(first.index)
    if vectors.isna().to_numpy().any():
        raise ValueError(f"feature vectors of some of the {side}'s clips are missing or NaN")
    counts = group_counts(predictions.assign(group=predictions["clip_id"]), genres).matrix.toarray()
    return _Clips(
        counts / counts.sum(axis=1, keepdims=True),
        codes(first["genre"], genres),
        first["group"].to_numpy(dtype=object),
        by_clip[list(genres)].mean().to_numpy(dtype=np.float64),
        vectors.to_numpy(dtype=np.float64),
    )


def _with_target_shares(
    draws: Matrix, genre: npt.NDArray[np.intp], is_target: npt.NDArray[np.bool_], n_genres: int
) -> Matrix:
    """Weights that give the source's clips the target's genre shares, in each resample."""
    member = np.eye(n_genres)[genre]
    shares = []
    for part in (~is_target, is_target):
        sums = draws[:, part] @ member[part]
        shares.append(sums / sums.sum(axis=1, keepdims=True))
    # A genre that a resample of the source has lost cannot be weighted.
    ratio = np.divide(shares[1], shares[0], out=np.zeros_like(shares[0]), where=shares[0] > 0)
    weights: Matrix = draws * np.where(is_target, 1.0, ratio @ member.T)
    return weights


def _scores(weights: Matrix, cells: Matrix, n_genres: int, metric: str) -> Matrix:
    counts = (weights @ cells).reshape(len(weights), n_genres, n_genres)
    return metrics_of(counts)[metric]


def _interval(values: Matrix) -> tuple[float, float, float]:
    return (float(values[0]), *percentile_interval(values[1:]))
