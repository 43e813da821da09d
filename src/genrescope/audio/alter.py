"""Changing one thing about a clip: its length, its band, its level, the instruments in it."""

from typing import Literal

import numpy as np
import numpy.typing as npt

from genrescope.audio.fit import fit

Waveform = npt.NDArray[np.float32]
Part = Literal["bass", "drums", "harmonic", "high"]

ORDER = 8  # of the low-pass; twice, forwards and backwards, 96 dB per octave
N_FFT, HOP = 2048, 512  # samples
MEDIAN_FRAMES, MEDIAN_BINS = 17, 17  # some 0.4 s and 180 Hz at 22,050 Hz
BASS_HZ = (20.0, 250.0)
HIGH_HZ = (1000.0, 20_000.0)


def shorten(
    y: npt.NDArray[np.floating], *, samples: int, how: Literal["loop", "pad"] = "loop"
) -> Waveform:
    """Keep the beginning of a clip and fit it to the clip's length again.

    Parameters
    ----------
    y : numpy.ndarray [shape=(n,)]
        The clip.
    samples : int
        How much is kept; nothing changes where that is the whole clip.
    how : {"loop", "pad"}
        Repeat what is kept, or let silence follow it.

    Returns
    -------
    numpy.ndarray [shape=(n,), dtype=float32]

    Raises
    ------
    ValueError
        Where nothing would be kept.

    Examples
    --------
    >>> shorten(np.array([1.0, 2.0, 3.0, 4.0, 5.0]), samples=2).tolist()
    [1.0, 2.0, 1.0, 2.0, 1.0]
    >>> shorten(np.array([1.0, 2.0, 3.0, 4.0, 5.0]), samples=2, how="pad").tolist()
    [1.0, 2.0, 0.0, 0.0, 0.0]
    """
    if samples < 1:
        raise ValueError(f"{samples} samples of a clip are nothing")
    return fit(np.asarray(y[:samples], dtype=np.float32), samples=len(y), how=how)


def limit_band(
    y: npt.NDArray[np.floating],
    *,
    highest_hz: float,
    sample_rate: int = 22050,
    floor_db: float | None = None,
    seed: int = 0,
) -> Waveform:
    """Take away what lies above a frequency, as a narrow recording does.

    A Butterworth low-pass forwards and backwards: no delay, 6 dB down at the frequency, 96 dB per
    octave.

    Parameters
    ----------
    y : numpy.ndarray [shape=(n,)]
    highest_hz : float
        Hertz; from half of the sample rate on nothing is taken away.
    sample_rate : int
        Hertz.
    floor_db : float, optional
        Level of white noise that is added, in dB below full scale (RMS), so that corpora share a
        noise floor.
    seed : int
        Of the noise.

    Returns
    -------
    numpy.ndarray [shape=(n,), dtype=float32]

    Raises
    ------
    ValueError
        Where the frequency is not above 0.

    Examples
    --------
    >>> time_s = np.arange(22050) / 22050
    >>> low, high = (np.sin(2 * np.pi * hertz * time_s) for hertz in (500, 8000))
    >>> kept = limit_band(low + high, highest_hz=2000)
    >>> bool(np.abs(kept - low)[2000:-2000].max() < 0.001)
    True
    """
    if highest_hz <= 0:
        raise ValueError(f"a band up to {highest_hz:g} Hz is empty")
    limited = np.asarray(y, dtype=np.float64)
    if highest_hz < sample_rate / 2:
        from scipy.signal import butter, sosfiltfilt  # a second, which few processes need

        low_pass = butter(ORDER, highest_hz, fs=sample_rate, output="sos")
        limited = sosfiltfilt(low_pass, limited)
    if floor_db is not None:
        noise = np.random.default_rng(seed).normal(size=len(limited))
        limited = limited + 10 ** (floor_db / 20) * noise
    return limited.astype(np.float32)


def change_level(y: npt.NDArray[np.floating], *, gain_db: float) -> Waveform:
    """Make a clip louder or quieter.

    Parameters
    ----------
    y : numpy.ndarray [shape=(n,)]
    gain_db : float
        Decibels.

    Returns
    -------
    numpy.ndarray [shape=(n,), dtype=float32]
        It may pass full scale: floating-point samples lose nothing there.

    Examples
    --------
    >>> change_level(np.array([0.1, -0.1]), gain_db=20.0).round(3).tolist()
    [1.0, -1.0]
    """
    gain = 10 ** (gain_db / 20)
    return (np.asarray(y, dtype=np.float64) * gain).astype(np.float32)


def stem_like(y: npt.NDArray[np.floating], part: Part, *, sample_rate: int = 22050) -> Waveform:
    """A part of a mix that sounds more like one instrument, where no real stems are at hand.

    Harmonic and percussive sound are told apart by median filters along time and frequency:
    Fitzgerald 2010, "Harmonic/percussive separation using median filtering", with soft masks of
    the squared medians. It is no separation of instruments: voices and other instruments of the
    same kind stay together.

    Parameters
    ----------
    y : numpy.ndarray [shape=(n,)]
    part : {"bass", "drums", "harmonic", "high"}
        Harmonic sound from 20 to 250 Hz; percussive sound; harmonic sound above 250 Hz; harmonic
        sound above 1 kHz.
    sample_rate : int
        Hertz.

    Returns
    -------
    numpy.ndarray [shape=(n,), dtype=float32]

    Raises
    ------
    ValueError
        Where there is no such part.

    Examples
    --------
    >>> time_s = np.arange(22050) / 22050
    >>> tone, clicks = np.sin(2 * np.pi * 440 * time_s), np.zeros(22050)
    >>> clicks[::5000] = 1.0
    >>> drums = stem_like(tone + clicks, "drums")
    >>> bool(abs(drums[5000]) > 0.5), bool(np.abs(drums[2000:4500]).max() < 0.1)
    (True, True)
    """
    bands = {
        "bass": BASS_HZ,
        "drums": (0.0, np.inf),
        "harmonic": (BASS_HZ[1], np.inf),
        "high": HIGH_HZ,
    }
    if part not in bands:
        raise ValueError(f"there is no part {part!r}: {', '.join(bands)}")
    from scipy.signal import ShortTimeFFT, get_window

    transform = ShortTimeFFT(get_window("hann", N_FFT), HOP, fs=sample_rate)
    samples = np.asarray(y, dtype=np.float64)
    spectrum = transform.stft(samples)
    magnitude = np.abs(spectrum)
    lasting = np.square(_row_medians(magnitude, MEDIAN_FRAMES))
    struck = np.square(_row_medians(magnitude.T, MEDIAN_BINS).T)
    kept = struck if part == "drums" else lasting
    total = lasting + struck
    mask = np.divide(kept, total, out=np.zeros_like(total), where=total > 0)
    low, high = bands[part]
    inside = (transform.f >= low) & (transform.f < high)
    heard = transform.istft(spectrum * mask * inside[:, np.newaxis], k1=len(samples))
    return heard.real.astype(np.float32)


def _row_medians(table: npt.NDArray[np.float64], size: int) -> npt.NDArray[np.float64]:
    """Running medians along rows, mirrored at their ends: scipy's, in a sixth of its time.

    scipy is quick along one dimension only, so the mirrored rows are laid end to end.
    """
    from scipy.ndimage import median_filter

    margin = size // 2
    rows = np.pad(table, ((0, 0), (margin, margin)), mode="symmetric")
    medians: npt.NDArray[np.float64] = median_filter(rows.ravel(), size=size)
    return medians.reshape(rows.shape)[:, margin : rows.shape[1] - margin]
