"""Find confusion matrices that give the paper's published figures.

The paper prints precision, recall and F1 of each genre but no readable matrix. Recall times support
is the number of right answers, right answers over precision the number of answers: a small search
finds the integers that reproduce the printed figures. They fix the diagonal and both margins of a
matrix. What stands off the diagonal is not printed; it is spread as if wrong answers did not depend
on the true genre, and rounded to integers that keep the margins. `python paper_matrices.py` prints
the matrices beside the figures.
"""

from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import Bounds, LinearConstraint, milp

from genrescope.report.paper import load_paper

Counts = npt.NDArray[np.int64]
PRINTED = 6e-5  # the figures are rounded to four digits
IPF_ROUNDS = 500


def candidates(recall: float, precision: float, f1: float, support: int) -> tuple[int, list[int]]:
    """Right answers of a genre, and the numbers of answers that give its figures as printed.

    The list is empty where nothing was right: any number of answers then gives the same figures.
    """
    right = [hits for hits in range(support + 1) if abs(hits / support - recall) < PRINTED]
    assert len(right) == 1, (recall, support)
    hits = right[0]
    if not hits:
        assert precision == f1 == 0
        return 0, []
    near = round(hits / precision)
    return hits, [
        n
        for n in range(max(hits, near - 40), near + 41)
        if abs(hits / n - precision) < PRINTED and abs(2 * hits / (support + n) - f1) < PRINTED
    ]


def margins(cell: dict[str, Any], support: list[int]) -> tuple[Counts, Counts]:
    """Right answers and all answers by genre: those that sum to the clips, nearest to print."""
    total = sum(support)
    columns = zip(cell["recall"], cell["precision"], cell["f1"], support, strict=True)
    found = [candidates(*figures) for figures in columns]
    right = np.array([hits for hits, _ in found])
    free = [genre for genre, hits in enumerate(right) if not hits]
    assert len(free) <= 1
    fits = []
    for given in product(*(counts or [0] for _, counts in found)):
        answers = np.array(given)
        answers[free] = total - answers.sum()
        if answers.sum() == total and (answers >= right).all():
            precision = np.divide(right, answers, out=np.zeros(len(right)), where=answers > 0)
            fits.append((np.abs(precision - cell["precision"]).sum(), given, answers))
    assert fits, "no integers give these figures"
    return right, min(fits, key=lambda fit: fit[:2])[2]


def matrix(cell: dict[str, Any], support: list[int]) -> Counts:
    """A confusion matrix with the figures of a published cell."""
    right, answers = margins(cell, support)
    rows, columns = np.array(support) - right, answers - right
    n = len(support)
    wrong = 1.0 - np.eye(n)
    for _ in range(IPF_ROUNDS):
        for axis, sums in ((1, rows), (0, columns)):
            total = wrong.sum(axis=axis)
            factor = np.divide(sums, total, out=np.zeros(n), where=total > 0)
            wrong *= np.expand_dims(factor, axis)
    return np.diag(right) + _rounded(wrong, rows, columns)


def _rounded(wrong: npt.NDArray[np.float64], rows: Counts, columns: Counts) -> Counts:
    """The integers nearest to `wrong`, in sum of distances, that keep both margins."""
    n = len(rows)
    size = n * n
    places = np.arange(size).reshape(n, n)
    sums = np.zeros((2 * n, 2 * size))
    for k in range(n):
        sums[k, places[k]] = sums[n + k, places[:, k]] = 1
    # Variables: the counts, then the distance of each from its target.
    ends = np.concatenate([rows, columns])
    over = np.hstack([np.eye(size), -np.eye(size)])
    under = np.hstack([-np.eye(size), -np.eye(size)])
    target = wrong.ravel()
    most = np.where(np.eye(n, dtype=bool).ravel(), 0, ends.max())
    found = milp(
        np.concatenate([np.zeros(size), np.ones(size)]),
        integrality=np.concatenate([np.ones(size), np.zeros(size)]),
        bounds=Bounds(0, np.concatenate([most, np.full(size, np.inf)])),
        constraints=[
            LinearConstraint(sums, ends, ends),
            LinearConstraint(over, ub=target),
            LinearConstraint(under, ub=-target),
        ],
    )
    assert found.success, found.message
    return np.rint(found.x[:size]).astype(np.int64).reshape(n, n)


def published() -> dict[tuple[str, str, str], Counts]:
    """A matrix for each published cell, by model, source and target."""
    paper = load_paper()
    return {
        (cell["model"], cell["source"], cell["target"]): matrix(
            cell, paper["support"][cell["target"]]
        )
        for cell in paper["cells"]
    }


if __name__ == "__main__":
    for (model, source, target), counts in published().items():
        accuracy = np.trace(counts) / counts.sum()
        f1 = 2 * np.diag(counts) / (counts.sum(axis=0) + counts.sum(axis=1))
        print(f"{model}, {source} -> {target}: accuracy {accuracy:.4f}, F1 {f1.round(4)}")
        print(counts)
