"""The explanations a study writes: SHAP tables, and examples with picture, sound and words."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genrescope.audio.encode import write_wav
from genrescope.audio.fit import load_clip
from genrescope.config import StudyConfig
from genrescope.evaluation.cells import predict_cell
from genrescope.explanations.explainer import Explainer
from genrescope.explanations.explanation import Explanation
from genrescope.explanations.shap_summary import ShapSummary
from genrescope.explanations.shapley import SCALES, ShapValues, shap_parts
from genrescope.explanations.words import languages, load_language
from genrescope.figures import save_figure, shap_figure
from genrescope.files import atomic_path, write_csv, write_json
from genrescope.models.bundle import Bundle
from genrescope.parallel import Workers
from genrescope.study.material import Material
from genrescope.study.training import gather, pick

PICTURE_DPI = 120  # enough for a page of a thousand pixels
SOUNDS = {"clip": ".wav", "kept": ".kept.wav", "left_out": ".left-out.wav"}


def choose_clips(
    members: Sequence[Material], *, kind: str, seed: int, at_most: int
) -> tuple[Any, pd.DataFrame]:
    """Held-out clips to explain, drawn by a seed where there are more than asked for."""
    X, clips = gather(members, "test", kind=kind, seed=seed)
    if len(clips) <= at_most:
        return X, clips
    rows = np.sort(np.random.default_rng(seed).choice(len(clips), at_most, replace=False))
    return pick(X, rows), clips.iloc[rows]


def explain_features(
    folder: Path,
    load: Callable[[], Bundle],
    members: Sequence[Material],
    *,
    name: str,
    genres: Sequence[str],
    seed: int,
    config: StudyConfig,
    workers: Workers,
) -> dict[str, Any]:
    """Write the SHAP values of a model of vectors on its source's held-out clips.

    At most `explanations.shap_clips` of them, 200 unless the study says otherwise. The values are
    written as they come: those of some thousand clips are held at a time, however many there are.

    Parameters
    ----------
    folder : pathlib.Path
        Gets `values.parquet`, `top_features.csv`, `per_class.csv`, `families.csv`,
        `per_class.png` and `summary.json`.
    load : callable
        Gives the bundle.
    members : sequence of Material
        The corpora the source joins.
    name : str
        What is explained, for the figure's title.
    genres : sequence of str
        In display order.
    seed : int
        Of the split, and of the draw where there are more clips than are to be explained.
    config : StudyConfig
    workers : Workers
        Processes, where the work is long enough to pay for them; the usable cores where None.

    Returns
    -------
    dict
        `scale`, `n`, the additivity `residual` and, where the values are estimated, their
        `sampling_error` (else None).
    """
    at_most = config.explanations.shap_clips
    X, clips = choose_clips(members, kind="vectors", seed=seed, at_most=at_most)
    model = load().model
    classes = [str(name) for name in model.classes_]
    explained = ShapSummary([str(name) for name in X.columns], classes)
    with atomic_path(folder / "values.parquet") as temporary:
        _write_values(temporary, explained, shap_parts(model, X, workers=workers))
    scale = SCALES[model.kind]
    summary = {
        "scale": scale,
        "n": len(clips),
        "residual": explained.residual,
        "sampling_error": explained.sampling_error,
    }
    top = explained.top(10)
    top.insert(0, "rank", np.arange(1, len(top) + 1))
    order = [genre for genre in genres if genre in explained.classes]
    per_class = explained.per_class()[order]
    families = explained.families()[order]
    write_csv(folder / "top_features.csv", top)
    write_csv(folder / "per_class.csv", per_class.rename_axis("feature"), index=True)
    write_csv(folder / "families.csv", families.rename_axis("family"), index=True)
    words = load_language("en")
    save_figure(
        shap_figure(
            per_class,
            title=f"What decides in {name}",
            subtitle=f"mean |SHAP| over {len(clips)} held-out clips",
            scale=scale,
            words={str(feature): words.feature(str(feature)) for feature in per_class.index},
        ),
        folder / "per_class.png",
    )
    write_json(folder / "summary.json", summary)
    return summary


def _write_values(path: Path, summary: ShapSummary, parts: Iterator[ShapValues]) -> None:
    """Write parts as they come, a row group or more of each, and take them into the summary."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with contextlib.ExitStack() as stack:
        writer = None
        for part in parts:
            summary.add(part)
            table = pa.Table.from_pandas(part.frame(), preserve_index=False)
            if writer is None:
                writer = stack.enter_context(pq.ParquetWriter(path, table.schema))
            writer.write_table(table)


