"""The files and the page of an explained recording."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from genrescope.audio.encode import wav_bytes
from genrescope.explanations.explainer import FileExplanation
from genrescope.explanations.explanation import Explanation
from genrescope.explanations.words import load_language
from genrescope.figures.style import number, png_bytes
from genrescope.files import write_bytes, write_json, write_text
from genrescope.models.bundle_info import BundleInfo
from genrescope.report.embedding import Embedder
from genrescope.report.templating import css, environment

TEMPLATE = "explained.html.j2"
SOUNDS = {
    "clip": (".wav", "the clip"),
    "kept": (".kept.wav", "what the map keeps"),
    "left_out": (".left-out.wav", "what it leaves out"),
}
MEASURES = {
    "residual": "values and baseline miss the model’s answer by",
    "sampling_error": "standard error of the values, as a share of their size",
    "deletion": "probability while the map’s places are taken away, mean (deletion; low is good)",
    "insertion": "probability while they are put in, mean (insertion; high is good)",
    "drop": "share of the probability lost on what the map keeps (average drop; low is good)",
    "fidelity": "probability lost on what the map leaves out (faithfulness; high is good)",
    "sparseness": "how few places hold the map (Gini coefficient, 0 to 1)",
    "heard_gap": "gap between the probability on the kept sound and on the masked picture",
}
SHOWN_FEATURES = 10


def write_explanation(
    found: FileExplanation, folder: Path, page: Path, *, info: BundleInfo, language: str = "en"
) -> None:
    """Write what explains a recording: pictures, sounds, numbers, and a page of them all.

    Parameters
    ----------
    found : FileExplanation
    folder : pathlib.Path
        Gets `explanation.json`, and for each moment a picture (`1.png`), the clip (`1.wav`), with
        a map also the map (`1.npy`) and its two sounds (`1.kept.wav`, `1.left-out.wav`).
    page : pathlib.Path
        The HTML file; pictures and sounds are inside.
    info : BundleInfo
        Of the model.
    language : str
        Of the sentences.

    Raises
    ------
    ConfigError
        Where there are no words in the language.
    OutputError
        Where a file cannot be written.
    """
    content, files = explanation_parts(found, info=info, language=language)
    for name, data in files.items():
        write_bytes(folder / name, data)
    write_json(folder / "explanation.json", content)
    embed = Embedder(folder)
    cards = [
        _card(explained, folder, moment["files"], embed, language)
        for explained, moment in zip(found.moments, content["moments"], strict=True)
    ]
    answer = found.prediction
    page_text = (
        environment(info.genres)
        .get_template(TEMPLATE)
        .render(
            content=content,
            name=Path(str(answer.path)).name,
            language=language,
            windows=answer.windows.to_dict("records"),
            silent=answer.silent_windows,
            cards=cards,
            synthetic=all(corpus.get("synthetic") for corpus in info.corpora) and info.corpora,
            css=css(),
        )
    )
    write_text(page, page_text)


def explanation_parts(
    found: FileExplanation, *, info: BundleInfo, language: str = "en", drawn: bool = True
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """What explains a recording, in memory.

    Parameters
    ----------
    found : FileExplanation
    info : BundleInfo
        Of the model.
    language : str
        Of the sentences.
    drawn : bool
        Whether there are files at all: drawing takes longer than explaining.

    Returns
    -------
    content : dict
        What `explanation.json` holds.
    files : dict of str to bytes
        By the names under `files` of each moment: pictures (PNG), sounds (WAV) and maps (NPY).

    Raises
    ------
    ConfigError
        Where there are no words in the language.
    """
    words = load_language(language)
    moments: list[dict[str, Any]] = []
    files: dict[str, bytes] = {}
    for place, explained in enumerate(found.moments, start=1):
        names, made = _moment_files(explained, str(place), language) if drawn else ({}, {})
        moments.append(explained.to_dict(language) | {"files": names})
        files |= made
    answer = found.prediction
    sentences = [words.outcome(found.target, answer.probabilities)]
    told = [
        (m.clip.start_s, m.clip.end_s, float(m.probabilities[found.target])) for m in found.moments
    ]
    if len(answer.windows) > 1:
        sentences.append(words.moments(told, target=found.target))
    content = {
        "path": answer.path,
        "duration_s": answer.duration_s,
        "model": info.kind,
        "trained_on": [corpus["name"] for corpus in info.corpora],
        "genre": answer.genre,
        "probabilities": {str(g): float(p) for g, p in answer.probabilities.items()},
        "target": found.target,
        "against": found.against,
        "sentences": sentences,
        "moments": moments,
    }
    return content, files


def _moment_files(
    explained: Explanation, stem: str, language: str
) -> tuple[dict[str, str], dict[str, bytes]]:
    """The names of a moment's files by what they hold, and their contents by name."""
    names = {"picture": f"{stem}.png"}
    files = {names["picture"]: png_bytes(explained.plot(language), dpi=150)}
    for kind, sound in explained.to_audio().items():
        names[kind] = stem + SOUNDS[kind][0]
        files[names[kind]] = wav_bytes(sound, sample_rate=explained.clip.audio.sample_rate)
    if explained.maps():
        names["map"] = f"{stem}.npy"
        buffer = io.BytesIO()
        np.save(buffer, explained.values, allow_pickle=False)
        files[names["map"]] = buffer.getvalue()
    return names, files


def _card(
    explained: Explanation, folder: Path, files: Mapping[str, str], embed: Embedder, language: str
) -> dict[str, Any]:
    """One moment as the template takes it."""
    words = load_language(language)
    table = explained.frame().head(0 if explained.maps() else SHOWN_FEATURES)
    rows = [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]
    texts = [(row, words.describe(str(row["feature"]))) for row in rows]
    return {
        "start_s": explained.clip.start_s,
        "end_s": explained.clip.end_s,
        "short": explained.clip.is_short,
        "sentences": explained.sentences(language),
        # The page has the sentences as text beside the picture.
        "picture": embed.figure(explained.plot(language, title="", sentences=False)),
        "sounds": [
            {"words": SOUNDS[name][1], "sound": embed.sound(folder / files[name])}
            for name in explained.to_audio()
        ],
        "scale": explained.scale,
        "features": [
            row
            | {
                "words": words.feature(str(row["feature"])),
                "family": words.family(str(row["family"])),
                "unit": text.unit if text else "",
                "what": text.what if text else "",
                "caveats": list(text.caveats) if text else [],
            }
            for row, text in texts
        ],
        "quality": [
            (description, _figure(explained.quality[name]))
            for name, description in MEASURES.items()
            if name in explained.quality
        ],
    }


def _figure(value: float) -> str:
    return f"{value:.0e}" if 0 < abs(value) < 0.005 else number(value)
