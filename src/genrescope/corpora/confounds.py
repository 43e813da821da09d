"""What a model may learn instead of the genre: artists, bandwidth, level, clipping, silence."""

from itertools import combinations

import numpy as np
import pandas as pd

from genrescope.audio.measures import HIGH_HZ
from genrescope.corpora.findings import Row, finding

DOMINANT_SHARE = 0.25
FEW_CLIPS = 5  # of a genre: below it a share says nothing
NEARLY_ALL, NEARLY_NONE = 0.8, 0.2  # of clips, for energy above 8 kHz
LEVEL_DIFFERENCE_DB = 3.0
BANDWIDTH_RATIO = 1.25
CLIPPED_SHARE = 1e-3  # of samples: audible
SILENT_SHARE = 0.2  # of a clip


def dominant_groups(clips: pd.DataFrame) -> list[Row]:
    """Artists, or groups where no artist is known, that hold a quarter of a genre's clips."""
    rows = []
    for (corpus, genre), of_genre in clips.groupby(["corpus", "genre"], sort=False):
        names = of_genre["artist"].fillna(of_genre["group"])
        counts = names.value_counts()
        for name, count in counts[counts >= max(2, DOMINANT_SHARE * len(of_genre))].items():
            known = (of_genre["artist"] == name).any()
            whose = f"by the artist {name}" if known else f"of the group {name}"
            rows.append(
                finding(
                    "dominant-group",
                    str(corpus),
                    f"{count} of {len(of_genre)} clips of {genre} in {corpus} are {whose}"
                    ": what is learnt as the genre may be its sound",
                    genre=str(genre),
                    value=count / len(of_genre),
                )
            )
    return sorted(rows, key=lambda row: -row["value"])


def shared_artists(clips: pd.DataFrame) -> list[Row]:
    """Artists in two corpora: each is split by itself, so they may be on both sides."""
    known = clips[clips["artist"].notna()]
    artists = {str(corpus): set(table["artist"]) for corpus, table in known.groupby("corpus")}
    rows = []
    for a, b in combinations(artists, 2):
        both = sorted(artists[a] & artists[b])
        if both:
            shown = ", ".join(both[:3]) + (", ..." if len(both) > 3 else "")
            what = "artist is" if len(both) == 1 else "artists are"
            rows.append(
                finding(
                    "shared-artist",
                    f"{a}+{b}",
                    f"{len(both)} {what} in both {a} and {b} ({shown}): a model trained on one is "
                    "tested on voices it knows in the other",
                    value=len(both),
                )
            )
    return rows


def genre_bandwidths(clips: pd.DataFrame) -> list[Row]:
    """Genres that are nearly alone in having, or lacking, energy above 8 kHz."""
    rows = []
    for corpus, of_corpus in clips[clips["genre"].notna()].groupby("corpus", sort=False):
        for genre in of_corpus["genre"].unique():
            inside = of_corpus["genre"] == genre
            if min(inside.sum(), (~inside).sum()) < FEW_CLIPS:
                continue
            has = float(of_corpus.loc[inside, "has_high"].mean())
            others = float(of_corpus.loc[~inside, "has_high"].mean())
            if not (has >= NEARLY_ALL and others <= NEARLY_NONE) and not (
                has <= NEARLY_NONE and others >= NEARLY_ALL
            ):
                continue
            rows.append(
                finding(
                    "genre-bandwidth",
                    str(corpus),
                    f"{has:.0%} of the clips of {genre} in {corpus} have energy above "
                    f"{HIGH_HZ / 1000:g} kHz, of all other genres {others:.0%}: bandwidth alone "
                    f"tells {genre} apart",
                    genre=str(genre),
                    value=has - others,
                )
            )
    return rows


def corpus_differences(clips: pd.DataFrame) -> list[Row]:
    """Pairs of corpora whose median level or bandwidth differ."""
    rows = []
    medians = clips.groupby("corpus", sort=False)[["level_dbfs", "bandwidth_hz"]].median()
    for a, b in combinations(medians.index, 2):
        levels, widths = medians.loc[[a, b], "level_dbfs"], medians.loc[[a, b], "bandwidth_hz"]
        difference = float(levels[a] - levels[b])
        if np.isfinite(difference) and abs(difference) > LEVEL_DIFFERENCE_DB:
            louder, softer = (a, b) if difference > 0 else (b, a)
            rows.append(
                finding(
                    "corpus-level",
                    f"{a}+{b}",
                    f"{louder} is {abs(difference):.1f} dB louder than {softer} (medians "
                    f"{levels[louder]:.1f} and {levels[softer]:.1f} dBFS): features of level tell "
                    "the corpora apart, whatever the music",
                    value=difference,
                )
            )
        ratio = float(widths[a] / widths[b]) if widths[b] else float("nan")
        if np.isfinite(ratio) and max(ratio, 1 / ratio) > BANDWIDTH_RATIO:
            rows.append(
                finding(
                    "corpus-bandwidth",
                    f"{a}+{b}",
                    f"99% of the energy lies below {widths[a]:.0f} Hz in {a} and below "
                    f"{widths[b]:.0f} Hz in {b} (medians): bandwidth tells the corpora apart",
                    value=ratio,
                )
            )
    return rows


def odd_clips(clips: pd.DataFrame) -> list[Row]:
    """How many clips of each corpus are clipped, or silent in part."""
    rows = []
    for kind, column, most, what in (
        ("clipping", "clipped_share", CLIPPED_SHARE, "clipped in more than 0.1% of samples"),
        ("silence", "silent_share", SILENT_SHARE, "silent for more than a fifth"),
    ):
        for corpus, of_corpus in clips.groupby("corpus", sort=False):
            worst = of_corpus[of_corpus[column] > most].sort_values(column, ascending=False)
            if len(worst):
                rows.append(
                    finding(
                        kind,
                        str(corpus),
                        f"{len(worst)} of {len(of_corpus)} clips of {corpus} "
                        f"{'is' if len(worst) == 1 else 'are'} {what}, the worst "
                        f"{worst['clip_id'].iloc[0]} ({worst[column].iloc[0]:.1%})",
                        value=len(worst) / len(of_corpus),
                    )
                )
    return rows
