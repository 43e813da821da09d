"""Self-training: a model's own surest answers for target clips as further labels."""

import numpy as np
import numpy.typing as npt

SHARE = 0.5  # of the clips given to each genre


def surest(probabilities: npt.ArrayLike, *, share: float = SHARE) -> npt.NDArray[np.intp]:
    """Clips whose answers are the surest of their class.

    A model that is trained again with them beside the source has learned from the target (Zou et
    al. 2018, "Unsupervised domain adaptation for semantic segmentation via class-balanced
    self-training"; here a single round). They are picked class by class, since otherwise the easy
    genres would crowd out the hard ones.

    Parameters
    ----------
    probabilities : array [shape=(n, n_classes)]
    share : float
        Of the clips given to each class, rounded up.

    Returns
    -------
    numpy.ndarray of int [shape=(k,)]
        Places of the clips, rising.

    Examples
    --------
    >>> surest([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.3, 0.7]]).tolist()
    [0, 2]
    """
    given = np.asarray(probabilities, dtype=np.float64)
    winners, confidence = given.argmax(axis=1), given.max(axis=1)
    kept = []
    for code in range(given.shape[1]):
        clips = np.flatnonzero(winners == code)
        order = clips[np.argsort(-confidence[clips], kind="stable")]
        kept.append(order[: int(np.ceil(share * len(order)))])
    return np.sort(np.concatenate(kept))
