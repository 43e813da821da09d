"""Claims held against a run: each kind by the comparisons it makes."""

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from typing import Any

from genrescope.evaluation.cells import Cell
from genrescope.evaluation.counts import Statistic
from genrescope.evaluation.guesses import GUESSES
from genrescope.report.claims.claims_file import ClaimsFile
from genrescope.report.claims.evidence import WORDS, Evidence, Tested, score_statistic
from genrescope.report.claims.explained import check_feature, check_maps
from genrescope.report.claims.kinds import (
    AboveGuess,
    Claim,
    Drop,
    Equal,
    ExtremeGenre,
    Feature,
    Higher,
    Order,
    Place,
    ScoreClaim,
    SteadiestMap,
    Value,
)
from genrescope.report.claims.outcome import Comparison, Outcome, judge
from genrescope.report.paper import Counterpart
from genrescope.report.run_directory import RunDirectory
from genrescope.report.run_files import damage_named
from genrescope.settings import nearest

INFINITE = float("inf")


class Missing(Exception):  # noqa: N818 (a reason, not a fault)
    """What a claim speaks of and the run does not have."""


def check_claims(run: RunDirectory, file: ClaimsFile) -> list[Outcome]:
    """Hold each claim of a file against a run.

    A claim is supported where every comparison it makes is beyond chance in its direction,
    contradicted where one is beyond chance the other way, and otherwise not decidable: not tested
    in this run, or of an interval that includes both. Beyond chance means a 95% interval that
    leaves the bound out and a p-value below .05 after Holm's adjustment over the comparisons of
    the claim. With several seeds all figures are means over the seeds that the compared models
    have in common, and groups are drawn with all their seeds.

    Parameters
    ----------
    run : RunDirectory
    file : ClaimsFile
        As from `load_claims`.

    Returns
    -------
    list of Outcome
        In the order of the file.
    """
    checker = _Checker(run, file)
    return [checker.check(claim) for claim in file.claims]


