"""Where notes begin, and how fast the beat goes."""

from fractions import Fraction
from functools import lru_cache

import numpy as np
import scipy.fft

from genrescope.features import kernels
from genrescope.features.kernels import Doubles, Floats

TEMPOGRAM_S = 8.0  # length of the autocorrelation window
LIKELY_BPM = 120.0  # centre of the log-normal prior, one octave wide
FASTEST_BPM = 320.0
# Pulses beside the beat: its multiples and fractions, triplets and dotted values among them.
METRIC_RATIOS = tuple(Fraction(ratio) for ratio in (
    "4", "8/3", "3", "2", "4/3", "3/2", "1", "2/3", "3/4", "1/2", "1/3", "3/8", "1/4",
))  # fmt: skip
SHARPNESS = 1e6  # weighs the autocorrelation against the prior, on a logarithmic scale


def onset_strength(decibels: Floats, *, n_fft: int = 2048, hop_length: int = 512) -> Floats:
    """How much louder the sound became, over all mel bands.

    Parameters
    ----------
    decibels : numpy.ndarray [shape=(n_mels, frames)]
        From `genrescope.features.mel.mel_db`.
    n_fft, hop_length : int
        Of the spectrum, in samples: rises are dated to the end of the frame that shows them.

    Returns
    -------
    numpy.ndarray [shape=(frames,), dtype=float32]
        Mean rise in decibels per frame, from 0.

    Notes
    -----
    Böck & Widmer (2013), "Maximum filter vibrato suppression for onset detection", without the
    maximum filter.

    Examples
    --------
    >>> step = np.zeros((4, 8), np.float32)
    >>> step[:, 4:] = 10.0
    >>> onset_strength(step).tolist()
    [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 10.0, 0.0]
    """
    rises = decibels[:, 1:] - decibels[:, :-1]
    np.maximum(rises, 0.0, out=rises)
    onsets = np.zeros(decibels.shape[1], np.float32)
    delay = 1 + n_fft // (2 * hop_length)
    onsets[delay:] = rises.mean(axis=0)[: max(0, len(onsets) - delay)]
    return onsets


def periodicity(onsets: Floats, *, sample_rate: int = 22050, hop_length: int = 512) -> Doubles:
    """How well the onsets repeat after each lag: their autocorrelation, averaged over the clip.

    The autocorrelation is taken about every frame under a window of 8 s, each brought to 1 at lag
    0, and averaged.

    Parameters
    ----------
    onsets : numpy.ndarray [shape=(frames,)]
        From `onset_strength`.
    sample_rate : int
        Hertz.
    hop_length : int
        Samples from one frame to the next.

    Returns
    -------
    numpy.ndarray [shape=(lags,), dtype=float64]
        At lags of 0, 1, ... frames; at most 1, and 0 throughout where there are no onsets.

    Notes
    -----
    Grosche, Müller & Kurth (2010), "Cyclic tempogram": the mean of an autocorrelation tempogram.

    Examples
    --------
    >>> pulses = np.zeros(430, np.float32)
    >>> pulses[::43] = 1.0  # once a second, all but
    >>> strength = periodicity(pulses)
    >>> round(float(strength[0]), 3), int(strength[20:60].argmax()) + 20
    (1.0, 43)
    """
    window, _, _ = _tempo_tables(sample_rate, hop_length)
    return _mean_autocorrelation(onsets, window)


def tempo(
    onsets: Floats,
    *,
    sample_rate: int = 22050,
    hop_length: int = 512,
    strength: Doubles | None = None,
) -> float:
    """The beat's speed: the likeliest period in the onsets.

    Parameters
    ----------
    onsets : numpy.ndarray [shape=(frames,)]
        From `onset_strength`.
    sample_rate : int
        Hertz.
    hop_length : int
        Samples from one frame to the next.
    strength : numpy.ndarray [shape=(lags,)], optional
        The onsets' `periodicity`, where it is known already.

    Returns
    -------
    float
        Beats per minute, at most 320; about 120, the prior's centre, where nothing repeats.

    Notes
    -----
    Grosche, Müller & Kurth (2010), "Cyclic tempogram"; Ellis (2007), "Beat tracking by dynamic
    programming", for the log-normal prior.

    Examples
    --------
    >>> pulses = np.zeros(430, np.float32)
    >>> pulses[::43] = 1.0  # once a second, all but
    >>> round(tempo(pulses), 1)
    60.1
    """
    if strength is None:
        strength = periodicity(onsets, sample_rate=sample_rate, hop_length=hop_length)
    _, bpm, log_prior = _tempo_tables(sample_rate, hop_length)
    return float(bpm[np.argmax(np.log1p(SHARPNESS * strength) + log_prior)])


