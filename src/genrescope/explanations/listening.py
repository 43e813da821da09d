"""A map becomes sound: what of a clip it kept, and what it left out."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.signal import ShortTimeFFT, get_window

from genrescope.features.kernels import Doubles, Floats
from genrescope.features.mel import RANGE_DB, mel_weights
from genrescope.settings import AudioSettings, FeatureSettings

LARGEST_GAIN = 10.0  # 20 dB: what is all but silent is not blown up into noise
PEAK = 0.99
SILENT = 1e-4  # of the clip's loudness: -80 dB


@dataclass(frozen=True)
class Listening:
    """The two parts of a clip that a mask makes.

    Attributes
    ----------
    kept, left_out : numpy.ndarray [shape=(n,), dtype=float32]
        Samples at the clip's loudness; before `kept_gain` and `left_out_gain` they add up to it.
    kept_gain, left_out_gain : float
        What each was multiplied by.
    """

    kept: Floats
    left_out: Floats
    kept_gain: float
    left_out_gain: float


def listen(
    y: npt.NDArray[np.floating],
    mask: npt.NDArray[np.floating],
    *,
    audio: AudioSettings | None = None,
    features: FeatureSettings | None = None,
) -> Listening:
    """Divide a clip into what a mask over its log-mel spectrogram keeps and what it leaves out.

    The mask is brought from mel bands to the bins of a short-time Fourier transform, each bin with
    the mean of the bands it feeds, and from the spectrogram's frames to the transform's. It
    multiplies the complex spectrum, phase and all, which is then inverted: a mask of ones gives
    the clip back.

    Parameters
    ----------
    y : numpy.ndarray [shape=(n,)]
        The clip's samples.
    mask : numpy.ndarray [shape=(n_mels, frames)]
        From 0, nothing, to 1, everything.
    audio, features : AudioSettings, FeatureSettings, optional
        How the spectrogram was made.

    Returns
    -------
    Listening

    Raises
    ------
    ValueError
        Where the mask has another shape than the settings say, or leaves 0 to 1.

    Examples
    --------
    >>> seconds = np.arange(110250) / 22050
    >>> low, high = (np.sin(2 * np.pi * hertz * seconds) for hertz in (200, 5000))
    >>> mask = np.zeros((128, 128))
    >>> mask[:60] = 1.0  # up to some 1,700 Hz
    >>> parts = listen(low + high, mask)
    >>> inside = slice(5000, -5000)
    >>> bool(np.abs(parts.kept / parts.kept_gain - low)[inside].max() < 0.01)
    True
    """
    audio, features = audio or AudioSettings(), features or FeatureSettings()
    if mask.shape != (features.n_mels, features.frames):
        raise ValueError(f"the mask has shape {mask.shape}, not that of the spectrogram")
    if mask.min() < 0 or mask.max() > 1:
        raise ValueError(f"the mask has values from {mask.min():g} to {mask.max():g}, not 0 to 1")
    transform = ShortTimeFFT(
        get_window("hann", features.n_fft), features.hop_length, fs=audio.sample_rate
    )
    samples = np.asarray(y, dtype=np.float64)
    spectrum = transform.stft(samples)
    times_s = transform.t(len(samples))
    weights = _over_bins(mask, audio, features) @ _over_frames(times_s, audio, features)
    kept: Doubles = transform.istft(spectrum * weights, k1=len(samples)).real
    loudness = _rms(samples)
    parts = [(part, _gain(part, loudness)) for part in (kept, samples - kept)]
    sounds = [(part * gain).astype(np.float32) for part, gain in parts]
    return Listening(sounds[0], sounds[1], parts[0][1], parts[1][1])


def masked_log_mel(
    log_mel: npt.NDArray[np.floating],
    mask: npt.NDArray[np.floating],
    *,
    features: FeatureSettings | None = None,
) -> Floats:
    """What a clip's log-mel spectrogram becomes under a mask: what is heard, for the network.

    Parameters
    ----------
    log_mel : numpy.ndarray [shape=(n_mels, frames)]
        Decibels.
    mask : numpy.ndarray [shape=(n_mels, frames)]
        Factors of the amplitude, from 0 to 1.
    features : FeatureSettings, optional
        How the spectrogram was made.

    Returns
    -------
    numpy.ndarray [shape=(n_mels, frames), dtype=float32]
        Decibels, no less than 80 below the loudest, which with `mel_reference` "max" is 0 again.

    Examples
    --------
    >>> masked_log_mel(np.array([[0.0, -10.0, -20.0]]), np.array([[0.0, 1.0, 0.1]])).tolist()
    [[-80.0, 0.0, -30.0]]
    """
    features = features or FeatureSettings()
    with np.errstate(divide="ignore"):
        decibels = log_mel + 20 * np.log10(mask.astype(np.float64))
    loudest = float(decibels.max())
    if not np.isfinite(loudest):
        return np.full(log_mel.shape, log_mel.min(), np.float32)
    decibels = np.maximum(decibels, loudest - RANGE_DB)
    reference = loudest if features.mel_reference == "max" else 0.0
    masked: Floats = (decibels - reference).astype(np.float32)
    return masked


def mask_of(values: npt.NDArray[np.floating]) -> Floats:
    """A mask from a map: what speaks for the genre, the strongest place at 1.

    Parameters
    ----------
    values : numpy.ndarray [shape=(n_mels, frames)]
        What lies below 0 is left out.

    Returns
    -------
    numpy.ndarray [shape=(n_mels, frames), dtype=float32]
        0 throughout where nothing speaks for it.

    Examples
    --------
    >>> mask_of(np.array([[-1.0, 0.0], [1.0, 4.0]])).tolist()
    [[0.0, 0.0], [0.25, 1.0]]
    """
    positive = np.maximum(values, 0.0)
    strongest = float(positive.max(initial=0.0))
    mask: Floats = (positive / (strongest or 1.0)).astype(np.float32)
    return mask


def _over_bins(
    mask: npt.NDArray[np.floating], audio: AudioSettings, features: FeatureSettings
) -> Doubles:
    """The mask of each bin [shape=(1 + n_fft // 2, frames)]."""
    weights = mel_weights(audio.sample_rate, features.n_fft, features.n_mels).astype(np.float64)
    total = weights.sum(axis=0)
    bins: Doubles = weights.T @ mask
    fed = np.flatnonzero(total > 0)
    bins[fed] /= total[fed, np.newaxis]
    # 0 Hz and the top bin, and bins between narrow bands, feed none: they go with the nearest.
    nearest = fed[np.abs(np.arange(len(bins))[:, np.newaxis] - fed).argmin(axis=1)]
    filled: Doubles = bins[nearest]
    return filled


def _over_frames(times_s: Doubles, audio: AudioSettings, features: FeatureSettings) -> Doubles:
    """Share of each frame of the mask at each time, linear between them [shape=(frames, times)]."""
    if features.frame_fit == "crop":
        places = times_s * audio.sample_rate / features.hop_length
    else:
        n_frames = 1 + audio.clip_samples // features.hop_length
        ratio = features.frames / n_frames
        places = (times_s * audio.sample_rate / features.hop_length + 0.5) * ratio - 0.5
    places = np.clip(places, 0, features.frames - 1)
    distance = np.abs(np.arange(features.frames)[:, np.newaxis] - places)
    return np.maximum(1.0 - distance, 0.0)


def _gain(part: Doubles, loudness: float) -> float:
    """What brings a part to the clip's loudness without reaching full scale."""
    own, peak = _rms(part), float(np.abs(part).max(initial=0.0))
    if own <= SILENT * loudness:
        return 1.0
    return min(loudness / own, LARGEST_GAIN, max(PEAK / peak, 1.0))


def _rms(y: Doubles) -> float:
    return float(np.sqrt(np.mean(np.square(y))))
