"""Deep CORAL: training that makes the hidden values of two corpora vary alike."""

import numpy as np
import numpy.typing as npt
import torch

from genrescope.features.log_mels import LogMels


def coral_loss(source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """How differently the hidden values of two batches vary together.

    `||C_s - C_t||^2 / (4 d^2)`, the squared Frobenius norm of the difference of the covariances
    of d values: Sun and Saenko 2016, "Deep CORAL: Correlation alignment for deep domain
    adaptation", equations 1 to 3.

    Parameters
    ----------
    source, target : torch.Tensor [shape=(n, d)]

    Returns
    -------
    torch.Tensor
        0 where either batch has fewer than two clips.

    Examples
    --------
    >>> source = torch.tensor([[0.0, 0.0], [2.0, 0.0]])
    >>> float(coral_loss(source, source + 5)), float(coral_loss(source, 0 * source))
    (0.0, 0.25)
    """
    if min(len(source), len(target)) < 2:
        return source.new_zeros(())
    difference = torch.cov(source.T) - torch.cov(target.T)
    return difference.square().sum() / (4 * source.shape[1] ** 2)


class TargetClips:
    """Unlabelled clips, dealt out in an order drawn anew each time all have been seen.

    Parameters
    ----------
    maps : array or LogMels [shape=(n, n_mels, frames)]
        May lie on disk.
    rng : numpy.random.Generator

    Examples
    --------
    >>> clips = TargetClips(np.zeros((3, 8, 8), np.float32), np.random.default_rng(0))
    >>> clips.draw(7).shape
    (7, 8, 8)
    """

    def __init__(self, maps: npt.NDArray[np.floating] | LogMels, rng: np.random.Generator) -> None:
        self.maps = maps
        self.rng = rng
        self.waiting = np.array([], dtype=np.int64)

    def draw(self, n: int) -> npt.NDArray[np.float32]:
        """Read the next clips [shape=(n, n_mels, frames)]."""
        while len(self.waiting) < n:
            self.waiting = np.append(self.waiting, self.rng.permutation(len(self.maps)))
        batch, self.waiting = self.waiting[:n], self.waiting[n:]
        return np.asarray(self.maps[np.sort(batch)], dtype=np.float32)
