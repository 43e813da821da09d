"""Other shares of genres: calibrated probabilities, and their correction without target labels."""

from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from genrescope.shift.adaptation import Matrix
from genrescope.shift.alignment import Standardise

TINY = 1e-6
ROUNDS = 1000
STILL = 1e-8  # change of the shares at which they count as found


class PriorCorrection(Standardise):
    """Standardise, then correct the probabilities for the target's shares of genres.

    The vectors are those of `Standardise`; whoever predicts with them is asked to pass the
    target's probabilities through `calibration` and `target_priors`.
    """

    corrects_priors: ClassVar[bool] = True


class Calibration(NamedTuple):
    """Temperature and bias per class, by which probabilities are made to mean what they say.

    Attributes
    ----------
    temperature : float
        Above 1 makes probabilities less sure, below 1 surer.
    bias : numpy.ndarray [shape=(n_classes,)]
        Added to the logarithms.

    Examples
    --------
    >>> Calibration(1.0, np.zeros(2)).apply([[0.2, 0.8]]).round(3).tolist()
    [[0.2, 0.8]]
    """

    temperature: float
    bias: Matrix

    def apply(self, probabilities: npt.ArrayLike) -> Matrix:
        """Calibrated probabilities [shape=(n, n_classes)]."""
        calibrated: Matrix = softmax(
            _logarithms(probabilities) / self.temperature + self.bias, axis=1
        )
        return calibrated


def calibrate(probabilities: npt.ArrayLike, codes: npt.ArrayLike) -> Calibration:
    """Bias-corrected temperature scaling.

    Minimises the mean negative logarithm of `softmax(log(p) / temperature + bias)` at the true
    class (Alexandari, Kundaje and Shrikumar 2020, "Maximum likelihood with bias-corrected
    calibration is hard-to-beat at label shift adaptation"), with a slight pull of the bias to 0.

    Parameters
    ----------
    probabilities : array [shape=(n, n_classes)]
        Of clips that the model was not trained on.
    codes : array of int [shape=(n,)]
        Column of each clip's true class.

    Returns
    -------
    Calibration

    Examples
    --------
    >>> sure = np.array([[0.99, 0.01]] * 4 + [[0.01, 0.99]] * 4)
    >>> calibrate(sure, [0, 0, 0, 1, 1, 1, 1, 0]).apply(sure[:1]).round(2).tolist()
    [[0.75, 0.25]]
    """
    logs = _logarithms(probabilities)
    truth = np.asarray(codes, dtype=np.intp)
    rows = np.arange(len(truth))

    def loss(parameters: Matrix) -> float:
        scaled = logs * np.exp(-parameters[0]) + parameters[1:]
        fit = -log_softmax(scaled, axis=1)[rows, truth].mean()
        return float(fit + 1e-4 * (parameters[1:] ** 2).sum())

    found = minimize(loss, np.zeros(logs.shape[1] + 1), method="L-BFGS-B").x
    return Calibration(float(np.exp(found[0])), np.asarray(found[1:], dtype=np.float64))


def target_priors(probabilities: npt.ArrayLike, source_priors: npt.ArrayLike) -> Matrix:
    """Shares of the classes in unlabelled clips, by expectation and maximisation.

    Saerens, Latinne and Decaestecker 2002, "Adjusting the outputs of a classifier to new a priori
    probabilities", equations 2.4 and 2.9. It assumes that within a class both corpora look alike.

    Parameters
    ----------
    probabilities : array [shape=(n, n_classes)]
        Calibrated probabilities of the target clips.
    source_priors : array [shape=(n_classes,)]
        Shares of the classes among the clips that the model learned from.

    Returns
    -------
    numpy.ndarray [shape=(n_classes,)]
        Sums to 1.

    Examples
    --------
    >>> clear = np.array([[0.98, 0.02]] * 3 + [[0.02, 0.98]])
    >>> target_priors(clear, [0.5, 0.5]).round(2).tolist()
    [0.76, 0.24]
    """
    given = np.asarray(probabilities, dtype=np.float64)
    source = np.asarray(source_priors, dtype=np.float64)
    priors = source.copy()
    for _ in range(ROUNDS):
        found = with_priors(given, source, priors).mean(axis=0)
        change = float(np.abs(found - priors).max())
        priors = found
        if change < STILL:
            break
    return priors


def with_priors(
    probabilities: npt.ArrayLike, source_priors: npt.ArrayLike, priors: npt.ArrayLike
) -> Matrix:
    """Probabilities as they would be under other shares of the classes.

    `p'(k | x) = p(k | x) q_k / p_k`, divided by its sum: Saerens et al. 2002, equation 2.4.

    Parameters
    ----------
    probabilities : array [shape=(n, n_classes)]
    source_priors, priors : array [shape=(n_classes,)]
        The shares p under which they were learned, and the new ones q.

    Returns
    -------
    numpy.ndarray [shape=(n, n_classes)]

    Examples
    --------
    >>> with_priors([[0.5, 0.5]], [0.5, 0.5], [0.8, 0.2]).tolist()
    [[0.8, 0.2]]
    """
    ratio = np.asarray(priors, dtype=np.float64) / np.maximum(source_priors, TINY)
    weighted = np.maximum(np.asarray(probabilities, dtype=np.float64), TINY) * ratio
    return np.asarray(weighted / weighted.sum(axis=1, keepdims=True), dtype=np.float64)


def _logarithms(probabilities: npt.ArrayLike) -> Matrix:
    return np.log(np.maximum(np.asarray(probabilities, dtype=np.float64), TINY))
