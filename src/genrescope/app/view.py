"""What the page shows of an explanation, as plain data: made where the model is, sent as it is."""

from collections.abc import Mapping
from dataclasses import dataclass

from genrescope.audio.encode import wav_bytes
from genrescope.explanations.explainer import FileExplanation
from genrescope.explanations.explanation import Explanation
from genrescope.explanations.words import Region, languages, load_language
from genrescope.features.logmel import shown_seconds
from genrescope.figures.maps import shown_ticks
from genrescope.figures.pixels import contour_path, map_png, spectrogram_png

SHOWN_FEATURES = 8


@dataclass(frozen=True)
class FeatureRow:
    """One feature of an explained clip, in one language."""

    words: str
    value: float
    unit: str
    adds: float


@dataclass(frozen=True)
class InWords:
    """What is said of an explained clip in one language.

    Attributes
    ----------
    sentences : tuple of str
        The outcome first.
    bars : tuple of (str, float)
        What decided, summed into a few named parts.
    features : tuple of FeatureRow
        The strongest; none where a map explains.
    """

    sentences: tuple[str, ...]
    bars: tuple[tuple[str, float], ...]
    features: tuple[FeatureRow, ...]


@dataclass(frozen=True)
class ExplanationView:
    """The most telling clip of an explained sound, ready to be shown in every language.

    Attributes
    ----------
    target : str
        The genre asked about.
    start_s, end_s : float
        Where in the sound the clip lies.
    short : bool
        Whether the sound was shorter than a clip.
    seconds : float
        That the picture spans.
    hertz : dict of int to float
        Frequencies on the vertical axis, and how far from the top each stands, from 0 to 1.
    shape : tuple of int
        Bands and frames of the picture.
    spectrogram : bytes
        PNG.
    has_map : bool
        Whether the model is explained by a map.
    overlay : bytes or None
        PNG to lay over the spectrogram; None without a map and for an empty one.
    contour : str
        SVG path over the picture.
    regions : tuple of Region
        The strongest of the map.
    sounds : dict of str to bytes
        WAV: `clip`, and with a map `kept` and `left_out`.
    unit : str
        What the bars measure: `log-odds`, `probability` or `share of the map`.
    words : dict of str to InWords
        By language.
    """

    target: str
    start_s: float
    end_s: float
    short: bool
    seconds: float
    hertz: Mapping[int, float]
    shape: tuple[int, int]
    spectrogram: bytes
    has_map: bool
    overlay: bytes | None
    contour: str
    regions: tuple[Region, ...]
    sounds: Mapping[str, bytes]
    unit: str
    words: Mapping[str, InWords]


def view_explanation(found: FileExplanation) -> ExplanationView:
    """Bring the most telling moment of an explanation into the form the page shows.

    Parameters
    ----------
    found : FileExplanation
    """
    explained = found.moments[0]
    clip = explained.clip
    bands, frames = clip.log_mel.shape
    ticks = shown_ticks(bands, clip.audio.sample_rate)
    values = explained.values if explained.maps() else None
    sounds = explained.to_audio()
    return ExplanationView(
        target=found.target,
        start_s=clip.start_s,
        end_s=clip.end_s,
        short=clip.is_short,
        seconds=shown_seconds(clip.audio, clip.features),
        hertz={hz: 1 - (place + 0.5) / bands for hz, place in ticks.items()},
        shape=(bands, frames),
        spectrogram=spectrogram_png(clip.log_mel),
        has_map=values is not None,
        overlay=None if values is None else map_png(values),
        contour="" if values is None else contour_path(values),
        regions=tuple(explained.regions()),
        sounds={k: wav_bytes(y, sample_rate=clip.audio.sample_rate) for k, y in sounds.items()},
        unit=str(explained.bars().name),
        words={language: _in_words(explained, language) for language in languages()},
    )


def _in_words(explained: Explanation, language: str) -> InWords:
    words = load_language(language)
    bars = explained.bars(language)
    rows = explained.frame().head(0 if explained.maps() else SHOWN_FEATURES)
    texts = {name: words.describe(name) for name in map(str, rows.get("feature", ()))}
    return InWords(
        sentences=tuple(explained.sentences(language)),
        bars=tuple((str(name), float(value)) for name, value in bars.items()),
        features=tuple(
            FeatureRow(
                words=words.feature(name) or name,
                value=float(row["value"]),
                unit=text.unit if text is not None else "",
                adds=float(row["contribution"]),
            )
            for row, (name, text) in zip(rows.to_dict("records"), texts.items(), strict=True)
        ),
    )
