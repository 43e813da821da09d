"""Dividing a corpus into training, validation and test, with groups never divided."""

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from genrescope.corpora.corpus import regroup
from genrescope.corpora.gtzan_facts import excerpt_of, filtered_part
from genrescope.errors import CorpusError
from genrescope.settings import SplitSettings

PARTS = ("train", "validation", "test")
REMOVED = "removed"
TRAIN, VALIDATION, TEST = range(3)
MOST_TRIES = 20
PLACED_GROUPS = 20_000  # in all tries together: enough tries where groups are few and large

Counts = npt.NDArray[np.float64]
Assignment = npt.NDArray[np.intp]


def split_clips(
    clips: pd.DataFrame, settings: SplitSettings | None = None, *, seed: int = 0
) -> tuple[pd.Series, list[str]]:
    """Give every clip with a genre its part, stratified by genre and with groups kept whole.

    Groups are shuffled and dealt out one by one, each to the part that lacks most of its genres;
    of several shuffles the one nearest to the shares is kept. A genre with three groups or more
    is in every part, one with two in training and test, one with a single group in training.

    Parameters
    ----------
    clips : pandas.DataFrame
        A corpus's clips. They are grouped anew as `settings.group` says; rows without a genre
        take no part.
    settings : SplitSettings, optional
        Shares, unit of grouping, and protocol. `fault-filtered` is the published partition of
        GTZAN, whatever the seed; what its filter leaves out gets the part ``removed``.
    seed : int
        The same seed gives the same parts, in whatever order the rows come.

    Returns
    -------
    parts : pandas.Series
        Index `clip_id`; values ``train``, ``validation``, ``test`` (or ``removed``).
    warnings : list of str
        A sentence for each genre that is not in every part, naming what it lacks groups of.

    Raises
    ------
    CorpusError
        Where there is no clip with a genre, or `fault-filtered` meets a clip that is not GTZAN's.

    Examples
    --------
    >>> from genrescope.corpora.table import clips_frame
    >>> rows = [{"clip_id": f"c/{i}@0", "genre": "Jazz", "track": f"{i // 2}"} for i in range(40)]
    >>> parts, warnings = split_clips(clips_frame(rows))
    >>> parts.value_counts(sort=False).sort_index().to_dict(), warnings
    ({'test': 6, 'train': 28, 'validation': 6}, [])
    """
    settings = settings or SplitSettings()
    clips = regroup(clips[clips["genre"].notna()], settings.group)
    if clips.empty:
        raise CorpusError("there is no clip with a genre to split")
    if settings.protocol == "fault-filtered":
        values = _published_parts(clips)
    else:
        table = _GroupTable.of(clips)
        placed = _place(table, settings, seed)
        by_group = dict(zip(table.groups, (PARTS[part] for part in placed), strict=True))
        values = clips["group"].map(by_group)
    parts = pd.Series(values.to_numpy(), index=pd.Index(clips["clip_id"]), name="part", dtype="str")
    return parts, _warnings(clips.assign(part=values), settings)


@dataclass(frozen=True)
class _GroupTable:
    """Clips per group and genre."""

    groups: list[str]
    counts: Counts  # (n_groups, n_genres), clips
    n_groups: npt.NDArray[np.intp]  # (n_genres,), groups of each genre

    @property
    def alone(self) -> npt.NDArray[np.bool_]:
        """Groups that are all there is of a genre: it is learnt rather than tested."""
        return np.asarray((self.counts[:, self.n_groups == 1] > 0).any(axis=1), dtype=np.bool_)

    @classmethod
    def of(cls, clips: pd.DataFrame) -> "_GroupTable":
        table = pd.crosstab(clips["group"], clips["genre"]).sort_index()
        counts = table.to_numpy(dtype=np.float64)
        return cls([str(group) for group in table.index], counts, (counts > 0).sum(axis=0))


