"""Which of many sounds are the same recording, found without comparing each with each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from genrescope.audio.fingerprint import HOP_S, Agreement, Bits, Fingerprint, agreement

MIN_SHARE = 0.85  # of equal bits; lossy copies of real tracks keep .88, others have .61 at most
MIN_SCORE = 8.0  # standard deviations: a chance of 6e-16 at one offset of one pair
MIN_BITS = 1000
MIN_OVERLAP_S = 1.0
MIN_OVERLAP_SHARE = 0.25  # of the shorter sound
MIN_RICHNESS = 8.0  # reliable bits per frame on average; below it a sound is too plain
PROBED_BITS = 12  # a frame with fewer reliable bits says too little to look others up by
MIN_HITS = 2  # frames that lead to the same offset
COMMON_VALUE = 500  # frames that share a value beyond which it leads nowhere
BEST_OFFSETS = 8  # of a pair that are compared
QUERIES_AT_A_TIME = 200_000
LONGEST_FRAMES = 2**22  # 13 hours

Keys = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Match:
    """Two sounds that are the same recording.

    Attributes
    ----------
    first, second : int
        Positions in the sequence that was searched; the first is the smaller.
    offset_s : float
        Where in the first sound the second begins, in seconds; negative where it begins earlier.
    agreement : Agreement
        How well they agree there.
    """

    first: int
    second: int
    offset_s: float
    agreement: Agreement


def comparable(sound: Fingerprint) -> bool:
    """Whether a sound is long and rich enough to be recognised.

    Examples
    --------
    >>> from genrescope.audio.fingerprint import fingerprint
    >>> comparable(fingerprint(np.zeros(66150)))
    False
    """
    return sound.richness >= MIN_RICHNESS


def is_match(found: Agreement, *, shorter_s: float) -> bool:
    """Whether an agreement is good enough for two sounds to be called the same recording.

    At least 85% of 1,000 bits or more must be equal, the score must be 8 or more, and the sounds
    must lie over one another for a second and a quarter of the shorter one. At their best offset
    unrelated GTZAN tracks have up to 61% of bits equal, copies at 24 kbit/s 88% and more. Sounds
    that share only a drum loop agree in part of the bands and stay below. What can pass is two
    loops of one synthesiser that hold the same few notes for the whole of the overlap.

    A score of 8 has a chance of 6e-16 where scores are standard normal. If they are so that far
    out, a search through a thousand tracks of 30 s (half a million pairs, 5,000 offsets each)
    raises a false alarm by chance with a probability of 2e-6. Music that is alike is no chance:
    against it stands the share of 85%.

    Parameters
    ----------
    found : Agreement
        From `agreement`.
    shorter_s : float
        Length of the shorter sound, in seconds.
    """
    return (
        found.share >= MIN_SHARE
        and found.score >= MIN_SCORE
        and found.bits >= MIN_BITS
        and found.overlap_s >= max(MIN_OVERLAP_S, MIN_OVERLAP_SHARE * shorter_s)
    )


def find_matches(sounds: Sequence[Fingerprint]) -> list[Match]:
    """Find all pairs of sounds that are the same recording.

    Every frame looks up the frames with its own 32 bits, also with each of its three weakest bits
    turned over [1]_. Two frames that meet propose a pair and an offset; proposals made twice are
    compared over their whole overlap. Work grows with the number of meetings, not of pairs.

    Parameters
    ----------
    sounds : sequence of Fingerprint
        Any number; those too plain to be recognised (see `comparable`) match nothing.

    Returns
    -------
    list of Match
        At most one per pair, at its best offset; by `first`, then `second`.

    References
    ----------
    .. [1] J. Haitsma and T. Kalker, "A highly robust audio fingerprinting system", ISMIR 2002,
       sections 5.2 and 5.3.

    Examples
    --------
    >>> from genrescope.audio.fingerprint import fingerprint
    >>> rng = np.random.default_rng(0)
    >>> a, b = rng.normal(size=(2, 6 * 22050))
    >>> match, = find_matches([fingerprint(y) for y in (a, b, a[2 * 22050 : 5 * 22050] / 3)])
    >>> match.first, match.second, round(match.offset_s, 1)
    (0, 2, 2.0)
    """
    best: dict[tuple[int, int], Match] = {}
    for first, second, proposed in _proposals(sounds):
        a, b = sounds[first], sounds[second]
        # A proposal may be a frame off: the copy's frames lie between the original's.
        offset, found = max(
            ((near, agreement(a, b, near)) for near in range(proposed - 1, proposed + 2)),
            key=lambda one: (one[1].share, one[1].frames),
        )
        if not is_match(found, shorter_s=min(a.duration_s, b.duration_s)):
            continue
        known = best.get((first, second))
        if known is None or found.score > known.agreement.score:
            best[first, second] = Match(first, second, offset * HOP_S, found)
    return [best[pair] for pair in sorted(best)]


def _proposals(sounds: Sequence[Fingerprint]) -> Iterator[tuple[int, int, int]]:
    """Pairs and offsets that deserve a comparison: first, second, frames."""
    kept = [index for index, sound in enumerate(sounds) if comparable(sound)]
    if len(kept) < 2:
        return
    frames = _Frames.of(sounds, kept)
    found = [np.unique(keys, return_counts=True) for keys in _meetings(frames, len(sounds))]
    if not found:
        return
    keys, where = np.unique(np.concatenate([part for part, _ in found]), return_inverse=True)
    hits = np.bincount(where, weights=np.concatenate([counts for _, counts in found]))
    # Offsets beside each other belong together: the copy's frames lie between the original's.
    beside = np.flatnonzero(np.diff(keys) == 1)
    together = hits.copy()
    together[beside] += hits[beside + 1]
    together[beside + 1] += hits[beside]
    enough = together >= MIN_HITS
    pairs, offsets = np.divmod(keys[enough], 2 * LONGEST_FRAMES)
    # By pair, most hits first: repetitive music proposes many offsets, the best of them suffice.
    order = np.lexsort((-together[enough], pairs))
    pairs, offsets = pairs[order], offsets[order] - LONGEST_FRAMES
    rank = np.arange(len(pairs)) - np.searchsorted(pairs, pairs)
    for pair, offset in zip(pairs[rank < BEST_OFFSETS], offsets[rank < BEST_OFFSETS], strict=True):
        first, second = divmod(int(pair), len(sounds))
        yield first, second, int(offset)


@dataclass(frozen=True)
class _Frames:
    """All frames that say enough, sorted by value."""

    values: Bits
    weak: Bits
    owners: Keys
    positions: Keys

    @classmethod
    def of(cls, sounds: Sequence[Fingerprint], kept: Sequence[int]) -> "_Frames":
        telling = [np.bitwise_count(sounds[index].reliable) >= PROBED_BITS for index in kept]
        parts = list(zip(kept, telling, strict=True))
        values = np.concatenate([sounds[index].bits[rows] for index, rows in parts])
        weak = np.concatenate([sounds[index].weak[rows] for index, rows in parts])
        owners = np.concatenate([np.full(rows.sum(), index, np.int64) for index, rows in parts])
        positions = np.concatenate([np.flatnonzero(rows) for rows in telling])
        order = np.argsort(values, kind="stable")
        return cls(values[order], weak[order], owners[order], positions[order])


def _meetings(frames: _Frames, n_sounds: int) -> Iterator[Keys]:
    """Keys of pair and offset, one for each two frames that meet."""
    for first in range(0, len(frames.values), QUERIES_AT_A_TIME):
        block = slice(first, first + QUERIES_AT_A_TIME)
        for probe in range(-1, frames.weak.shape[1]):
            queries = frames.values[block]
            rows = np.arange(first, first + len(queries))
            if probe >= 0:
                turned = frames.weak[block, probe]
                queries, rows = (queries ^ turned)[turned > 0], rows[turned > 0]
            start = np.searchsorted(frames.values, queries, side="left")
            counts = np.searchsorted(frames.values, queries, side="right") - start
            counts[counts > COMMON_VALUE] = 0
            asking = np.repeat(rows, counts)
            steps = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
            answering = np.repeat(start, counts) + steps
            yield _keys(frames, asking, answering, n_sounds, both_ways=probe >= 0)


def _keys(
    frames: _Frames, asking: Keys, answering: Keys, n_sounds: int, *, both_ways: bool
) -> Keys:
    first, second = frames.owners[asking], frames.owners[answering]
    offset = frames.positions[asking] - frames.positions[answering]
    later = first > second
    # Equal values meet twice, once from either side; a turned bit leads one way only.
    used = first != second if both_ways else first < second
    first, second = np.where(later, second, first)[used], np.where(later, first, second)[used]
    offset = np.where(later, -offset, offset)[used]
    keys: Keys = (first * n_sounds + second) * (2 * LONGEST_FRAMES) + offset + LONGEST_FRAMES
    return keys
