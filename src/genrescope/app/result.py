"""The answer to one sound as HTML: what was heard, how sure, why, when, and what others say."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd

from genrescope.app.texts import page_texts
from genrescope.app.view import ExplanationView
from genrescope.explanations.feature_sentences import percent
from genrescope.explanations.words import load_language
from genrescope.models.predictor import FilePrediction
from genrescope.report.embedding import data_uri
from genrescope.report.templating import clock, environment

TEMPLATE = "result.html.j2"
MOST_COLUMNS = 120  # of the timeline
EDGE = 0.8  # share of the recordings kept aside from which a sound is called unusual


def render_result(
    answers: Mapping[str, FilePrediction],
    model: str,
    view: ExplanationView | None,
    *,
    name: str,
    language: str,
    synthetic: bool = False,
) -> str:
    """Lay an answer out.

    Parameters
    ----------
    answers : mapping of str to FilePrediction
        Of every model, by its name.
    model : str
        The one that is shown at large.
    view : ExplanationView or None
        Why that model answered so.
    name : str
        Of the sound; it may hold anything.
    language : str
        One of `genrescope.explanations.words.languages`.
    synthetic : bool
        Whether the model learned from synthetic music only.

    Returns
    -------
    str
        An `article`; everything that came from outside is escaped.
    """
    prediction, texts = answers[model], page_texts(language)
    doubt, words = prediction.doubt, load_language(language)
    pages = environment(
        [str(genre) for genre in prediction.probabilities.index], package="genrescope.app"
    )
    pages.filters |= {"picture": _picture, "wave": _wave, "signed": _signed, "percent": percent}
    return pages.get_template(TEMPLATE).render(
        answers=answers,
        model=model,
        view=view,
        name=name,
        language=language,
        synthetic=synthetic,
        t=texts,
        length=_length(prediction, texts),
        columns=_columns(prediction),
        runs=shown_runs(prediction),
        ticks=[] if view is None else range(int(view.seconds) + 1),
        bar_style=_bar_style,
        edge=EDGE,
        far_in=[] if doubt is None else [words.feature(name) or name for name in doubt.features],
    )


def _length(prediction: FilePrediction, texts: Mapping[str, Any]) -> str:
    n, length = len(prediction.windows), clock(prediction.duration_s)
    if n == 1:
        return str(texts["answer"]["length_one"].format(length=length))
    return str(texts["answer"]["length"].format(length=length, windows=n))


def _columns(prediction: FilePrediction) -> list[dict[str, Any]]:
    """Columns of the timeline: the mean probabilities of each stretch; none for a short sound."""
    windows = prediction.windows
    if len(windows) < 2:
        return []
    genres = [str(genre) for genre in prediction.probabilities.index]
    starts = windows["start_s"].to_numpy()
    ends = _ends(prediction)
    columns = []
    for rows in np.array_split(np.arange(len(windows)), min(len(windows), MOST_COLUMNS)):
        means = windows.iloc[rows][genres].mean()
        tops = 1 - means.cumsum()
        parts = [
            {"genre": genre, "top": max(float(tops[genre]), 0.0), "height": float(means[genre])}
            for genre in genres
        ]
        start = float(starts[rows[0]])
        columns.append({"start_s": start, "seconds": float(ends[rows[-1]]) - start, "parts": parts})
    return columns


def _ends(prediction: FilePrediction) -> "pd.Series[float]":
    """Where each window ends: where the next begins, unless silence lies between."""
    starts = prediction.windows["start_s"].reset_index(drop=True)
    step = float(starts.diff().min())
    following = starts.shift(-1).fillna(prediction.duration_s)
    return following.clip(upper=starts + step).clip(upper=prediction.duration_s)


def shown_runs(prediction: FilePrediction) -> list[dict[str, Any]]:
    """Stretches throughout which one genre leads."""
    if len(prediction.windows) < 2:
        return []
    windows = prediction.windows.reset_index(drop=True).assign(end_s=_ends(prediction))
    rows = windows.to_dict("records")
    runs = []
    for genre, group in groupby(rows, key=lambda row: str(row["genre"])):
        run = list(group)
        mean = float(np.mean([row[genre] for row in run]))
        first, last = run[0]["start_s"], run[-1]["end_s"]
        runs.append({"start_s": first, "end_s": last, "genre": genre, "probability": mean})
    return runs


def _bar_style(value: float, bars: Sequence[tuple[str, float]]) -> str:
    """Where a bar begins and how wide it is, in percent of a track that has room for all."""
    values = [other for _, other in bars]
    least, most = min(0.0, *values), max(0.0, *values)
    span = (most - least) or 1.0
    left = (min(value, 0.0) - least) / span
    return f"left:{100 * left:.1f}%;width:{100 * abs(value) / span:.1f}%"


def _picture(content: bytes) -> str:
    return data_uri("image/png", content)


def _wave(content: bytes) -> str:
    return data_uri("audio/wav", content)


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")
