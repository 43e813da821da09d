"""Resamples and random divisions of the groups of two corpora, as weights of their clips."""

from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from genrescope.evaluation.counts import resample_weights


class Sides(NamedTuple):
    """The clips of two corpora in one row, the source's first.

    Attributes
    ----------
    is_target : numpy.ndarray of bool [shape=(n,)]
    groups : numpy.ndarray of int [shape=(n,)]
        Group of each clip, counted from 0; no group is on both sides.
    """

    is_target: npt.NDArray[np.bool_]
    groups: npt.NDArray[np.intp]

    @classmethod
    def from_groups(cls, source: Any, target: Any) -> Self:
        """Number the groups of both sides.

        Parameters
        ----------
        source, target : array-like [shape=(n,)]
            Group of each clip. A name on both sides is two groups: each side is resampled by
            itself.

        Examples
        --------
        >>> Sides.from_groups(["b", "a"], ["a", "c"]).groups.tolist()
        [1, 0, 2, 3]
        """
        codes = [np.unique(np.asarray(names), return_inverse=True)[1] for names in (source, target)]
        is_target = np.repeat([False, True], [len(code) for code in codes])
        codes[1] = codes[1] + codes[0].max(initial=-1) + 1
        return cls(is_target, np.concatenate(codes))

    @property
    def group_side(self) -> npt.NDArray[np.bool_]:
        """Whether each group is of the target [shape=(n_groups,)]."""
        found = np.zeros(self.groups.max(initial=-1) + 1, dtype=bool)
        found[self.groups] = self.is_target
        return found

    def resamples(self, n_resamples: int, *, seed: int) -> npt.NDArray[np.float64]:
        """How often each clip is drawn where whole groups of each side are drawn with replacement.

        Returns
        -------
        numpy.ndarray [shape=(1 + n_resamples, n)]
            The first row is 1 throughout: what was measured. It is the only one with fewer than
            two groups on a side, or without resamples.

        Examples
        --------
        >>> draws = Sides.from_groups(["a", "a", "b"], ["a", "b"]).resamples(3, seed=0)
        >>> draws.shape, bool((draws[:, 0] == draws[:, 1]).all())
        ((4, 5), True)
        """
        of_target = self.group_side
        sizes = [int((~of_target).sum()), int(of_target.sum())]
        measured = np.ones((1, len(self.groups)))
        if min(sizes) < 2 or not n_resamples:
            return measured
        # Two streams from one seed: the same draws on both sides would pair what is not paired.
        streams = np.random.SeedSequence(seed).generate_state(2)
        drawn = [
            np.concatenate(list(resample_weights(size, n_resamples, seed=int(stream))))
            for size, stream in zip(sizes, streams, strict=True)
        ]
        return np.concatenate([measured, np.concatenate(drawn, axis=1)[:, self.groups]])

    def divisions(self, n_divisions: int, *, seed: int) -> npt.NDArray[np.bool_]:
        """Random divisions of all groups into as many as each side has.

        Returns
        -------
        numpy.ndarray of bool [shape=(n_divisions, n)]
            Which clips are in the target's place.

        Examples
        --------
        >>> sides = Sides.from_groups(["a", "b"], ["c", "d"])
        >>> sides.divisions(3, seed=0).sum(axis=1).tolist()
        [2, 2, 2]
        """
        rng = np.random.default_rng(seed)
        labels = np.tile(self.group_side, (n_divisions, 1))
        return rng.permuted(labels, axis=1)[:, self.groups]
