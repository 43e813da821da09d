"""How often notes begin."""

import numpy as np
import numpy.typing as npt
from scipy.ndimage import maximum_filter1d

from genrescope.features.kernels import Floats

# In seconds, and as a share of the strongest onset: librosa's, from a search over annotated music.
PEAK_BEFORE_S, MEAN_AROUND_S, PAUSE_S = 0.03, 0.10, 0.03
ABOVE_MEAN = 0.07


def onset_frames(
    onsets: Floats, *, sample_rate: int = 22050, hop_length: int = 512
) -> npt.NDArray[np.intp]:
    """The frames at which notes begin: peaks of the onset strength well above their surroundings.

    Parameters
    ----------
    onsets : numpy.ndarray [shape=(frames,)]
        From `genrescope.features.rhythm.onset_strength`.
    sample_rate : int
        Hertz.
    hop_length : int
        Samples from one frame to the next.

    Returns
    -------
    numpy.ndarray [shape=(n,), dtype=intp]
        Rising; none where the onsets are constant.

    Notes
    -----
    Böck, Krebs & Schedl (2012), "Evaluating the online capabilities of onset detection methods": a
    frame is a peak where it is the largest of the last 30 ms, exceeds the mean of 100 ms before and
    after it by 7% of the clip's range, and lies 30 ms behind the last one.

    Examples
    --------
    >>> onsets = np.zeros(100, np.float32)
    >>> onsets[[20, 21, 60]] = 1.0, 0.9, 0.5
    >>> onset_frames(onsets).tolist()
    [20, 60]
    """
    range_ = np.ptp(onsets)
    if range_ == 0:
        return np.empty(0, np.intp)
    scaled = ((onsets - onsets.min()) / range_).astype(np.float64)
    before, around, pause = (
        int(seconds * sample_rate // hop_length)
        for seconds in (PEAK_BEFORE_S, MEAN_AROUND_S, PAUSE_S)
    )
    # The filter's window is centred on, or just behind, the middle: move it to end at its frame.
    highest = maximum_filter1d(scaled, before + 1, mode="nearest", origin=before // 2)
    running = np.concatenate([[0.0], np.cumsum(scaled)])
    frame = np.arange(len(scaled))
    first, end = np.maximum(frame - around, 0), np.minimum(frame + around + 1, len(scaled))
    mean = (running[end] - running[first]) / (end - first)
    peaks = np.flatnonzero((scaled == highest) & (scaled >= mean + ABOVE_MEAN))
    kept: list[int] = []
    for peak in peaks:
        if not kept or peak - kept[-1] > pause:
            kept.append(int(peak))
    return np.array(kept, np.intp)
