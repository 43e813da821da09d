"""The explanations a study writes: SHAP tables and figures, Grad-CAM pictures with their sound."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genrescope.audio.encode import write_wav
from genrescope.audio.fit import load_clip
from genrescope.config import AudioSettings, FeatureSettings, StudyConfig
from genrescope.evaluation.cells import predict_cell
from genrescope.explanations.listening import listen, mask_of
from genrescope.explanations.shapley import shap_values
from genrescope.explanations.words import load_language
from genrescope.files import atomic_path, write_csv, write_json
from genrescope.figures import map_figure, save_figure, shap_figure
from genrescope.study.material import Material
from genrescope.study.training import gather, pick


def choose_clips(
    members: Sequence[Material], *, seed: int, at_most: int
) -> tuple[Any, pd.DataFrame]:
    """Held-out clips to explain, drawn by a seed where there are more than asked for."""
    X, clips = gather(members, "test", kind="vectors", seed=seed)
    if len(clips) <= at_most:
        return X, clips
    rows = np.sort(np.random.default_rng(seed).choice(len(clips), at_most, replace=False))
    return pick(X, rows), clips.iloc[rows]


def explain_trees(
    folder: Path,
    load: Callable[[], Any],
    members: Sequence[Material],
    *,
    name: str,
    genres: Sequence[str],
    seed: int,
    config: StudyConfig,
) -> dict[str, Any]:
    """Write the SHAP values of a tree model on its source's held-out clips.

    Parameters
    ----------
    folder : pathlib.Path
        Gets `values.parquet`, `top_features.csv`, `per_class.csv`, `per_class.png` and
        `summary.json`.
    load : callable
        Gives the trained forest or boosting.
    members : sequence of Material
        The corpora the source joins.
    name : str
        What is explained, for the figure's title.
    genres : sequence of str
        In display order.
    seed : int
        Of the split, and of the draw where there are more clips than are to be explained.
    config : StudyConfig

    Returns
    -------
    dict
        `scale`, `n` and the additivity `residual`.
    """
    at_most = config.explanations.shap_clips
    X, clips = choose_clips(members, seed=seed, at_most=at_most)
    explained = shap_values(load(), X)
    summary = {
        "scale": explained.scale,
        "n": len(clips),
        "residual": float(explained.residual),
    }
    top = explained.top(10)
    top.insert(0, "rank", np.arange(1, len(top) + 1))
    per_class = explained.per_class()
    per_class = per_class[[genre for genre in genres if genre in per_class.columns]]
    words = load_language("en")
    with atomic_path(folder / "values.parquet") as temporary:
        explained.frame().to_parquet(temporary, index=False)
    write_csv(folder / "top_features.csv", top)
    write_csv(folder / "per_class.csv", per_class.rename_axis("feature"), index=True)
    save_figure(
        shap_figure(
            per_class,
            title=f"What decides in {name}",
            subtitle=f"mean |SHAP| over {len(clips)} held-out clips",
            scale=explained.scale,
            words={name: words.feature(name) for name in explained.features},
        ),
        folder / "per_class.png",
    )
    write_json(folder / "summary.json", summary)
    return summary


def explain_network(
    folder: Path,
    load: Callable[[], Any],
    members: Sequence[Material],
    *,
    name: str,
    genres: Sequence[str],
    seed: int,
    config: StudyConfig,
) -> list[dict[str, Any]]:
    """Write maps of the most confident right and wrong answers for every genre, and their sound.

    Parameters
    ----------
    folder : pathlib.Path
        Gets, per example, a picture (`.png`), the Grad-CAM map (`.npy`) and the occlusion map
        (`.occlusion.npy`), the clip (`.wav`), what the occlusion map keeps of it (`.kept.wav`) and
        leaves out (`.left-out.wav`), and one `index.json` of them all.
    load : callable
        Gives the trained cnn.
    members : sequence of Material
        The corpora the source joins.
    name : str
        What is explained, for the pictures' titles.
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
    from genrescope.explanations.grad_cam import grad_cam
    from genrescope.explanations.occlusion import occlusion

    model, examples = load(), config.explanations.grad_cam_examples
    X, clips = gather(members, "test", kind="log_mels", seed=seed)
    index: list[dict[str, Any]] = []
    predictions = predict_cell(model, X, clips, genres, seed=seed) if len(clips) else None
    for genre in genres:
        chosen = [] if predictions is None else _examples(predictions, genre, genres, examples)
        if not chosen:
            index.append({"genre": genre, "kind": "none"})
        for number, (row, kind) in enumerate(chosen):
            answer = predictions.iloc[row]  # type: ignore[union-attr]
            stem = f"{_slug(genre)}-{kind}-{number}"
            picture, target = X[row : row + 1], answer["predicted"]
            cam = grad_cam(model, picture, target=target)[0]
            occluded = occlusion(model, picture, target=target)[0]
            entry = {
                "genre": genre,
                "kind": kind,
                "clip_id": answer["clip_id"],
                "true": answer["genre"],
                "predicted": answer["predicted"],
                "probability": float(answer[answer["predicted"]]),
                "stem": stem,
                "empty": bool(cam.max() == 0),
                "strength": float(cam.max()),
                "occlusion_strength": float(max(occluded.max(), 0)),
            }
            _write_maps(folder, name, entry, picture[0], cam, occluded, config)
            entry |= _write_sounds(folder / stem, occluded, clips.iloc[row], config)
            index.append(entry)
    write_json(folder / "index.json", index)
    return index


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


def _write_maps(
    folder: Path,
    name: str,
    entry: Mapping[str, Any],
    log_mel: Any,
    cam: Any,
    occluded: Any,
    config: StudyConfig,
) -> None:
    audio, stem = config.audio, str(entry["stem"])
    outcome = "rightly" if entry["kind"] == "correct" else f"not {entry['true']}"
    figure = map_figure(
        log_mel,
        {"Grad-CAM": cam, "occlusion": occluded},
        clip_seconds=shown_seconds(audio, config.features),
        sample_rate=audio.sample_rate,
        title=f"Heard as {entry['predicted']} ({entry['probability']:.2f}), {outcome}",
        subtitle=f"{name} · {entry['clip_id']}",
    )
    save_figure(figure, folder / f"{stem}.png")
    for suffix, values in (("", cam), (".occlusion", occluded)):
        with atomic_path(folder / f"{stem}{suffix}.npy") as temporary:
            np.save(temporary, values, allow_pickle=False)


def _write_sounds(
    stem: Path, values: Any, clip: "pd.Series[Any]", config: StudyConfig
) -> dict[str, float]:
    """Write the clip and the two parts its map makes of it; the gains of the parts."""
    audio = config.audio
    waveform = load_clip(
        clip["path"], start_s=clip["start_s"], duration_s=clip["duration_s"], audio=audio
    )
    parts = listen(waveform, mask_of(values), audio=audio, features=config.features)
    sounds = {".wav": waveform, ".kept.wav": parts.kept, ".left-out.wav": parts.left_out}
    for suffix, sound in sounds.items():
        write_wav(f"{stem}{suffix}", sound, sample_rate=audio.sample_rate)
    return {"kept_gain": parts.kept_gain, "left_out_gain": parts.left_out_gain}


def shown_seconds(audio: AudioSettings, features: FeatureSettings) -> float:
    """Seconds of a clip that its log-mel spectrogram shows: all of them, or the cropped frames'."""
    if features.frame_fit == "resize":
        return audio.clip_seconds
    return min(audio.clip_seconds, features.frames * features.hop_length / audio.sample_rate)


def _slug(genre: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in genre.lower())
