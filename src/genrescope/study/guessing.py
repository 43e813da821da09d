"""What guessing scores on every source and target of a study."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from genrescope.config import StudyConfig
from genrescope.evaluation.cells import Cell, read_predictions
from genrescope.evaluation.summary import evaluate_guesses
from genrescope.study.steps import Ledger


def score_guesses(
    config: StudyConfig,
    rows: Sequence[dict[str, Any]],
    *,
    out: Path,
    ledger: Ledger,
    step_of: Callable[[Cell], str],
    genres: Sequence[str],
) -> list[dict[str, Any]]:
    """Rows of guessing for each source and target, on the clips of its model with most seeds.

    Parameters
    ----------
    config : StudyConfig
    rows : sequence of dict
        Of `results.csv`: the cells that were tested.
    out : pathlib.Path
        The run directory.
    ledger : Ledger
    step_of : callable
        Name of the step that tested a cell.
    genres : sequence of str
        In display order.

    Returns
    -------
    list of dict
        As from `evaluate_guesses`.
    """
    tested: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        tested.setdefault((row["source"], row["target"]), set()).add(row["model"])
    found = []
    for (source, target), models in tested.items():
        model = max(sorted(models), key=lambda name: len(config.seeds_of(name)))
        cell = Cell(model, source, target)
        guess = partial(
            _guess,
            out / cell.folder / "predictions.csv",
            source=source,
            target=target,
            genres=genres,
            n_resamples=config.evaluation.n_resamples,
        )
        inputs = {"tested": ledger.key(step_of(cell))}
        found += ledger.run(f"guess on {target} for {source}", inputs, [], guess)
    return found


def _guess(path: Path, **settings: Any) -> list[dict[str, Any]]:
    return evaluate_guesses(read_predictions(path), **settings)
