"""Whether the confound ladder finds what was planted, on music rendered by code.

Clips of the built-in Western corpus, six labels folded into four genres. A fifth of the artists
train a forest; the others are the population, half of it the source, half the target. The target's
clips are then shortened and padded, narrowed, made quieter, reduced to parts of the mix, drawn with
other shares of the genres, and some of them relabelled, as each scenario says. The truth of a step
is its cost on the whole population. 50 times 240 source and 300 target clips are drawn by artist;
printed for each step are the truth, the mean estimate, their distance in percent of the whole
drop, and how many of the 50 intervals hold the truth.

    python benchmarks/planted_ladder.py [--tracks 100] [--draws 50] [--resamples 500]
                                        [--only NAME ...]
"""

import argparse
import sys
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from genrescope.corpora.recording import Recording
from genrescope.corpora.synthesis.tracks import LABELS, artist_number, render_track
from genrescope.evaluation.cells import predict_cell
from genrescope.features.vector import FEATURE_NAMES, extract
from genrescope.models import create_model
from genrescope.shift.confounds import CHANGES, Change, alterations, changes_between
from genrescope.shift.ladder import TOTAL, Rung, climb

RATE = 22050
GENRES = ["Blues-like", "HipHop/Rap", "Pop/Dance/RnB", "Rock/Metal"]
FOLDED = {"blues": 0, "hiphop": 1, "disco": 2, "pop": 2, "rock": 3, "metal": 3}
CLIPS = 2  # of 5 s in each track: one the artist is known by, one that is tested
SEED = 11
TRAINING = 0.2  # share of the artists
MIXES = Recording(1, 5.0, -18.0, 10000.0, {})
LOOPS = Recording(1, 3.0, -26.0, 4000.0, {"bass": 0.2, "drums": 0.3, "synth/keys": 0.5})


class Scenario(NamedTuple):
    """How the target differs: names of changes, weights of the genres, relabelled share."""

    changes: tuple[str, ...] = ()
    weights: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0)
    relabelled: float = 0.0


SCENARIOS = {
    "padding": Scenario(("clip length", "padding")),
    "band and level": Scenario(("band", "level")),
    "single instruments": Scenario(("single instruments",)),
    "shares of genres": Scenario(weights=(4.0, 0.5, 1.0, 0.5)),
    "concept": Scenario(relabelled=0.35),
    "padding and concept": Scenario(("clip length", "padding"), relabelled=0.25),
    "everything": Scenario(CHANGES, (2.0, 0.5, 1.0, 1.0), 0.25),
}


class World(NamedTuple):
    """Sounds of all clips, and who made them."""

    sounds: np.ndarray  # (tracks, CLIPS, samples)
    genres: np.ndarray
    artists: np.ndarray
    trains: np.ndarray
    target: np.ndarray


def render(tracks: int) -> World:
    sounds, labels, artists = [], [], []
    for number in range(tracks):
        for label in LABELS:
            sound = render_track(label, number, seed=SEED, duration_s=5.0 * CLIPS)
            sounds.append(sound.astype(np.float32).reshape(CLIPS, -1))
            labels.append(FOLDED[label])
            artists.append(f"{label} {artist_number(number)}")
    codes, names = pd.factorize(np.array(artists), sort=True)
    order = np.random.default_rng(SEED).permutation(len(names))
    n_train = int(TRAINING * len(names))
    half = n_train + (len(names) - n_train) // 2
    return World(
        np.stack(sounds),
        np.array(GENRES)[labels],
        codes,
        np.isin(codes, order[:n_train]),
        np.isin(codes, order[half:]),
    )


def vectors(sounds: np.ndarray) -> pd.DataFrame:
    found = [
        extract(sounds[start : start + 64], log_mels=False).vectors
        for start in range(0, len(sounds), 64)
    ]
    return pd.DataFrame(np.concatenate(found), columns=list(FEATURE_NAMES))


class Population:
    """Answers for every clip on every rung that a scenario needs."""

    def __init__(self, world: World) -> None:
        self.world = world
        known, tested = (vectors(world.sounds[:, clip]) for clip in range(CLIPS))
        options = {"n_estimators": 100, "n_jobs": 1, "random_state": 0}
        trains = world.trains
        both = pd.concat([known[trains], tested[trains]])
        genres = np.tile(world.genres[trains], CLIPS)
        self.unseen = create_model("forest", **options).fit(both, genres)
        # As many clips in training as the other has, of the artists that will be tested.
        rng = np.random.default_rng(SEED)
        others = rng.permutation(np.flatnonzero(~trains))[: len(both)]
        self.seen = create_model("forest", **options).fit(known.iloc[others], world.genres[others])
        self._answers: dict[tuple[str, ...], pd.DataFrame] = {}
        self.plain = tested

    def answers(self, changes: list[Change], *, seen: bool = False) -> pd.DataFrame:
        key = ("seen",) * seen + tuple(change.name for change in changes)
        if key not in self._answers:
            names = [str(place) for place in range(len(self.world.genres))]
            X = self.plain
            if changes:
                made = alterations(names, changes)
                sounds = [
                    one.apply(y, sample_rate=RATE)
                    for one, y in zip(made, self.world.sounds[:, 1], strict=True)
                ]
                X = vectors(np.stack(sounds))
            clips = pd.DataFrame(
                {"clip_id": names, "group": self.world.artists, "genre": self.world.genres}
            )
            model = self.seen if seen else self.unseen
            self._answers[key] = predict_cell(model, X.set_axis(names), clips, GENRES)
        return self._answers[key]

    def rungs(self, scenario: Scenario) -> tuple[list[Rung], np.ndarray]:
        """The ladder on the whole population, and how often each target clip is drawn."""
        source = ~self.world.trains & ~self.world.target
        every = {change.name: change for change in changes_between(MIXES, LOOPS, fit="pad")}
        rungs = [
            Rung("artists seen", self.answers([], seen=True)[source]),
            Rung("artists never seen", self.answers([])[source]),
        ]
        made: list[Change] = []
        for name in scenario.changes:
            made.append(every[name])
            rungs.append(Rung(name, self.answers(list(made))[source]))
        rungs.append(Rung("shares", rungs[-1].answers, target_shares=True))
        away = self.answers(list(made))[self.world.target]
        away = away.assign(genre=relabel(away["genre"].to_numpy(), scenario.relabelled))
        rungs.append(Rung("what remains", away, of_target=True))
        weights = np.array([scenario.weights[GENRES.index(genre)] for genre in away["genre"]])
        return rungs, weights / weights.sum()