class _Checker:
    def __init__(self, run: RunDirectory, file: ClaimsFile) -> None:
        self.run, self.evidence = run, Evidence(run)
        counterpart = Counterpart.of(run, file.corpora)
        named = set(self.run.corpora)
        self.corpora = counterpart.corpora if file.corpora else {name: name for name in named}
        self.models = counterpart.models if file.corpora else {model: model for model in run.models}
        self.missing: list[str] = []

    def check(self, claim: Claim) -> Outcome:
        if isinstance(claim, Feature):
            return self._explained(claim, check_feature, claim.source, claim.model)
        if isinstance(claim, SteadiestMap):
            return self._explained(claim, check_maps, claim.source)
        checks: dict[type[Claim], Callable[[Any], Iterator[Comparison]]] = {
            Order: self._order,
            Drop: self._drop,
            Higher: self._higher,
            ExtremeGenre: self._extreme,
            AboveGuess: self._above_guess,
            Value: self._value,
            Equal: self._equal,
        }
        self.missing = []
        comparisons = list(checks[type(claim)](claim))
        return judge(claim, comparisons, self.missing)

    def _explained(self, claim: Any, check: Callable[..., Outcome], *names: str) -> Outcome:
        try:
            known = [self._corpora(names[0]), *(self._model(name) for name in names[1:])]
        except Missing as reason:
            return judge(claim, [], [str(reason)])
        with damage_named(self.run.folder / "explanations"):
            return check(self.run, claim, *known)

    def _model(self, name: str) -> str:
        if name not in self.models:
            raise Missing(f"the run has no model {name} ({nearest(name, self.models)})")
        return self.models[name]

    def _corpora(self, joined: str) -> str:
        for name in joined.split("+"):
            if name not in self.corpora:
                raise Missing(f"the run has no corpus {name} ({nearest(name, self.corpora)})")
        return "+".join(self.corpora[name] for name in joined.split("+"))

    def _tested(self, models: Sequence[str], place: Place) -> list[Tested]:
        """The cells of some models at a place, with the seeds and the part they share."""
        source, target = self._corpora(place.source), self._corpora(place.target)
        cells = [Cell(self._model(model), source, target) for model in models]
        seeds = tuple(self.run.seeds(cells))
        found = []
        for cell in cells:
            part = self.run.part(cell, place.part)
            if part is None:
                words = f" of part {place.part}" if place.part else ""
                raise Missing(f"the run has no cell {cell.model}, {source} → {target}{words}")
            found.append(Tested(cell, part, seeds))
        if not seeds:
            raise Missing(f"no seed is common to {', '.join(models)}")
        return found

    def _each(self, claim: Any, places: Sequence[Place]) -> Iterator[tuple[Tested, ...]]:
        """The cells of each model at some places; what the run lacks is noted."""
        for model in claim.models or self.models:
            try:
                yield tuple(self._tested([model], place)[0] for place in places)
            except Missing as reason:
                self.missing.append(str(reason))

    def _together(self, claim: Any) -> Iterator[list[Tested]]:
        """The cells of all models of a claim at each of its places."""
        for place in claim.places:
            try:
                yield self._tested(claim.models, place)
            except Missing as reason:
                self.missing.append(str(reason))

    def _scores(self, scores: Sequence[str], genres: Sequence[str]) -> list[tuple[str, Statistic]]:
        if not genres:
            words = {"precision": "macro-precision", "recall": "macro-recall", "f1": "macro-F1"}
            return [(words.get(name, WORDS[name]), score_statistic(name)) for name in scores]
        return [
            (f"{WORDS[name]} of {genre}", score_statistic(name, place))
            for name in scores
            for genre in genres
            if (place := self._genre(genre)) is not None
        ]

    def _genre(self, genre: str) -> int | None:
        if genre in self.run.genres:
            return self.run.genres.index(genre)
        self.missing.append(f"the run has no genre {genre} ({nearest(genre, self.run.genres)})")
        return None

    def _of(self, claim: ScoreClaim) -> list[tuple[str, Statistic]]:
        return self._scores(claim.scores, claim.genres)

    def _order(self, claim: Order) -> Iterator[Comparison]:
        for tested in self._together(claim):
            for score, statistic in self._of(claim):
                for first, second in combinations(tested, 2):
                    numbers = self.evidence.lead(first, second, statistic)
                    yield Comparison(score, _pair(first, second), **numbers)

    def _equal(self, claim: Equal) -> Iterator[Comparison]:
        bounds = (-claim.margin, claim.margin)
        if claim.home is not None:
            yield from self._falls(claim, claim.home, bounds)
            return
        for tested in self._together(claim):
            for score, statistic in self._of(claim):
                for first, second in combinations(tested, 2):
                    one, two = (self.evidence.estimate(t, statistic) for t in (first, second))
                    numbers = one.minus(two).between(*bounds)
                    yield Comparison(score, _pair(first, second), **numbers)

    def _drop(self, claim: Drop) -> Iterator[Comparison]:
        most = INFINITE if claim.at_most is None else claim.at_most
        home = claim.home or Place(source=claim.source, target=claim.source)
        yield from self._falls(claim, home, (claim.at_least, most))

    def _falls(
        self, claim: ScoreClaim, home: Place, bounds: tuple[float, float]
    ) -> Iterator[Comparison]:
        for place in claim.places:
            for here, there in self._each(claim, [home, place]):
                for score, statistic in self._of(claim):
                    numbers = self.evidence.fall(here, there, statistic).between(*bounds)
                    yield Comparison(score, _move(here, there), **numbers)

    def _higher(self, claim: Higher) -> Iterator[Comparison]:
        first = self._scores([claim.score], claim.genres)
        second = self._scores([claim.than], claim.genres)
        for place in claim.places:
            for (tested,) in self._each(claim, [place]):
                for (score, one), (than, two) in zip(first, second, strict=True):
                    numbers = self.evidence.estimate(tested, _difference(one, two))
                    words = f"{score} − {than}"
                    yield Comparison(words, str(tested), **numbers.between(0.0, INFINITE))

    def _extreme(self, claim: ExtremeGenre) -> Iterator[Comparison]:
        place = self._genre(claim.genre)
        if place is None:
            return
        others = [genre for genre in self.run.genres if genre != claim.genre]
        homes = [] if claim.home is None else [claim.home]
        # The worst genre scores lowest; seen from a home cell it loses most.
        sign = 1.0 if claim.kind == "best_genre" else -1.0
        for away in claim.places:
            for cells in self._each(claim, [*homes, away]):
                for score in claim.scores:
                    for other in others:
                        lead = _difference(
                            score_statistic(score, place),
                            score_statistic(score, self.run.genres.index(other)),
                            sign,
                        )
                        if homes:
                            found = self.evidence.fall(cells[1], cells[0], lead)
                            score_words = f"change of {WORDS[score]}"
                            what = _move(cells[1], cells[0])
                        else:
                            found = self.evidence.estimate(cells[0], lead)
                            score_words, what = WORDS[score], str(cells[0])
                        pair = (claim.genre, other) if sign > 0 else (other, claim.genre)
                        yield Comparison(
                            score_words,
                            f"{pair[0]} − {pair[1]}, {what}",
                            **found.between(0.0, INFINITE),
                        )

    def _above_guess(self, claim: AboveGuess) -> Iterator[Comparison]:
        guesses = GUESSES if claim.guess == "best" else (claim.guess,)
        for place in claim.places:
            for (tested,) in self._each(claim, [place]):
                for score, statistic in self._scores(claim.scores, ()):
                    for guess in guesses:
                        found = self.evidence.above_guess(tested, statistic, guess)
                        what = f"{tested} − {guess} guess"
                        yield Comparison(score, what, **found.between(0.0, INFINITE))

    def _value(self, claim: Value) -> Iterator[Comparison]:
        bounds = (claim.value - claim.within, claim.value + claim.within)
        for place in claim.places:
            for (tested,) in self._each(claim, [place]):
                for score, statistic in self._of(claim):
                    found = self.evidence.estimate(tested, statistic)
                    yield Comparison(score, str(tested), **found.between(*bounds))


def _difference(one: Statistic, two: Statistic, sign: float = 1.0) -> Statistic:
    return lambda counts: sign * (one(counts) - two(counts))


def _pair(first: Tested, second: Tested) -> str:
    where = f"{first.cell.source} → {first.cell.target}"
    return f"{first.cell.model} − {second.cell.model}, {where}"


def _move(home: Tested, away: Tested) -> str:
    ends = [f"({one.cell.source} → {one.cell.target})" for one in (home, away)]
    return f"{home.cell.model}, {ends[0]} − {ends[1]}"
