"""A cost as a function of the number of clips: forms that are stated, fits with their uncertainty.

A form is a sum of known functions of n with coefficients that are not negative. Errors are taken to
be proportional to the cost, as those of processor time are; what a fit predicts has a 95% interval
for a single new measurement (Student's t with the measurements less the coefficients).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls
from scipy.stats import t as student

LEVEL = 0.95
ROUNDS = 20

Function = Callable[[np.ndarray], np.ndarray]

FORMS: Mapping[str, tuple[Function, ...]] = {
    "n": (lambda n: n,),
    "a + n": (np.ones_like, lambda n: n),
    "n log n": (lambda n: n * np.log2(n),),
    "a + n log n": (np.ones_like, lambda n: n * np.log2(n)),
}


@dataclass(frozen=True)
class Fit:
    """A form with its coefficients.

    Attributes
    ----------
    form : str
        A key of `FORMS`.
    coefficients : numpy.ndarray [shape=(n_terms,)]
    scatter : float
        Standard deviation of a measurement, as a share of the cost.
    covariance : numpy.ndarray [shape=(n_terms, n_terms)]
        Of the coefficients.
    freedom : int
        Measurements less the coefficients that are not zero.
    largest : float
        Largest n that was measured.
    """

    form: str
    coefficients: np.ndarray
    scatter: float
    covariance: np.ndarray
    freedom: int
    largest: float

    @classmethod
    def of(cls, n: Sequence[float], cost: Sequence[float], form: str) -> "Fit":
        """Fit a form to measurements.

        Raises
        ------
        ValueError
            Where they are not more than the coefficients.
        """
        sizes, costs = np.asarray(n, np.float64), np.asarray(cost, np.float64)
        design = _design(form, sizes)
        weights = 1 / np.maximum(costs, 1e-12)
        for _ in range(ROUNDS):
            coefficients, _ = nnls(design * weights[:, np.newaxis], costs * weights)
            # A weight by the fitted cost: one by the measured cost would favour low measurements.
            weights = 1 / np.maximum(design @ coefficients, 1e-12)
        used = coefficients > 0
        freedom = len(sizes) - int(used.sum())
        if freedom < 1 or not used.any():
            raise ValueError(f"{len(sizes)} measurements are too few for the form {form}")
        weighted = (design * weights[:, np.newaxis])[:, used]
        variance = float((((costs - design @ coefficients) * weights) ** 2).sum() / freedom)
        covariance = np.zeros((len(used), len(used)))
        covariance[np.ix_(used, used)] = variance * np.linalg.pinv(weighted.T @ weighted)
        return cls(form, coefficients, variance**0.5, covariance, freedom, float(sizes.max()))

    def predict(self, n: float) -> tuple[float, float, float]:
        """The cost at n, and the ends of its interval."""
        (row,) = _design(self.form, np.array([n], np.float64))
        cost = float(row @ self.coefficients)
        spread = float(row @ self.covariance @ row) + (self.scatter * cost) ** 2
        half = float(student.ppf((1 + LEVEL) / 2, self.freedom)) * spread**0.5
        return cost, max(cost - half, 0.0), cost + half


def _design(form: str, n: np.ndarray) -> np.ndarray:
    return np.stack([function(n) for function in FORMS[form]], axis=1)
