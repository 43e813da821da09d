"""Where two corpora overlap: a classifier that tells them apart, and weights to what they share."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from genrescope.evaluation.counts import percentile_interval
from genrescope.shift.adaptation import Matrix
from genrescope.shift.adapted import Clips, source_folds
from genrescope.shift.group_draws import Sides
from genrescope.shift.weight_sets import weighted_areas, weighted_logistic

FOLDS = 5
PENALTY = 1.0  # ridge of the domain classifier
COMPONENTS = 25  # principal components of the features that it sees
SMALLEST = 1e-2  # probability of a genre, before its logarithm is taken
AUC_LIMIT = 0.75  # planted shifts are divided rightly up to here: benchmarks/planted_shifts.py
LEAST_GROUPS = 2 * FOLDS
CLIPS_PER_GENRE = 10  # effective, on either side: fewer, and one clip moves macro-F1 by points


@dataclass(frozen=True)
class Overlap:
    """How well two corpora can be told apart, genre shares made equal.

    Attributes
    ----------
    auc, auc_low, auc_high : float
        Area under the ROC curve of the domain classifier for clips that it has not seen, with its
        95% interval over groups. 0.5 or less: it finds no difference; 1: no overlap.
    source_ess, target_ess : float
        Effective number of clips of each side in the shared region, `sum(w)^2 / sum(w^2)` (Kish
        1965, "Survey sampling").
    n_source, n_target : int
        Clips.
    n_genres : int
        Genres of the target.
    n_groups : int
        Groups of the side that has fewer.
    """

    auc: float
    auc_low: float
    auc_high: float
    source_ess: float
    target_ess: float
    n_source: int
    n_target: int
    n_genres: int
    n_groups: int

    @property
    def obstacle(self) -> str:
        """Why covariate and concept shift cannot be told apart; empty where they can.

        An AUC above `AUC_LIMIT`: in planted shifts the classifier then falls short of the true
        weights, and covariate shift is taken for concept shift. Fewer effective clips than
        `CLIPS_PER_GENRE` for each genre on either side: the scores of the shared region would be
        those of a handful of clips. Fewer groups than `LEAST_GROUPS` on either side: the classifier
        would know too few artists to judge unknown ones.
        """
        if self.n_groups < LEAST_GROUPS:
            return (
                f"one side has {self.n_groups} group{'s' * (self.n_groups != 1)} only, and "
                f"{LEAST_GROUPS} are needed to learn from some and judge the others"
            )
        if self.auc > AUC_LIMIT:
            return (
                f"a classifier tells their music apart with an AUC of {self.auc:.2f}, above the "
                f"{AUC_LIMIT} up to which planted shifts were divided rightly"
            )
        least = CLIPS_PER_GENRE * self.n_genres
        if min(self.source_ess, self.target_ess) < least:
            return (
                f"the music they share amounts to {self.source_ess:.0f} source and "
                f"{self.target_ess:.0f} target clips, and {least} are needed on either side"
            )
        return ""


def domain_vectors(features: npt.ArrayLike, answers: npt.ArrayLike) -> Matrix:
    """What the domain classifier sees of the clips of both corpora.

    The leading principal components of the standardised features, and beside them the model's
    own answers: the logarithms of its probabilities, and how sure it is. Weights have to balance
    above all what the model's errors depend on (a prognostic score: Hansen 2008, "The prognostic
    analogue of the propensity score"), and the answers are functions of the features, so that
    nothing is added that the features did not hold.

    Parameters
    ----------
    features : array [shape=(n, n_features)]
    answers : array [shape=(n, n_genres)]
        Probabilities.

    Returns
    -------
    numpy.ndarray [shape=(n, n_vectors)]
        Each column with mean 0 and variance 1.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> domain_vectors(rng.normal(size=(50, 40)), rng.dirichlet([1, 1, 1], 50)).shape
    (50, 30)
    """
    X = StandardScaler().fit_transform(np.asarray(features, dtype=np.float64))
    if X.shape[1] > COMPONENTS:
        X = PCA(COMPONENTS, random_state=0).fit_transform(X)
    given = np.maximum(np.asarray(answers, dtype=np.float64), SMALLEST)
    logs = np.log(given)
    entropy = -(given * logs).sum(axis=1)
    sureness = np.column_stack([given.max(axis=1), entropy])
    centred = logs - logs.mean(axis=1, keepdims=True)
    vectors: Matrix = StandardScaler().fit_transform(np.column_stack([X, centred, sureness]))
    return vectors


def domain_logits(vectors: Matrix, sides: Sides, weights: Matrix) -> Matrix:
    """Log-odds that a clip is of the target, by classifiers that have not seen its group.

    Parameters
    ----------
    vectors : numpy.ndarray [shape=(n, n_vectors)]
    sides : Sides
    weights : numpy.ndarray [shape=(n_sets, n)]
        Of the clips, several sets at once; the two sides weigh alike in each set whatever their
        sums.

    Returns
    -------
    numpy.ndarray [shape=(n_sets, n)]

    Examples
    --------
    >>> X = np.r_[np.linspace(0.0, 1.0, 20), np.linspace(5.0, 6.0, 20)][:, np.newaxis]
    >>> sides = Sides.from_groups(range(20), range(20))
    >>> bool(((domain_logits(X, sides, np.ones((1, 40))) > 0) == sides.is_target).all())
    True
    """
    equal = weights.copy()
    for part in (~sides.is_target, sides.is_target):
        equal[:, part] *= len(vectors) / 2.0 / equal[:, part].sum(axis=1, keepdims=True)
    found = np.empty(weights.shape)
    folds = source_folds(Clips(vectors, sides.is_target, sides.groups), FOLDS)
    for train, held in folds:
        fitted = weighted_logistic(
            vectors[train], sides.is_target[train], equal[:, train], penalty=PENALTY
        )
        found[:, held] = fitted[:, :1] + fitted[:, 1:] @ vectors[held].T
    return found


def measure_overlap(
    logits: Matrix, sides: Sides, weights: Matrix, *, n_genres: int
) -> tuple[Overlap, Matrix]:
    """How far the corpora overlap, and the weights that lead each side to what they share.

    With densities p of the source and q of the target, the shared density is proportional to
    `p q / (p + q)`. It is reached from the source by the weight `q / (p + q)`, the probability of
    being a target clip, and from the target by its complement (Cai, Namkoong and Yadlowsky 2023,
    "Diagnosing model performance under distribution shift", section 2). No weight exceeds 1,
    unlike those of the ratio `q / p`.

    Parameters
    ----------
    logits, weights : numpy.ndarray [shape=(n_sets, n)]
        As of `domain_logits`; the first set is what was measured, others are resamples.
    sides : Sides
    n_genres : int

    Returns
    -------
    Overlap
    numpy.ndarray [shape=(n_sets, n)]
        The weights times those that lead to the shared region.
    """
    target = sides.is_target
    to_shared = weights * expit(np.where(target, -logits, logits))
    areas = weighted_areas(logits, target, weights)
    low, high = percentile_interval(areas[1:])
    overlap = Overlap(
        auc=float(areas[0]),
        auc_low=low,
        auc_high=high,
        source_ess=_effective(to_shared[0, ~target]),
        target_ess=_effective(to_shared[0, target]),
        n_source=int((~target).sum()),
        n_target=int(target.sum()),
        n_genres=n_genres,
        n_groups=int(np.bincount(sides.group_side, minlength=2).min()),
    )
    return overlap, to_shared


def _effective(weights: Matrix) -> float:
    return float(weights.sum() ** 2 / (weights**2).sum())
