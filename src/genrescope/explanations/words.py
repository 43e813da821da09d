"""Explanations as sentences: what was heard, which features spoke for it, and where it is heard."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import pandas as pd

from genrescope.errors import ConfigError
from genrescope.explanations.feature_sentences import FeatureSentences, percent, signed
from genrescope.explanations.vocabulary import language_files, read_texts
from genrescope.figures.style import number
from genrescope.settings import nearest


@dataclass(frozen=True)
class Region:
    """A part of a map over a clip's spectrogram.

    Attributes
    ----------
    start_s, end_s : float
        Seconds from the clip's beginning.
    low_hz, high_hz : float
        Hertz.
    share : float
        Of the map's evidence, from 0 to 1.
    """

    start_s: float
    end_s: float
    low_hz: float
    high_hz: float
    share: float


class Language(FeatureSentences):
    """Explanations in one language: words for features and families, and whole sentences.

    Every number in a sentence is one that was given, rounded; shares of clips are rounded down.

    Examples
    --------
    >>> load_language("en").feature("mfcc_mean_3")
    'timbre (MFCC 3), average'
    """

    def outcome(self, target: str, probabilities: "pd.Series[float]") -> str:
        """Say what the model heard.

        Parameters
        ----------
        target : str
            The genre that is asked about.
        probabilities : Series
            Indexed by genre.

        Returns
        -------
        str
            Where the target is the likeliest genre, that and the next; else both of them.

        Raises
        ------
        ValueError
            Where the target has no probability.

        Examples
        --------
        >>> heard = pd.Series({"Blues-like": 0.2, "Rock/Metal": 0.71, "HipHop/Rap": 0.09})
        >>> load_language("en").outcome("Rock/Metal", heard)
        'Heard as Rock/Metal with probability .71; next comes Blues-like with .20.'
        """
        if target not in probabilities.index:
            raise ValueError(f"{target} is not among {', '.join(map(str, probabilities.index))}")
        others = probabilities.drop(target).sort_values(ascending=False, kind="stable")
        asked, texts = float(probabilities[target]), self.texts["outcome"]
        if others.empty:
            return str(texts["only"].format(first=target, probability=number(asked)))
        other, next_one = str(others.index[0]), float(others.iloc[0])
        if next_one > asked:
            text = texts["asked"].format(
                target=target, probability=number(asked), first=other, next=number(next_one)
            )
        else:
            text = texts["heard"].format(
                first=target, probability=number(asked), second=other, next=number(next_one)
            )
        return str(text)

    def regions(
        self,
        regions: Sequence[Region],
        *,
        target: str,
        strength: float,
        unit: str,
        against: str | None = None,
        empty: bool = False,
    ) -> list[str]:
        """Say where in a clip's spectrogram a map finds what speaks for a genre.

        Parameters
        ----------
        regions : sequence of Region
            The strongest first.
        target, against
            As in `features`.
        strength : float
            The map's largest value.
        unit : str
            Of the strength: `log-odds`, `logit`, `probability`, or any other in plain words.
        empty : bool
            Whether the map holds no evidence at all.

        Returns
        -------
        list of str
            A sentence per region and one about the strength, or one about the empty map.

        Examples
        --------
        >>> for sentence in load_language("en").regions([Region(1.2, 2.0, 250, 700, 0.41)],
        ...                                             target="Rock/Metal", strength=1.3,
        ...                                             unit="log-odds"):
        ...     print(sentence)
        What speaks most for Rock/Metal lies between 1.2 and 2.0 s, from 250 to 700 Hz; it holds
        41% of the map.
        At its strongest the map reaches 1.30 log-odds.
        """
        aim, texts = self._aim(target, against), self.texts["regions"]
        if empty:
            return [str(texts["empty"].format(target=aim))]
        sentences = [] if regions else [str(texts["none"].format(target=aim))]
        for place, region in enumerate(regions):
            text = texts["next" if place else "first"].format(
                target=aim,
                start=f"{region.start_s:.1f}",
                end=f"{region.end_s:.1f}",
                low=f"{region.low_hz:,.0f}",
                high=f"{region.high_hz:,.0f}",
                percent=percent(region.share),
            )
            sentences.append(str(text))
        amount = self._amount(signed(strength).removeprefix("+"), unit)
        return [*sentences, str(texts["strength"].format(amount=amount))]

    def moments(self, moments: Sequence[tuple[float, float, float]], *, target: str) -> str:
        """Say when in a recording a genre is heard most clearly.

        Parameters
        ----------
        moments : sequence of (start_s, end_s, probability)
            The most telling first.
        target : str
            The genre.

        Returns
        -------
        str
            One sentence; empty without moments.

        Examples
        --------
        >>> load_language("en").moments([(35, 40, 0.97), (70, 75, 0.9)], target="Rock/Metal")
        'The two most telling moments for Rock/Metal: 0:35 to 0:40 (.97), 1:10 to 1:15 (.90).'
        """
        if not moments:
            return ""
        texts, counts = self.texts["moments"], self.texts["counts"]
        told = ", ".join(
            texts["moment"].format(start=_clock(start), end=_clock(end), probability=number(p))
            for start, end, p in moments
        )
        count = counts[len(moments) - 1] if len(moments) <= len(counts) else str(len(moments))
        text = texts["one" if len(moments) == 1 else "several"]
        return str(text.format(target=target, count=count, moments=told))


def languages() -> tuple[str, ...]:
    """Codes of the languages there are words in.

    Examples
    --------
    >>> languages()
    ('en', 'ko')
    """
    return tuple(language_files())


@cache
def load_language(code: str) -> Language:
    """Load the words of a language.

    Parameters
    ----------
    code : str
        One of `languages()`: each is a file in `explanations/languages`.

    Returns
    -------
    Language

    Raises
    ------
    ConfigError
        Where there is no such language, or its file lacks a text.

    Examples
    --------
    >>> load_language("ko").family("rhythm")
    '리듬'
    """
    files = language_files()
    if code not in files:
        known, hint = f"known are {', '.join(files)}", nearest(code, files)
        reason = hint if hint == known else f"{hint} {known}"
        raise ConfigError(f"there is no language {code!r}: {reason}")
    return Language(code, read_texts(files[code]))


def _clock(seconds: float) -> str:
    """Minutes and seconds, with tenths where they are not whole."""
    tenths = round(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    text = f"{minutes}:{rest // 10:02d}" if not hours else f"{hours}:{minutes:02d}:{rest // 10:02d}"
    return f"{text}.{rest % 10}" if rest % 10 else text
