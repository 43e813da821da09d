"""Where the beats lie: the moments one would tap along with."""

import math

import numpy as np
import numpy.typing as npt

from genrescope.features.frames import spectrum
from genrescope.features.kernels import Doubles, Floats
from genrescope.features.mel import mel_db
from genrescope.features.rhythm import onset_strength, tempo
from genrescope.settings import AudioSettings, FeatureSettings

SMOOTHING = 1 / 32  # standard deviation of the Gaussian over the onsets, in beat periods
NEAREST, FARTHEST = 1 / 2, 2  # where to look for the beat before, in beat periods
WEAK = 1 / 2  # of the root mean square of all beats' onsets: less is no beat at either end


def beats(
    onsets: Floats,
    *,
    tempo_bpm: float,
    sample_rate: int = 22050,
    hop_length: int = 512,
    tightness: float = 100.0,
) -> Doubles:
    """The beats: loud onsets a steady period apart.

    Parameters
    ----------
    onsets : numpy.ndarray [shape=(frames,)]
        From `genrescope.features.rhythm.onset_strength`; not negative, on any scale.
    tempo_bpm : float
        Beats per minute, as from `genrescope.features.rhythm.tempo`.
    sample_rate : int
        Hertz.
    hop_length : int
        Samples from one frame to the next.
    tightness : float
        What a step off the period costs: this times the squared natural logarithm of step over
        period, against onsets in standard deviations.

    Returns
    -------
    numpy.ndarray [shape=(beats,), dtype=float64]
        Seconds from the start, rising; none where the onsets are constant.

    Raises
    ------
    ValueError
        Where `tempo_bpm` or `tightness` is not finite and above 0, or an onset not finite or below
        0.

    Notes
    -----
    Ellis (2007), "Beat tracking by dynamic programming": a sequence of beats is worth the onsets
    under it less the cost of its steps; the best one ending at a frame follows from the best ones
    ending earlier, and the best of all ends where the worth is largest. Any frame may begin a
    sequence, at no cost. librosa lets only frames of the first half period do so, and ends at the
    last local maximum: in a clip of few beats that displaces the outermost, and often the rest.

    Examples
    --------
    >>> pulses = np.zeros(216, np.float32)
    >>> pulses[10::43] = 1.0  # once a second, all but
    >>> beats(pulses, tempo_bpm=60).round(2).tolist()
    [0.23, 1.23, 2.23, 3.23, 4.23]
    """
    for name, value in (("tempo_bpm", tempo_bpm), ("tightness", tightness)):
        if not 0 < value < math.inf:
            raise ValueError(f"{name} is {value}, it should be finite and above 0")
    if not (np.isfinite(onsets) & (onsets >= 0)).all():
        raise ValueError("onsets include negative, NaN or infinite values")
    if not len(onsets) or np.ptp(onsets) == 0:
        return np.empty(0)
    period = 60 * sample_rate / hop_length / tempo_bpm
    strength = _smoothed(onsets, period)
    worth, before = _best_sequences(strength, period, tightness)
    path = [int(worth.argmax())]
    while before[path[-1]] >= 0:
        path.append(int(before[path[-1]]))
    return _without_weak_ends(path[::-1], strength) * (hop_length / sample_rate)


def beat_times(
    waveform: npt.NDArray[np.floating],
    *,
    audio: AudioSettings | None = None,
    features: FeatureSettings | None = None,
) -> Doubles:
    """The beats of a sound, at its own tempo.

    Parameters
    ----------
    waveform : numpy.ndarray [shape=(n,)]
        Finite samples, of any length.
    audio : AudioSettings, optional
        Only `sample_rate` matters.
    features : FeatureSettings, optional
        Only `n_fft`, `hop_length` and `n_mels` matter.

    Returns
    -------
    numpy.ndarray [shape=(beats,), dtype=float64]
        Seconds from the start, rising, on whole frames; none in silence.

    Raises
    ------
    AudioError
        `non-finite` where a sample is NaN or infinite.
    ValueError
        Where `waveform` is empty or not one-dimensional.

    Examples
    --------
    >>> clicks = np.zeros(110250)
    >>> clicks[5512::11025] = 1.0  # every half second, from 0.25 s
    >>> beat_times(clicks)[:4].round(1).tolist()
    [0.3, 0.8, 1.3, 1.8]
    >>> beat_times(np.zeros(110250)).tolist()
    []
    """
    audio, features = audio or AudioSettings(), features or FeatureSettings()
    rate, hop_length = audio.sample_rate, features.hop_length
    clip = spectrum(waveform, sample_rate=rate, n_fft=features.n_fft, hop_length=hop_length)
    decibels = mel_db(clip, n_mels=features.n_mels)
    onsets = onset_strength(decibels, n_fft=features.n_fft, hop_length=hop_length)
    speed = tempo(onsets, sample_rate=rate, hop_length=hop_length)
    return beats(onsets, tempo_bpm=speed, sample_rate=rate, hop_length=hop_length)


def _smoothed(onsets: Floats, period: float) -> Doubles:
    """Onsets in standard deviations under a Gaussian that peaks at 1 [shape=(frames,)]."""
    reach = round(period)
    gaussian = np.exp(-0.5 * (np.arange(-reach, reach + 1) / (SMOOTHING * period)) ** 2)
    scaled = onsets / onsets.std(ddof=1, dtype=np.float64)
    smooth: Doubles = np.convolve(scaled, gaussian)[reach : reach + len(onsets)]
    return smooth


def _best_sequences(
    strength: Doubles, period: float, tightness: float
) -> tuple[Doubles, npt.NDArray[np.intp]]:
    """Worth of the best sequence ending at each frame, and its beat before [shape=(frames,)].

    That is -1 where the sequence begins.
    """
    nearest = max(1, round(NEAREST * period))
    farthest = max(nearest, round(FARTHEST * period))
    lags = np.arange(nearest, farthest + 1)
    cost = tightness * np.log(lags / period) ** 2
    worth = strength.copy()
    before = np.full(len(strength), -1)
    for frame in range(nearest, len(strength)):
        reachable = min(frame, farthest) - nearest + 1
        earlier = worth[frame - lags[:reachable]] - cost[:reachable]
        best = earlier.argmax()
        if earlier[best] > 0:
            worth[frame] += earlier[best]
            before[frame] = frame - lags[best]
    return worth, before


def _without_weak_ends(path: list[int], strength: Doubles) -> Doubles:
    """The frames of the path from the first to the last beat that is not weak."""
    under = strength[path]
    strong = np.flatnonzero(under > WEAK * np.sqrt(np.mean(under**2)))
    return np.array(path[strong[0] : strong[-1] + 1], np.float64)
