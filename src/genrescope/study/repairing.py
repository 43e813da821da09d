"""What helps a model away from home: adaptation, training on altered clips, a few labels."""

import functools
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from genrescope.config import StudyConfig
from genrescope.evaluation.metrics import score
from genrescope.evaluation.significance import unpaired_difference
from genrescope.files import write_csv
from genrescope.models import model_class
from genrescope.settings import ModelSettings
from genrescope.shift.adaptation import SELF_TRAINED, create_adaptation
from genrescope.shift.adapted import Clips
from genrescope.shift.bench import BASELINE, in_domain, run_bench, summarise_bench
from genrescope.shift.few_shot import few_shot, few_shot_curve, shots_needed
from genrescope.shift.selection import choices, rate_methods
from genrescope.study.pool import Pool

ALIKE, BOTH = "trained on clips made alike", "trained on clips as they are and made alike"
FALLBACK = "standardise"  # of the few-shot curve, where the choice changes more than vectors


def repair(
    folder: Path,
    config: StudyConfig,
    name: str,
    source: Pool,
    target: Pool,
    alike: Pool,
    genres: Sequence[str],
) -> None:
    """Try every repair of one model from a source to a target, and write what came out.

    No repair is given a label of the target, and the choice among them is made without; only the
    scores, and the curve of labelled clips, read them.

    Parameters
    ----------
    folder : pathlib.Path
        Gets `methods.csv`, `choices.csv`, `left.csv` (what is left of the drop) and, where clips
        are to be labelled and the model learns from vectors, `few_shot.csv`.
    config : StudyConfig
    name : str
        Of the model.
    source, target : Pool
    alike : Pool
        The source's clips with every change that makes them like the target's; the source itself
        where there is none.
    genres : sequence of str
    """
    settings, shift = config.models[name], config.shift
    takes = model_class(settings.kind).input
    network = takes == "log_mels"
    bench = functools.partial(
        run_bench,
        genres=genres,
        models={settings.kind: settings.params},
        seeds=range(shift.network_repeats if network else shift.seeds),
    )
    home, away = source.labelled(takes), target.labelled(takes)
    answers = bench(home, away)
    ratings = rate_methods(answers.drop(columns="genre"), genres)
    chosen = str(ratings.loc[ratings["chosen"], "method"].item())
    tables = [answers, bench(home, away, methods=[chosen + SELF_TRAINED])]
    if alike is not source:
        changed = alike.labelled(takes)
        for cure, clips in ((ALIKE, changed), (BOTH, home.joined(changed))):
            methods = list(dict.fromkeys([BASELINE, chosen]))
            found = bench(clips, away, methods=methods)
            names = {method: f"{cure}, {method}" for method in methods} | {BASELINE: cure}
            tables.append(found.assign(method=found["method"].map(names)))
    answers = pd.concat(tables, ignore_index=True)
    n_resamples = config.evaluation.n_resamples
    results = summarise_bench(answers, genres, n_resamples=n_resamples)
    write_csv(folder / "methods.csv", results)
    write_csv(folder / "choices.csv", choices(ratings, results))
    own = in_domain(
        home,
        genres,
        kind=settings.kind,
        params=settings.params,
        seeds=range(shift.network_repeats if network else shift.repeats),
    )
    write_csv(folder / "left.csv", _left(own, answers, (BASELINE, chosen), genres, n_resamples))
    # Twenty draws of six trainings are too many for a network.
    if shift.draws and not network:
        write_csv(folder / "few_shot.csv", _curve(settings, home, away, genres, config, chosen))


def _left(
    own: pd.DataFrame,
    answers: pd.DataFrame,
    methods: Sequence[str],
    genres: Sequence[str],
    n_resamples: int,
) -> pd.DataFrame:
    """What is left of the drop from the source's own score, artists apart, by method."""
    rows = []
    for method in dict.fromkeys(methods):
        found = answers[answers["method"] == method]
        drop = unpaired_difference(own, found, genres, n_resamples=n_resamples)
        at_home, there = (score(table, genres, n_resamples=1)["macro_f1"] for table in (own, found))
        rows.append(
            {
                "method": method,
                "in_domain": at_home,
                "cross": there,
                "drop": drop.value,
                "low": drop.low,
                "high": drop.high,
                "p_value": drop.p_value,
            }
        )
    return pd.DataFrame(rows)


def _curve(
    settings: ModelSettings,
    source: Clips,
    target: Clips,
    genres: Sequence[str],
    config: StudyConfig,
    chosen: str,
) -> pd.DataFrame:
    shift = config.shift
    adaptation = create_adaptation(chosen).fit(source.X, source.y, target.X)
    more = adaptation.corrects_priors or adaptation.sample_weight_ is not None
    method = FALLBACK if more else chosen
    own = in_domain(
        target, genres, kind=settings.kind, params=settings.params, seeds=range(shift.repeats)
    )
    goal = score(own, genres, n_resamples=1)["macro_f1"]
    tables = []
    for with_source in (True, False):
        found = few_shot(
            source,
            target,
            genres,
            kind=settings.kind,
            method=method,
            params=settings.params,
            shots=shift.shots,
            draws=shift.draws,
            with_source=with_source,
        )
        curve = few_shot_curve(found, genres)
        trained_on = "source and labelled clips" if with_source else "labelled clips alone"
        needed = {"own": goal, "needed": shots_needed(curve, goal)}
        tables.append(curve.assign(trained_on=trained_on, method=method, **needed))
    return pd.concat(tables, ignore_index=True)
