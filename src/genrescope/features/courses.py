"""What the features of a clip are made of: one course of values per quantity, computed once."""

from dataclasses import dataclass

from genrescope.features import spectral
from genrescope.features.chroma import chroma
from genrescope.features.frames import Spectrum
from genrescope.features.kernels import Doubles, Floats
from genrescope.features.mel import mfcc
from genrescope.features.rhythm import onset_strength, periodicity, tempo


@dataclass(frozen=True)
class Courses:
    """The course of each quantity over a clip's frames, and what is known of its beat.

    Attributes
    ----------
    mfcc : numpy.ndarray [shape=(n_mfcc, frames)]
    chroma : numpy.ndarray [shape=(12, frames)]
    scalars : dict of str to numpy.ndarray [shape=(frames,)]
        `spec_cent`, `spec_bw`, `spec_roll`, `zcr` and `rms`, in this order.
    onsets : numpy.ndarray [shape=(frames,)]
        From `genrescope.features.rhythm.onset_strength`.
    periodicity : numpy.ndarray [shape=(lags,)]
        Of the onsets.
    tempo : float
        Beats per minute.
    """

    mfcc: Floats
    chroma: Floats
    scalars: dict[str, Doubles]
    onsets: Floats
    periodicity: Doubles
    tempo: float


def trace(clip: Spectrum, decibels: Floats, *, n_mfcc: int) -> Courses:
    """Compute the courses of a clip.

    Parameters
    ----------
    clip : Spectrum
        From `genrescope.features.frames.spectrum`.
    decibels : numpy.ndarray [shape=(n_mels, frames)]
        From `genrescope.features.mel.mel_db`.
    n_mfcc : int
        Cepstral coefficients.

    Returns
    -------
    Courses
    """
    grid = {"sample_rate": clip.sample_rate, "hop_length": clip.hop_length}
    onsets = onset_strength(decibels, n_fft=clip.n_fft, hop_length=clip.hop_length)
    strength = periodicity(onsets, **grid)
    shape = spectral.spectral_shape(clip)
    return Courses(
        mfcc=mfcc(decibels, n_mfcc=n_mfcc),
        chroma=chroma(clip),
        scalars={
            "spec_cent": spectral.spectral_centroid(shape),
            "spec_bw": spectral.spectral_bandwidth(shape),
            "spec_roll": spectral.spectral_rolloff(clip, shape),
            "zcr": spectral.zero_crossing_rate(clip),
            "rms": spectral.rms(clip),
        },
        onsets=onsets,
        periodicity=strength,
        tempo=tempo(onsets, **grid, strength=strength),
    )