def _place(table: _GroupTable, settings: SplitSettings, seed: int) -> Assignment:
    """Part of each group: the best of several random deals, mended where a genre is missing."""
    shares = np.array([settings.train, settings.validation, settings.test])
    rng = np.random.default_rng(seed % 2**63)  # numpy takes no negative seeds
    tries = int(np.clip(PLACED_GROUPS // len(table.groups), 1, MOST_TRIES))
    required = _required(table.n_groups, shares)
    deals = []
    for _ in range(tries):
        parts = _mend(table, _deal(table, shares, rng), shares, required)
        deals.append((_missing(table, parts, required), _distance(table, parts, shares), parts))
    return min(deals, key=lambda deal: deal[:2])[2]


def _required(n_groups: npt.NDArray[np.intp], shares: Counts) -> npt.NDArray[np.bool_]:
    """Which genre has to be in which part, shape (n_genres, 3)."""
    required = np.zeros((len(n_groups), 3), dtype=np.bool_)
    required[:, TRAIN] = True
    required[:, TEST] = n_groups >= 2
    required[:, VALIDATION] = n_groups >= 3
    return required & (shares > 0)


def _deal(table: _GroupTable, shares: Counts, rng: np.random.Generator) -> Assignment:
    totals = table.counts.sum(axis=0)
    # Share of its genre that each group holds: rare genres weigh as much as common ones.
    weights = table.counts / totals
    lacking = np.tile(shares, (len(totals), 1))
    parts = np.zeros(len(table.groups), dtype=np.intp)
    closed = shares <= 0
    for group in rng.permutation(len(table.groups)):
        weight = weights[group]
        # Adding w to a part that lacks d changes the squared error by w^2 - 2 w d.
        gain = weight @ lacking
        gain[closed] = -np.inf
        part = int(np.argmax(gain))
        parts[group] = part
        lacking[:, part] -= weight
    parts[table.alone] = TRAIN
    return parts


def _by_part(parts: Assignment, counts: Counts) -> Counts:
    """Sums of a per-group quantity, shape (n_genres, 3)."""
    return np.stack([counts[parts == part].sum(axis=0) for part in range(3)], axis=1)


def _missing(table: _GroupTable, parts: Assignment, required: npt.NDArray[np.bool_]) -> int:
    present = _by_part(parts, table.counts) > 0
    return int((required & ~present).sum())


def _distance(table: _GroupTable, parts: Assignment, shares: Counts) -> float:
    held = _by_part(parts, table.counts / table.counts.sum(axis=0))
    return float(((held - shares) ** 2).sum())


def _mend(
    table: _GroupTable, parts: Assignment, shares: Counts, required: npt.NDArray[np.bool_]
) -> Assignment:
    """Move single groups until every genre is where it has to be, as long as that helps.

    Where groups hold several genres the demands can contradict each other; what is left is warned
    about.
    """
    missing = _missing(table, parts, required)
    while missing:
        present = _by_part(parts, table.counts) > 0
        best: tuple[int, float, Assignment] | None = None
        for genre, part in np.argwhere(required & ~present):
            for group in np.flatnonzero((table.counts[:, genre] > 0) & ~table.alone):
                moved = parts.copy()
                moved[group] = part
                score = _missing(table, moved, required), _distance(table, moved, shares)
                if score[0] < missing and (best is None or score < best[:2]):
                    best = (*score, moved)
        if best is None:
            return parts
        missing, _, parts = best
    return parts


def _published_parts(clips: pd.DataFrame) -> "pd.Series[str]":
    files = clips["clip_id"].str.replace(r"@[^@/]*$", "", regex=True).str.split("/").str[-1]
    excerpts = files.map(excerpt_of)
    strangers = clips.loc[excerpts.isna(), "clip_id"]
    if len(strangers):
        raise CorpusError(
            f"the fault-filtered partition lists GTZAN's excerpts only, and {len(strangers)} of "
            f"{len(clips)} clips are none of them, {strangers.iloc[0]} to begin with; use "
            "protocol: random"
        )
    return excerpts.map(filtered_part).astype("str")


def _warnings(clips: pd.DataFrame, settings: SplitSettings) -> list[str]:
    used = clips[clips["part"] != REMOVED]
    sentences = []
    if len(used) < len(clips):
        sentences.append(
            f"the fault-filtered partition leaves out {len(clips) - len(used)} of "
            f"{len(clips)} clips"
        )
        crossing = used.groupby("group")["part"].nunique()
        shared = sorted(str(group) for group in crossing.index[crossing > 1])
        if shared:
            sentences.append(
                f"the published partition has {len(shared)} groups in more than one part: "
                + ", ".join(shared[:5])
            )
    wanted = [
        part
        for part in PARTS
        if getattr(settings, part) > 0 or settings.protocol == "fault-filtered"
    ]
    for genre, of_genre in used.groupby("genre"):
        lacking = [part for part in wanted if part not in set(of_genre["part"])]
        if lacking:
            sentences.append(_lack(str(genre), of_genre, lacking))
    return sentences


def _lack(genre: str, clips: pd.DataFrame, lacking: list[str]) -> str:
    names = sorted(clips["group"].unique())
    kinds = set(clips["group_kind"])
    kind = kinds.pop() if len(kinds) == 1 else "group"
    kind = re.sub("^(stem|row)$", "group", kind)
    where = " or ".join(lacking)
    if len(names) == 1:
        held = clips["part"].iloc[0]
        return (
            f"all {len(clips)} clips of {genre} are of one {kind} ({names[0]}): they are in "
            f"{held}, and none is in {where}"
        )
    shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    return f"{genre} has {len(names)} {kind}s ({shown}): none is in {where}"