def explain_examples(
    folder: Path,
    load: Callable[[], Bundle],
    members: Sequence[Material],
    *,
    genres: Sequence[str],
    seed: int,
    config: StudyConfig,
) -> list[dict[str, Any]]:
    """Write the most confident right and wrong answers for every genre, explained.

    Parameters
    ----------
    folder : pathlib.Path
        Gets, per example, a picture (`.png`), the clip (`.wav`) and its explanation (`.json`);
        of a network also the map (`.npy`), what it keeps of the clip (`.kept.wav`) and leaves out
        (`.left-out.wav`). And one `index.json` of them all.
    load : callable
        Gives the bundle.
    members : sequence of Material
        The corpora the source joins, all of audio.
    genres : sequence of str
        In display order.
    seed : int
        Of the split.
    config : StudyConfig

    Returns
    -------
    list of dict
        The content of `index.json`. A genre without such an example has an entry of kind `none`.
    """
    explainer = Explainer(load())
    model, examples = explainer.bundle.model, config.explanations.examples
    X, clips = gather(members, "test", kind=model.input, seed=seed)
    predictions = predict_cell(model, X, clips, genres, seed=seed)
    beside = explainer.methods[1:]
    index: list[dict[str, Any]] = []
    for genre in genres:
        chosen = _examples(predictions, genre, genres, examples)
        if not chosen:
            index.append({"genre": genre, "kind": "none"})
        for number, (row, kind) in enumerate(chosen):
            clip = clips.iloc[row]
            explained = explainer.from_clip(
                load_clip(
                    clip["path"],
                    start_s=clip["start_s"],
                    duration_s=clip["duration_s"],
                    audio=config.audio,
                ),
                beside=beside,
                path=str(clip["path"]),
                start_s=float(clip["start_s"]),
                sound_s=float(clip["duration_s"]),
            )
            stem = f"{_slug(genre)}-{kind}-{number}"
            entry = {
                "genre": genre,
                "kind": kind,
                "clip_id": str(clips.index[row]),
                "true": genre,
                "predicted": explained.predicted,
                "probability": float(explained.probabilities[explained.predicted]),
                "stem": stem,
                "empty": [name for name, values in explained.maps().items() if values.max() <= 0],
            }
            write_example(folder, stem, explained, entry)
            index.append(entry)
    write_json(folder / "index.json", index)
    return index


def write_example(folder: Path, stem: str, explained: Explanation, entry: dict[str, Any]) -> None:
    """Write the files of one explained clip; `entry` gets its sentences in every language."""
    outcome = "rightly" if entry["kind"] == "correct" else f"not {entry['true']}"
    heard = f"Heard as {entry['predicted']} ({entry['probability']:.2f}), {outcome}"
    figure = explained.plot(title=f"{heard} · {entry['clip_id']}")
    save_figure(figure, folder / f"{stem}.png", dpi=PICTURE_DPI)
    entry["sentences"] = {code: explained.sentences(code) for code in languages()}
    write_json(folder / f"{stem}.json", explained.to_dict())
    for name, sound in explained.to_audio().items():
        rate = explained.clip.audio.sample_rate
        write_wav(folder / f"{stem}{SOUNDS[name]}", sound, sample_rate=rate)
    if explained.maps():
        with atomic_path(folder / f"{stem}.npy") as temporary:
            np.save(temporary, explained.values, allow_pickle=False)


def _examples(
    predictions: pd.DataFrame, genre: str, genres: Sequence[str], examples: int
) -> list[tuple[int, str]]:
    """Rows of the most confident answers, right ones and then wrong ones.

    A rule picks them, not an eye, so that a figure shows what is there and not what is wanted.
    """
    confidence = predictions[list(genres)].to_numpy().max(axis=1)
    of_genre = (predictions["genre"] == genre).to_numpy()
    right = (predictions["genre"] == predictions["predicted"]).to_numpy()
    chosen: list[tuple[int, str]] = []
    for kind, wanted in (("correct", of_genre & right), ("wrong", of_genre & ~right)):
        rows = np.flatnonzero(wanted)
        order = rows[np.argsort(-confidence[rows], kind="stable")]
        chosen += [(int(row), kind) for row in order[:examples]]
    return chosen


def _slug(genre: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in genre.lower())
