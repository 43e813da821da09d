"""Which loops belong to one song: by metadata where they tell, else by the file's name."""

import re
from collections.abc import Sequence

from genrescope.corpora.korean_metadata import instruments, plain

FEWEST_TO_JUDGE = 10  # clips; among fewer, values that all differ prove nothing
MOST_CLIPS_PER_PHRASE = 20  # on average; what more clips share is a kind of phrase (verse, A)
FEWEST_GROUPS = 3
MOST_CLIPS_PER_STEM = 100  # on average; more share the name of the collection, not of a song
INDEX = re.compile(r"(?:loop|phrase|part|take|ver|v|p|l|루프|프레이즈|구절)?\d+")
WITH_NUMBER = re.compile(r"(\D+)\d+")


def group_loops(
    stems: Sequence[str], songs: Sequence[str | None], phrases: Sequence[str | None]
) -> tuple[list[tuple[str, str]], list[str]]:
    """Group loops by song where known, else by phrase, else by the beginning of the stem.

    A song or phrase that differs for every loop is the loop's own number and groups nothing; a
    phrase shared by more than twenty loops on average is a kind of phrase.

    Parameters
    ----------
    stems, songs, phrases : sequence of str
        One each per loop; null where the metadata do not say.

    Returns
    -------
    groups : list of (str, str)
        Group and its kind: ``song``, ``phrase`` or ``stem``.
    notes : list of str
        Sentences on what was not used, and why.

    Examples
    --------
    >>> group_loops(["s1_drums_01", "s1_bass_01"], [None, None], [None, "A7"])
    ([('s1', 'stem'), ('A7', 'phrase')], [])
    """
    notes = []
    for kind, values in (("song", songs), ("phrase", phrases)):
        known = [value for value in values if value is not None]
        distinct = len(set(known))
        if len(known) >= FEWEST_TO_JUDGE and distinct == len(known):
            notes.append(f"the {kind} in the metadata differs for every loop, so it groups none")
        elif kind == "phrase" and distinct and len(known) / distinct > MOST_CLIPS_PER_PHRASE:
            notes.append(
                f"the phrase in the metadata has {distinct} values among {len(known)} loops, so it "
                "is taken for a kind of phrase and groups none"
            )
        else:
            continue
        if kind == "song":
            songs = [None] * len(songs)
        else:
            phrases = [None] * len(phrases)
    begins = stem_groups(stems)
    groups = [
        (song, "song") if song else (phrase, "phrase") if phrase else (begin, "stem")
        for song, phrase, begin in zip(songs, phrases, begins, strict=True)
    ]
    return groups, notes


def stem_groups(stems: Sequence[str]) -> list[str]:
    """The part of each stem that names the song.

    What stands before the instrument's name, ``song12`` of ``song12_drums_03``; without an
    instrument what stands before the last number. Where nearly all would share that (``KPOP`` of
    ``KPOP_drums_000123``), the whole stem without the instrument.

    Examples
    --------
    >>> stem_groups(["song12_drums_03", "song12_03_bass", "곡7_일렉기타", "곡7_2"])
    ['song12', 'song12_03', '곡7', '곡7']
    """
    begins = [_begin(stem) for stem in stems]
    fewest = max(FEWEST_GROUPS, len(stems) // MOST_CLIPS_PER_STEM)
    if len(stems) >= FEWEST_TO_JUDGE and len(set(begins)) < fewest:
        return [_without_instrument(stem) for stem in stems]
    return begins


def _tokens(stem: str) -> list[str]:
    return [token for token in re.split(r"[\s_.\-]+", stem) if token]


def _instrument_at(tokens: list[str]) -> tuple[int, int] | None:
    """First and past-last position of an instrument's name of one or two words."""
    words = [plain(token) for token in tokens]
    for start, word in enumerate(words):
        if "".join(words[start : start + 2]) in instruments():
            return start, min(start + 2, len(words))
        numbered = WITH_NUMBER.fullmatch(word)
        if word in instruments() or (numbered and numbered[1] in instruments()):
            return start, start + 1
    return None


def _begin(stem: str) -> str:
    tokens = _tokens(stem)
    found = _instrument_at(tokens)
    if found and found[0] > 0:
        return "_".join(tokens[: found[0]])
    if found:
        tokens = tokens[found[1] :] or tokens
    elif len(tokens) > 1 and INDEX.fullmatch(plain(tokens[-1])):
        tokens = tokens[:-1]
    return "_".join(tokens) or stem


def _without_instrument(stem: str) -> str:
    tokens = _tokens(stem)
    found = _instrument_at(tokens)
    if found:
        tokens = tokens[: found[0]] + tokens[found[1] :] or tokens
    return "_".join(tokens) or stem