def tempogram_ratios(
    strength: Doubles, *, tempo_bpm: float, sample_rate: int = 22050, hop_length: int = 512
) -> Doubles:
    """How strong the pulses at multiples of the tempo are: which metre, which subdivision.

    Parameters
    ----------
    strength : numpy.ndarray [shape=(lags,)]
        From `periodicity`.
    tempo_bpm : float
        Beats per minute, from `tempo`.
    sample_rate : int
        Hertz.
    hop_length : int
        Samples from one frame to the next.

    Returns
    -------
    numpy.ndarray [shape=(13,), dtype=float64]
        The periodicity at `METRIC_RATIOS` times the tempo, linear between lags; 0 where that is
        slower than the longest lag or faster than the shortest.

    Notes
    -----
    Peeters (2005), "Rhythm classification using spectral rhythm patterns"; Prockup et al. (2015),
    "Modeling genre with the Music Genome Project", for the ratios.

    Examples
    --------
    >>> pulses = np.zeros(430, np.float32)
    >>> pulses[::43] = 1.0
    >>> found = tempogram_ratios(periodicity(pulses), tempo_bpm=60.1)
    >>> [round(float(found[METRIC_RATIOS.index(ratio)]), 1) for ratio in (2, 1, 0.5)]
    [0.1, 0.7, 0.5]
    """
    _, bpm, _ = _tempo_tables(sample_rate, hop_length)
    slowest_first = slice(None, 0, -1)  # lag 0 has no speed
    ratios: Doubles = np.interp(
        tempo_bpm * np.array([float(ratio) for ratio in METRIC_RATIOS]),
        bpm[slowest_first],
        strength[slowest_first],
        left=0.0,
        right=0.0,
    )
    return ratios


def _mean_autocorrelation(onsets: Floats, window: Doubles) -> Doubles:
    """Autocorrelation about each frame, 1 at lag 0, averaged [shape=(lags,)]."""
    size = len(window)
    # Frames are centred, and the course fades out on either side of the clip.
    side = size // 2
    fade = np.arange(side) / side
    ramped = np.concatenate([onsets[0] * fade, onsets, onsets[-1] * fade[::-1]])
    ramped = ramped[: len(onsets) + size - 1]
    # In double precision: the sharpness would turn rounding of single precision into beats.
    shortest = 2 * size - 1
    n_fft = 2 ** (shortest - 1).bit_length()
    if kernels.fits(n_fft):
        power = kernels.mean_frame_power(ramped, window, n_fft)
    else:
        n_fft = scipy.fft.next_fast_len(shortest, real=True)
        frames = np.lib.stride_tricks.sliding_window_view(ramped, size) * window
        transform = scipy.fft.rfft(frames, n=n_fft)
        energy = np.vecdot(frames, frames)
        share = 1 / np.where(energy > 0, energy, 1.0) / len(frames)
        power = share @ np.square(transform.real) + share @ np.square(transform.imag)
    # The transform is linear, so the mean of the autocorrelations needs only one way back.
    autocorrelation: Doubles = scipy.fft.irfft(power, n=n_fft)[:size]
    return autocorrelation


@lru_cache(maxsize=8)
def _tempo_tables(sample_rate: int, hop_length: int) -> tuple[Doubles, Doubles, Doubles]:
    """Window, beats per minute and logarithmic prior of each lag."""
    size = max(2, int(TEMPOGRAM_S * sample_rate) // hop_length)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    lags = np.arange(1, size)
    bpm = np.concatenate([[np.inf], 60 * sample_rate / hop_length / lags])
    with np.errstate(invalid="ignore"):
        log_prior = -0.5 * (np.log2(bpm) - np.log2(LIKELY_BPM)) ** 2
    log_prior[: np.argmax(bpm < FASTEST_BPM)] = -np.inf
    return window, bpm, log_prior
