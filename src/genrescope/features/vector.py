"""The features by name, and their extraction together with the log-mel picture."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from genrescope.errors import ConfigError
from genrescope.features.chroma import N_CHROMA
from genrescope.features.contrast import LOWEST_HZ, N_CONTRAST
from genrescope.features.courses import Courses, trace
from genrescope.features.extended import extended_features, extended_names
from genrescope.features.frames import spectrum
from genrescope.features.kernels import Doubles, Floats
from genrescope.features.logmel import log_mel
from genrescope.features.mel import mel_db
from genrescope.features.modulation import RATES_HZ
from genrescope.settings import AudioSettings, FeatureSettings

SCALARS = ("spec_cent", "spec_bw", "spec_roll", "zcr", "rms")


def feature_names(features: FeatureSettings | None = None) -> tuple[str, ...]:
    """Names of the features, in the order of the vector.

    Parameters
    ----------
    features : FeatureSettings, optional
        Only `set` and `n_mfcc` matter.

    Returns
    -------
    tuple of str
        The paper's 75 with the default settings, `2 * n_mfcc + 35`; with the extended set
        `genrescope.features.extended.extended_names` behind them.

    Examples
    --------
    >>> names = feature_names()
    >>> len(names), names[0], names[40], names[-1]
    (75, 'mfcc_mean_0', 'chroma_mean_0', 'tempo')
    >>> extended = feature_names(FeatureSettings(set="extended"))
    >>> len(extended), extended[:75] == names
    (182, True)
    """
    features = features or FeatureSettings()
    n_mfcc = features.n_mfcc
    names = [
        f"{quantity}_{statistic}_{k}"
        for quantity, count in (("mfcc", n_mfcc), ("chroma", N_CHROMA))
        for statistic in ("mean", "std")
        for k in range(count)
    ]
    names += [f"{quantity}_{statistic}" for quantity in SCALARS for statistic in ("mean", "std")]
    return (*names, "tempo", *(extended_names(n_mfcc) if features.set == "extended" else ()))


FEATURE_NAMES = feature_names()


class Features(NamedTuple):
    """What is extracted from clips.

    Attributes
    ----------
    vectors : numpy.ndarray [shape=(n_clips, n_features), dtype=float32]
        Columns as `feature_names` says; no clips where they were not asked for.
    log_mels : numpy.ndarray [shape=(n_clips, n_mels, frames), dtype=float32]
        Decibels; no clips where they were not asked for.
    """

    vectors: Floats
    log_mels: Floats


def extract(
    waveforms: npt.NDArray[np.floating],
    *,
    audio: AudioSettings | None = None,
    features: FeatureSettings | None = None,
    vectors: bool = True,
    log_mels: bool = True,
) -> Features:
    """Compute the feature vectors and log-mel pictures of clips.

    Parameters
    ----------
    waveforms : numpy.ndarray [shape=(n_clips, clip_samples)]
        Clips as `genrescope.audio.fit.load_clip` gives them.
    audio : AudioSettings, optional
        Sample rate and clip length.
    features : FeatureSettings, optional
        Frames, bands, and how the picture is made.
    vectors, log_mels : bool
        Which of the two are wanted.

    Returns
    -------
    Features
        In the order of the clips; each clip's numbers depend on nothing but the clip.

    Raises
    ------
    ValueError
        Where `waveforms` does not have the shape the settings say.
    AudioError
        `non-finite` where a sample is NaN or infinite.
    ConfigError
        Where the settings contradict each other.

    Notes
    -----
    Means and standard deviations are over the clip's frames, the latter with n in the divisor.

    Examples
    --------
    >>> tone = np.sin(2 * np.pi * 440 * np.arange(110250) / 22050)
    >>> found = extract(tone[np.newaxis])
    >>> found.vectors.shape, found.log_mels.shape
    ((1, 75), (1, 128, 128))
    >>> round(float(found.vectors[0, FEATURE_NAMES.index("spec_cent_mean")]), -1)
    440.0
    """
    audio, features = audio or AudioSettings(), features or FeatureSettings()
    check_settings(audio, features)
    if waveforms.ndim != 2 or waveforms.shape[1] != audio.clip_samples:
        raise ValueError(
            f"waveforms have shape {waveforms.shape}, it should be (n, {audio.clip_samples})"
        )
    n_vectors, n_pictures = (len(waveforms) if wanted else 0 for wanted in (vectors, log_mels))
    found = Features(
        np.empty((n_vectors, len(feature_names(features))), np.float32),
        np.empty((n_pictures, features.n_mels, features.frames), np.float32),
    )
    for row, waveform in enumerate(waveforms):
        clip = spectrum(
            waveform,
            sample_rate=audio.sample_rate,
            n_fft=features.n_fft,
            hop_length=features.hop_length,
        )
        decibels = mel_db(clip, n_mels=features.n_mels)
        if vectors:
            courses = trace(clip, decibels, n_mfcc=features.n_mfcc)
            parts = [_statistics(courses)]
            if features.set == "extended":
                parts.append(extended_features(clip, courses))
            found.vectors[row] = np.concatenate(parts)
        if log_mels:
            found.log_mels[row] = log_mel(
                decibels,
                frames=features.frames,
                frame_fit=features.frame_fit,
                mel_reference=features.mel_reference,
            )
    return found


def check_settings(audio: AudioSettings, features: FeatureSettings) -> None:
    """Refuse settings that contradict each other.

    Raises
    ------
    ConfigError
        Naming the setting to change.

    Examples
    --------
    >>> check_settings(AudioSettings(), FeatureSettings())
    """
    if features.n_mfcc > features.n_mels:
        raise ConfigError(
            f"n_mfcc is {features.n_mfcc}, it cannot be more than n_mels ({features.n_mels})"
        )
    if features.hop_length > features.n_fft:
        raise ConfigError(
            f"hop_length is {features.hop_length}, it cannot be more than n_fft "
            f"({features.n_fft}): sound between the frames would be lost"
        )
    if features.set == "extended":
        _check_extended(audio, features)
    n_frames = 1 + audio.clip_samples // features.hop_length
    if features.frame_fit == "crop" and n_frames < features.frames:
        raise ConfigError(
            f"frame_fit crop keeps {features.frames} frames, but clips of {audio.clip_seconds:g} s "
            f"have {n_frames}; use frame_fit resize, or fewer frames"
        )


def _check_extended(audio: AudioSettings, features: FeatureSettings) -> None:
    rate, slowest = audio.sample_rate, 2 * RATES_HZ[-1]
    octaves_hz = LOWEST_HZ * 2 ** (N_CONTRAST - 2)
    if rate <= 2 * octaves_hz:
        raise ConfigError(
            f"sample_rate is {rate}, the extended features take more than {2 * octaves_hz:g} Hz"
        )
    if rate / features.n_fft > LOWEST_HZ:
        raise ConfigError(
            f"n_fft is {features.n_fft}, the extended features take {-(-rate // int(LOWEST_HZ))} "
            f"at {rate} Hz"
        )
    if rate / features.hop_length < slowest:
        raise ConfigError(
            f"hop_length is {features.hop_length}, the extended features take {rate // slowest} at "
            f"most at {rate} Hz: {slowest} frames a second"
        )


def _statistics(courses: Courses) -> Doubles:
    """The paper's features of one clip [shape=(2 * n_mfcc + 35,)]."""
    n_mfcc, n_frames = courses.mfcc.shape
    rows = np.empty((n_mfcc + N_CHROMA + len(SCALARS), n_frames))
    rows[:n_mfcc] = courses.mfcc
    rows[n_mfcc : n_mfcc + N_CHROMA] = courses.chroma
    rows[n_mfcc + N_CHROMA :] = [courses.scalars[name] for name in SCALARS]
    means, deviations = rows.mean(axis=1), rows.std(axis=1)
    parts = []
    for part in (slice(n_mfcc), slice(n_mfcc, n_mfcc + N_CHROMA)):
        parts += [means[part], deviations[part]]
    interleaved = np.stack([means, deviations], axis=1)[n_mfcc + N_CHROMA :].ravel()
    return np.concatenate([*parts, interleaved, [courses.tempo]])
