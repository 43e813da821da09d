"""The audit of corpora: duplicates, leaks, faults, and what a model may learn instead of genres."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from genrescope.audio.matches import comparable
from genrescope.corpora.confounds import (
    corpus_differences,
    dominant_groups,
    genre_bandwidths,
    odd_clips,
    shared_artists,
)
from genrescope.corpora.corpus import Corpus
from genrescope.corpora.duplicates import find_duplicates
from genrescope.corpora.faults import fault_findings, known_faults
from genrescope.corpora.findings import (
    Row,
    duplicate_findings,
    finding,
    findings_frame,
    split_findings,
)
from genrescope.corpora.hearing import Heard, hear
from genrescope.errors import CorpusError
from genrescope.files import write_csv
from genrescope.parallel import Workers
from genrescope.parquet_file import read_frame

SUMMARY_MEASURES = (
    "peak", "clipped_share", "silent_share", "level_dbfs", "bandwidth_hz", "high_share"
)  # fmt: skip
ALL = "(all)"


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    Attributes
    ----------
    findings : pandas.DataFrame
        A row per finding, most important first: `kind`, `corpus`, `genre`, `value`, `sentence`.
    duplicates : pandas.DataFrame
        A row per pair of files, see `genrescope.corpora.duplicates.find_duplicates`.
    clips : pandas.DataFrame
        A row per clip with its measures, see `genrescope.corpora.hearing.Heard`.
    faults : pandas.DataFrame
        Known faults of GTZAN among the clips: `corpus`, `excerpt`, `kind`, `fault`, and `used`,
        whether a clip of the excerpt is in the corpus table.
    summary : pandas.DataFrame
        A row per corpus and genre, and one with the genre ``(all)`` per corpus: number of clips,
        medians of the measures, and `has_high`, the share of clips with energy above 8 kHz.
    failures : pandas.DataFrame
        What could not be heard: `path`, `reason`, `kind`.
    """

    findings: pd.DataFrame
    duplicates: pd.DataFrame
    clips: pd.DataFrame
    faults: pd.DataFrame
    summary: pd.DataFrame
    failures: pd.DataFrame

    def frame(self) -> pd.DataFrame:
        """The findings as a table."""
        return self.findings.copy()

    def text(self) -> str:
        """The findings as sentences, a line each, below one line that says what was heard."""
        files, corpora = self.clips["path"].nunique(), self.clips["corpus"].nunique()
        sentences = [str(sentence) for sentence in self.findings["sentence"]]
        head = (
            f"{len(self.clips)} clips in {files} files of {corpora} "
            f"{'corpus' if corpora == 1 else 'corpora'}: {len(sentences) or 'no'} "
            f"finding{'' if len(sentences) == 1 else 's'}"
        )
        return "\n".join([head, *sentences])

    def write(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Write every table as CSV.

        Parameters
        ----------
        folder : path-like
            Gets `findings.csv`, `duplicates.csv`, `clips.csv`, `faults.csv`, `summary.csv` and
            `failures.csv`; made where it is missing.

        Returns
        -------
        list of pathlib.Path
            The files.

        Raises
        ------
        OutputError
            Where a file cannot be written.
        """
        names = ("findings", "duplicates", "clips", "faults", "summary", "failures")
        for name in names:
            write_csv(Path(folder) / f"{name}.csv", getattr(self, name))
        return [Path(folder) / f"{name}.csv" for name in names]


def audit(
    corpora: Sequence[Corpus],
    *,
    parts: "pd.Series[str] | None" = None,
    workers: Workers = None,
) -> Audit:
    """Listen to corpora and say what is wrong with them as material for a study.

    Each file is decoded once. Duplicates are sought within and across corpora; levels and
    bandwidths are compared between corpora and between genres. Scores that a classifier reaches
    through what is found here say nothing about genres.

    Parameters
    ----------
    corpora : sequence of Corpus
        One or more, with different names.
    parts : pandas.Series, optional
        A split to check: index `clip_id`, values ``train``, ``validation``, ``test``; as
        `split_clips` gives it.
    workers : Workers
        Processes; the usable cores where None.

    Returns
    -------
    Audit
        Files that cannot be heard are rows of its `failures`.

    Raises
    ------
    CorpusError
        Where there is no corpus, two have one name, or none has sound.

    Examples
    --------
    >>> import tempfile
    >>> from genrescope.corpora import index_corpus
    >>> from genrescope.corpora.synthetic import write_synthetic
    >>> from genrescope.taxonomy import load_taxonomy
    >>> root = write_synthetic(tempfile.mkdtemp(), style="korean", size=6, workers=1)
    >>> corpus = index_corpus(
    ...     "synthetic", root, name="toy", culture="Korean", taxonomy=load_taxonomy("meta-genre")
    ... )
    >>> found = audit([corpus], workers=1)
    >>> len(found.clips) == len(corpus.clips), len(found.duplicates)
    (True, 0)
    """
    names = [corpus.name for corpus in corpora]
    if not names:
        raise CorpusError("there is no corpus to audit")
    if twice := {name for name in names if names.count(name) > 1}:
        raise CorpusError(f"two corpora are called {min(twice)}: index one under another name")
    if all(corpus.features is not None for corpus in corpora):
        raise CorpusError("feature tables have no sound to listen to")
    heard = hear(corpora, workers=workers)
    documented = [c for c in corpora if c.format == "gtzan" and not c.synthetic]
    duplicates = find_duplicates(heard, documented={corpus.name for corpus in documented})
    faults = known_faults(documented)
    rows = [
        *duplicate_findings(duplicates),
        *shared_artists(_with_genre(corpora)),
        *dominant_groups(_with_genre(corpora)),
        *genre_bandwidths(heard.clips),
        *corpus_differences(heard.clips),
        *fault_findings(faults),
        *odd_clips(heard.clips),
        *_unheard(corpora, heard),
    ]
    if parts is not None:
        rows += split_findings(_all_clips(corpora), duplicates, parts)
    return Audit(
        findings=findings_frame(rows),
        duplicates=duplicates,
        clips=heard.clips,
        faults=faults,
        summary=_summary(heard.clips),
        failures=heard.failures,
    )


def read_parts(path: str | os.PathLike[str]) -> "pd.Series[str]":
    """The first split of a run's `splits.parquet`: index `clip_id`, values its parts.

    Raises
    ------
    CorpusError
        Where the file is missing or no such table.
    """
    try:
        table = read_frame(path)
        table = table[table["seed"] == table["seed"].min()]
        parts: pd.Series[str] = table.astype({"clip_id": "str"}).set_index("clip_id")["part"]
        return parts.astype("str")
    except FileNotFoundError as error:
        raise CorpusError("does not exist", path=path) from error
    except (OSError, LookupError, TypeError, ValueError) as error:
        raise CorpusError("is no table of splits as a study writes it", path=path) from error


def _unheard(corpora: Sequence[Corpus], heard: Heard) -> list[Row]:
    """What was not compared: plain sounds, failures, corpora without sound."""
    rows = []
    plain = [
        path
        for path, sound in zip(heard.paths, heard.fingerprints, strict=True)
        if not comparable(sound)
    ]
    every = _all_clips(corpora)
    for corpus in corpora:
        if corpus.features is not None:
            sentence = f"{corpus.name} is a feature table: there is no sound to listen to"
            rows.append(finding("failure", corpus.name, sentence))
            continue
        paths = set(every.loc[every["corpus"] == corpus.name, "path"])
        if count := len(paths.intersection(plain)):
            sentence = (
                f"{count} of {len(paths)} files of {corpus.name} are too short or too plain (few "
                "bands hold energy) to be recognised: only exact copies of them are found"
            )
            rows.append(finding("plain-sound", corpus.name, sentence, value=count))
        if count := int(heard.failures["path"].isin(paths).sum()):
            sentence = f"{count} files or clips of {corpus.name} could not be heard"
            rows.append(finding("failure", corpus.name, sentence, value=count))
    return rows


def _all_clips(corpora: Sequence[Corpus]) -> pd.DataFrame:
    return pd.concat([corpus.clips for corpus in corpora], ignore_index=True)


def _with_genre(corpora: Sequence[Corpus]) -> pd.DataFrame:
    clips = _all_clips(corpora)
    return clips[clips["genre"].notna()]


def _summary(clips: pd.DataFrame) -> pd.DataFrame:
    tables = []
    for keys in (["corpus"], ["corpus", "genre"]):
        grouped = clips.groupby(keys, sort=False)
        table = grouped[list(SUMMARY_MEASURES)].median()
        table.insert(0, "clips", grouped.size())
        table["has_high"] = grouped["has_high"].mean()
        tables.append(table.reset_index())
    tables[0].insert(1, "genre", ALL)
    joined = pd.concat(tables, ignore_index=True)
    return joined.sort_values("corpus", kind="stable").reset_index(drop=True)