def relabel(genres: np.ndarray, share: float) -> np.ndarray:
    """Some clips get the next genre's label: the same sound means another thing there."""
    moved = np.random.default_rng(SEED).random(len(genres)) < share
    places = np.array([GENRES.index(genre) for genre in genres])
    return np.array(GENRES)[np.where(moved, (places + 1) % len(GENRES), places)]


def drawn(answers: pd.DataFrame, artists: np.ndarray) -> pd.DataFrame:
    """All clips of some artists; one drawn twice is two."""
    by_artist = dict(list(answers.groupby("group")))
    parts = [
        by_artist[name].assign(group=f"{place}", clip_id=by_artist[name]["clip_id"] + f"/{place}")
        for place, name in enumerate(artists)
    ]
    return pd.concat(parts, ignore_index=True)


def draw(rungs: list[Rung], weights: np.ndarray, n: tuple[int, int], seed: int) -> list[Rung]:
    rng = np.random.default_rng(seed)
    home = rungs[0].answers
    away = rungs[-1].answers.reset_index(drop=True)
    groups = home["group"].unique()
    count = round(n[0] * len(groups) / len(home))
    artists = rng.choice(groups, size=count)
    # Clips of the target are drawn one by one with the genres' weights, each a group by itself.
    places = rng.choice(len(away), size=n[1], p=weights)
    picked = away.iloc[places].assign(
        group=[f"t{k}" for k in range(n[1])], clip_id=[f"t{k}" for k in range(n[1])]
    )
    found = []
    for rung in rungs:
        answers = picked if rung.of_target else drawn(rung.answers, artists)
        found.append(Rung(rung.name, answers, rung.of_target, rung.target_shares))
    return found


def truth(rungs: list[Rung], weights: np.ndarray) -> pd.DataFrame:
    """The ladder of the population, its target repeated by weight to within a thousandth."""
    *homes, away = rungs
    copies = np.maximum(1, np.round(weights / weights.min() * 10).astype(int))
    answers = away.answers.loc[away.answers.index.repeat(copies)]
    whole = [*homes, Rung(away.name, answers, of_target=True)]
    return climb(whole, GENRES, n_resamples=2)


def report(name: str, population: Population, arguments: Any) -> None:
    rungs, weights = population.rungs(SCENARIOS[name])
    known = truth(rungs, weights).set_index("name")["drop"]
    rows = []
    for seed in range(arguments.draws):
        sample = draw(rungs, weights, tuple(arguments.clips), seed)
        found = climb(sample, GENRES, n_resamples=arguments.resamples, seed=seed)
        rows.append(found.assign(draw=seed))
    table = pd.concat(rows).dropna(subset=["drop"])
    table["truth"] = table["name"].map(known)
    table["held"] = table["truth"].between(table["drop_low"] - 1e-12, table["drop_high"] + 1e-12)
    total = known[TOTAL]
    print(f"\n{name}: macro-F1 falls by {total:.3f}")
    for step, found in table.groupby("name", sort=False):
        off = found["drop"].mean() - known[step]
        error = found["drop"].std(ddof=1) / np.sqrt(len(found))
        print(
            f"  {step:<20} truth {known[step]:+.3f}  mean {found['drop'].mean():+.3f} "
            f"(± {error:.3f})  off by {100 * off / total:+5.1f}% of the drop  "
            f"held {found['held'].sum()} of {len(found)}"
        )
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tracks", type=int, default=100, help="of each of the six labels")
    parser.add_argument("--draws", type=int, default=50)
    parser.add_argument("--resamples", type=int, default=500)
    parser.add_argument("--clips", type=int, nargs=2, default=(240, 300))
    parser.add_argument("--only", nargs="+", default=list(SCENARIOS), help="names of scenarios")
    arguments = parser.parse_args()
    population = Population(render(arguments.tracks))
    world = population.world
    print(
        f"{world.trains.sum()} tracks train, {(~world.trains & ~world.target).sum()} of "
        f"{len(np.unique(world.artists[~world.trains & ~world.target]))} artists are the source, "
        f"{world.target.sum()} of {len(np.unique(world.artists[world.target]))} the target"
    )
    for name in arguments.only:
        report(name, population, arguments)


if __name__ == "__main__":
    main()
