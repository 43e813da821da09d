"""What may be said of the maps of a method: figures with intervals, paired tests, a sentence."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from genrescope.evaluation.paired import grouped_mean
from genrescope.evaluation.significance import holm
from genrescope.explanations.faithfulness import MEASURES, deletion_insertion, faithfulness
from genrescope.explanations.maps import (
    ALL,
    METHODS,
    REFERENCES,
    TITLES,
    explain_maps,
    reference_maps,
)
from genrescope.explanations.networks import Maps
from genrescope.explanations.sanity import LAYERS, max_sensitivity, randomisation

LEVEL = 0.05
INDEPENDENT = 0.2  # rank correlation after full randomisation up to which a map is the model's
ALIKE = 0.5  # from which on random networks give much the same map
BETTER_IF_LESS = ("deletion",)
DECISIVE = ("deletion", "insertion")
RANDOMISED_CLIPS = 12  # that random networks are tried on, at most: they cost most of the time
N_MAPS = len(METHODS) + len(REFERENCES)


@dataclass(frozen=True)
class MapQuality:
    """Quality of the maps of some clips.

    Attributes
    ----------
    clips : DataFrame
        A row per clip and method: `clip_id`, `group`, `genre` (the one explained), `method`, the
        columns of `faithfulness`, and `sensitivity`.
    randomised : DataFrame
        A row per clip, method, layer and draw: `clip_id`, `group`, `genre`, `method`, `layer`,
        `draw`, `correlation`.
    curves : DataFrame
        Mean curves: `method`, `share`, `deletion`, `insertion`.
    """

    clips: pd.DataFrame
    randomised: pd.DataFrame
    curves: pd.DataFrame


def measure(
    model: Any,
    log_mels: Maps,
    clips: pd.DataFrame,
    *,
    seed: int = 0,
    on_maps: Callable[[int], None] = lambda _: None,
) -> MapQuality:
    """Measure every method, and the maps it has to beat, on some held-out clips.

    Parameters
    ----------
    model : CnnClassifier
        Fitted; explained for the genre it predicts of each clip.
    log_mels : numpy.ndarray [shape=(n, n_mels, frames)]
        Log-mel spectrograms in dB.
    clips : DataFrame [shape=(n, ...)]
        Index `clip_id`, column `group`.
    seed : int
        Of random maps, orders, noise and weights.
    on_maps : callable
        Told, after each of the `N_MAPS` kinds of map, how many were measured.

    Returns
    -------
    MapQuality
    """
    predicted = [str(genre) for genre in model.predict(log_mels)]
    who = pd.DataFrame(
        {"clip_id": clips.index, "group": clips["group"].to_numpy(), "genre": predicted}
    )
    maps = {name: explain_maps(name, model, log_mels, target=predicted) for name in METHODS}
    maps |= reference_maps(log_mels, seed=seed)
    some = np.unique(np.linspace(0, len(clips) - 1, RANDOMISED_CLIPS).round().astype(int))
    tables, randomised, curves = [], [], []
    for name, values in maps.items():
        followed = deletion_insertion(model, log_mels, values, target=predicted, seed=seed)
        table = faithfulness(model, log_mels, values, target=predicted, curves=followed)
        table.insert(0, "method", name)
        if name in METHODS:
            explain = partial(_explain, name, predicted)
            table["sensitivity"] = max_sensitivity(model, log_mels, explain, seed=seed)
            explain = partial(_explain, name, [predicted[row] for row in some])
            random = randomisation(model, log_mels[some], explain, seed=seed)
            random = who.iloc[some[random["clip"]]].reset_index(drop=True).join(random)
            randomised.append(random.drop(columns="clip").assign(method=name))
        else:
            table["sensitivity"] = np.nan
        tables.append(pd.concat([who, table], axis=1))
        means = {"deletion": followed.deletion.mean(axis=0)}
        means |= {"insertion": followed.insertion.mean(axis=0)}
        curves.append(pd.DataFrame({"method": name, "share": followed.share, **means}))
        on_maps(len(clips))
    return MapQuality(
        pd.concat(tables, ignore_index=True),
        pd.concat(randomised, ignore_index=True),
        pd.concat(curves, ignore_index=True),
    )


def _explain(method: str, target: Sequence[str], model: Any, log_mels: Maps) -> Maps:
    return explain_maps(method, model, log_mels, target=target)


def quality_table(quality: MapQuality, genres: Sequence[str], *, seed: int = 0) -> pd.DataFrame:
    """Every figure of every method, for all clips and for each explained genre.

    Parameters
    ----------
    quality : MapQuality
    genres : sequence of str
        In display order.
    seed : int
        Of the bootstrap.

    Returns
    -------
    DataFrame
        `genre` ("all" first), `method`, `measure`, `value` (mean over clips), `low`, `high` (95%,
        over groups), `n`, `n_groups`. The measures are those of `faithfulness`, `sensitivity`,
        and, of all genres together, `randomised_<layer>`: the mean rank correlation once the
        network is random from the answer down to that layer.
    """
    rows: list[tuple[Any, ...]] = []
    for genre, of_genre in _by_genre(quality.clips, genres):
        for key, table in of_genre.groupby("method", sort=False):
            method = str(key)
            for name in (*MEASURES, "sensitivity"):
                found = grouped_mean(table[name], table["group"], seed=seed)
                if found.n:
                    rows.append((genre, method, name, *_figures(found)))
    for keys, drawn in quality.randomised.groupby(["method", "layer"], sort=False):
        method, layer = map(str, keys)
        per_clip = drawn.groupby(["clip_id", "group"], as_index=False)["correlation"].mean()
        found = grouped_mean(per_clip["correlation"], per_clip["group"], seed=seed)
        rows.append((ALL, method, f"randomised_{layer}", *_figures(found)))
    columns = ["genre", "method", "measure", "value", "low", "high", "n", "n_groups"]
    return pd.DataFrame(rows, columns=pd.Index(columns))


def _figures(found: Any) -> tuple[float, float, float, int, int]:
    return found.value, found.low, found.high, found.n, found.n_groups


def _by_genre(table: pd.DataFrame, genres: Sequence[str]) -> list[tuple[str, pd.DataFrame]]:
    found = [(ALL, table)]
    found += [(genre, table[table["genre"] == genre]) for genre in genres]
    return [(genre, rows) for genre, rows in found if len(rows)]


def compare_maps(quality: MapQuality, genres: Sequence[str], *, seed: int = 0) -> pd.DataFrame:
    """Hold each method against random, centre and energy maps, clip by clip.

    Parameters
    ----------
    quality : MapQuality
    genres : sequence of str
        In display order.
    seed : int
        Of bootstrap and test.

    Returns
    -------
    DataFrame
        `genre`, `method`, `reference`, `measure` (deletion or insertion), `value` (how much
        better the method is, above 0 in its favour), `low`, `high`, `p_value` (flipping the signs
        of groups), `p_adjusted` (Holm's, within genre and method), `n`, `n_groups`.
    """
    references = [name for name in quality.clips["method"].unique() if name not in METHODS]
    rows = []
    for genre, of_genre in _by_genre(quality.clips, genres):
        tables = {name: table.set_index("clip_id") for name, table in of_genre.groupby("method")}
        for method in METHODS:
            own = tables[method]
            for reference in references:
                for name in DECISIVE:
                    gains = own[name] - tables[reference].loc[own.index, name]
                    gains = -gains if name in BETTER_IF_LESS else gains
                    found = grouped_mean(gains, own["group"], seed=seed)
                    rows.append((genre, method, reference, name, found.p_value, *_figures(found)))
    columns = ["genre", "method", "reference", "measure", "p_value"]
    columns += ["value", "low", "high", "n", "n_groups"]
    table = pd.DataFrame(rows, columns=pd.Index(columns))
    table["p_adjusted"] = table.groupby(["genre", "method"])["p_value"].transform(holm)
    return table


def verdicts(table: pd.DataFrame, comparisons: pd.DataFrame) -> pd.DataFrame:
    """Say in words what the figures of each method allow.

    Parameters
    ----------
    table : DataFrame
        From `quality_table`.
    comparisons : DataFrame
        From `compare_maps`.

    Returns
    -------
    DataFrame
        `genre`, `method`, `verdict` (`holds`, `partly`, `fails`, `undecided`), `sentence`.
    """
    rows = []
    last = table[table["measure"] == f"randomised_{LAYERS[-1]}"]
    random = dict(zip(last["method"], last["value"], strict=True))
    for (genre, method), compared in comparisons.groupby(["genre", "method"], sort=False):
        verdict, sentence = _verdict(compared, float(random[method]))
        rows.append((genre, method, verdict, sentence))
    return pd.DataFrame(rows, columns=pd.Index(["genre", "method", "verdict", "sentence"]))


def _verdict(compared: pd.DataFrame, random: float) -> tuple[str, str]:
    n, n_groups = int(compared["n"].iloc[0]), int(compared["n_groups"].iloc[0])
    clips = f"{n} {'clip' if n == 1 else 'clips'} of {n_groups} {_groups(n_groups)}"
    learned = abs(random) <= INDEPENDENT
    if 2 / 2**n_groups * len(compared) >= LEVEL:  # the smallest adjusted p-value there can be
        return "undecided", f"{clips}: too few to tell it from a map that knows nothing."
    better = compared[(compared["p_adjusted"] < LEVEL) & (compared["value"] > 0)]
    worse = compared[(compared["p_adjusted"] < LEVEL) & (compared["value"] < 0)]
    parts = []
    if len(better) == len(compared):
        parts.append("better than random, centre and energy maps in deletion and in insertion")
    elif len(better):
        parts.append(f"better than {_listed(better)}")
        open_ones = compared.drop(better.index).drop(worse.index)
        if len(open_ones):
            parts.append(f"not shown to be better than {_listed(open_ones)}")
    else:
        parts.append("not shown to be better than any map that knows nothing of the model")
    if len(worse):
        parts.append(f"worse than {_listed(worse)}")
    if learned:
        parts.append(
            f"it rests on what the network learned (rank correlation {random:.2f} with the maps "
            "of random networks)"
        )
    else:
        likeness = "much the same" if random >= ALIKE else "partly the same"
        if random < 0:
            likeness = "related"
        parts.append(
            f"random networks give {likeness} maps (rank correlation {random:.2f}), so it shows "
            "the clip as well as the model"
        )
    if len(better) == len(compared) and learned:
        verdict = "holds"
    else:
        verdict = "partly" if len(better) and not len(worse) else "fails"
    sentence = "; ".join(parts)
    return verdict, f"{sentence[0].upper()}{sentence[1:]} ({clips})."


def _groups(n: int) -> str:
    return "group" if n == 1 else "groups"


def _listed(compared: pd.DataFrame) -> str:
    """References and the measures they were compared in: "random (deletion, insertion)"."""
    found = [
        f"{TITLES[str(reference)]} ({', '.join(rows['measure'])})"
        for reference, rows in compared.groupby("reference", sort=False)
    ]
    return found[0] if len(found) == 1 else ", ".join(found[:-1]) + " and " + found[-1]
