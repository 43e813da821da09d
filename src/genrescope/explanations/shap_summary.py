"""What Shapley values of many clips come to, added up some clips at a time."""

from collections.abc import Sequence
from math import fsum
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from genrescope.explanations.families import FAMILIES, family_of

if TYPE_CHECKING:
    from genrescope.explanations.shapley import ShapValues

FloatArray = npt.NDArray[np.float64]


class ShapSummary:
    """Means and extremes of Shapley values, whatever parts they come in.

    Sums go clip by clip, so that they are the same to the last bit however the clips are divided.

    Parameters
    ----------
    features : sequence of str
        In the model's order.
    classes : sequence of str
        The model's classes.

    Attributes
    ----------
    n : int
        Clips so far.
    residual : float
        Largest gap, over clips and classes, between values plus baseline and the answers.

    Examples
    --------
    >>> from genrescope.explanations.shapley import ShapValues
    >>> summary = ShapSummary(["tempo"], ["slow", "fast"])
    >>> for value in (1.0, -3.0):
    ...     values = np.array([[[value, -value]]])
    ...     data, classes = pd.DataFrame({"tempo": [value]}), ("slow", "fast")
    ...     summary.add(ShapValues(values, np.zeros(2), data, classes, values[0], "margin"))
    >>> summary.n, summary.per_class().loc["tempo", "slow"].item()
    (2, 2.0)
    """

    def __init__(self, features: Sequence[str], classes: Sequence[str]) -> None:
        self.features, self.classes = list(features), list(classes)
        of_feature = np.array([family_of(name) for name in self.features])
        self._places = {
            family: np.flatnonzero(of_feature == family)
            for family in FAMILIES
            if family in of_feature
        }
        self.n, self.residual = 0, 0.0
        self._sums = np.zeros((len(self.features), len(self.classes)))
        self._family_sums = np.zeros((len(self._places), len(self.classes)))
        self._squares: list[float] = []
        self._squared_errors: list[float] = []

    def add(self, part: "ShapValues") -> None:
        """Take some more clips in."""
        values = part.values  # noqa: PD011
        self.n += len(values)
        self._sums = _continued(self._sums, np.abs(values))
        of_families = [values[:, places].sum(axis=1) for places in self._places.values()]
        self._family_sums = _continued(self._family_sums, np.abs(np.stack(of_families, axis=1)))
        gaps = np.abs(values.sum(axis=1) + part.baseline - part.answers)
        self.residual = max(self.residual, float(gaps.max(initial=0.0)))
        if part.errors is not None:
            self._squares += [float((one**2).sum()) for one in values]
            self._squared_errors += [float((one**2).sum()) for one in part.errors]

    def per_class(self) -> pd.DataFrame:
        """Mean absolute value of each feature for each class, over the clips.

        Returns
        -------
        DataFrame [shape=(n_features, n_classes)]
            Rows are features in the model's order, columns classes.
        """
        return self._means(self._sums, pd.Index(self.features, name="feature"))

    def families(self) -> pd.DataFrame:
        """Mean absolute contribution of each musical family for each class, over the clips.

        The values of a family's features are summed clip by clip, signs and all, so that with the
        baseline the families add up to the answer as the features do.

        Returns
        -------
        DataFrame [shape=(n_families, n_classes)]
        """
        return self._means(self._family_sums, pd.Index(list(self._places), name="family"))

    def top(self, n: int = 10) -> pd.DataFrame:
        """Give the features that matter most: mean absolute value over clips, then over classes.

        Parameters
        ----------
        n : int
            How many at most.

        Returns
        -------
        DataFrame [shape=(n, 2)]
            Columns `feature`, `mean_abs_shap`, largest first; equals in the model's order.
        """
        ranking = self.per_class().mean(axis=1).sort_values(ascending=False, kind="stable")
        return ranking.head(n).rename("mean_abs_shap").reset_index()

    @property
    def sampling_error(self) -> float | None:
        """Root mean square of the standard errors over that of the values; None where exact."""
        if not self._squared_errors:
            return None
        size = fsum(self._squares)
        return float(np.sqrt(fsum(self._squared_errors) / size)) if size else 0.0

    def _means(self, sums: FloatArray, index: "pd.Index[str]") -> pd.DataFrame:
        means = sums / self.n if self.n else np.full_like(sums, np.nan)
        return pd.DataFrame(means, index=index, columns=pd.Index(self.classes))


def _continued(sums: FloatArray, values: FloatArray) -> FloatArray:
    """Go on with sums over clips, one clip after the other as numpy does along the first axis."""
    total: FloatArray = np.concatenate([sums[np.newaxis], values]).sum(axis=0)
    return total
