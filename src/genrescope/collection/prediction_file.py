"""Answers about many files in one file that is there whole or not at all, and that runs resume."""

import csv
import io
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from genrescope import __version__
from genrescope.collection.journal import Journal
from genrescope.collection.listing import Listed
from genrescope.collection.predicting import (
    GENRE_ALONE,
    Model,
    Outcome,
    Shard,
    Wanted,
    cut_shards,
    predict_shards,
)
from genrescope.corpora.table import FAILURE_COLUMNS
from genrescope.errors import AudioError, ConfigError, GenrescopeError, OutputError, RemoteError
from genrescope.files import atomic_path, output_errors, sha256_json, sweep_beside
from genrescope.parallel import Workers
from genrescope.progress import progress
from genrescope.remote import content_identity, is_url, look_up
from genrescope.report.answers import Answer
from genrescope.report.layouts import Layout, create_layout, encodable

EXISTS = ("fail", "skip", "overwrite")


@dataclass
class Written:
    """What became of the files.

    Attributes
    ----------
    answered : int
        Files with an answer of each model.
    kept : int
        Files that were in the file before and were left as they are.
    resumed : int
        Files that a stopped run had done.
    failures : list of GenrescopeError
    failures_file : pathlib.Path
        Lists the failures, where there are any: `path`, `reason`, `kind`.
    """

    failures_file: Path
    answered: int = 0
    kept: int = 0
    resumed: int = 0
    failures: list[GenrescopeError] = field(default_factory=list)


def write_predictions(
    out: Path,
    models: Sequence[Model],
    files: Sequence[Listed],
    *,
    format: str,  # noqa: A002 (the option's word)
    genres: Sequence[str],
    wanted: Wanted = GENRE_ALONE,
    exists: str = "fail",
    workers: Workers = None,
) -> Written:
    """Ask models about files and write what they say.

    What is finished is kept beside `out` as it goes, known by the models, the settings and the
    files with their sizes and times of change. A run that was killed goes on from there, and the
    file it writes is that of a run in one go, byte for byte.

    Parameters
    ----------
    out : pathlib.Path
        The file; there whole or not at all. Failures go to `<stem>.failures.csv` beside it.
    models, genres
        From `name_models`.
    files : sequence of Listed
        From `list_sounds`.
    format : str
        One of `genrescope.report.layouts.FORMATS`.
    wanted : Wanted
    exists : {"fail", "skip", "overwrite"}
        Where `out` is there already: refuse; leave what it says and add the files it does not
        answer for, in `csv` and `jsonl`; or replace it.
    workers : Workers
        Processes; the usable cores where None.

    Raises
    ------
    OutputError
        Where `out` exists and that is not wanted, holds answers of other models, is being written
        by another run, or cannot be written.
    BundleError, ConfigError
        Where a model cannot be loaded, or `format` or `exists` is not known.
    """
    if exists not in EXISTS:
        raise ConfigError(f"exists is {exists!r}, it should be one of {', '.join(EXISTS)}")
    written = Written(out.with_name(f"{out.stem}.failures.csv"))
    layout = create_layout(
        format,
        paths=[file for file in files if isinstance(file, str)],
        models=[model.label for model in models],
        genres=genres,
        timeline=wanted.timeline,
    )
    with Journal(out) as journal:
        for path in (out, written.failures_file):
            sweep_beside(path)
        files = list(dict.fromkeys(files))
        # A run that was killed at its very end left both the file and the journal.
        if exists == "fail" and journal.holds_all(_shards(models, files, wanted)):
            exists = "overwrite"
        kept = _present(out, layout, models, exists)
        files = [
            file for file in files if isinstance(file, AudioError) or encodable(file) not in kept
        ]
        written.kept = len(kept)
        shards = _shards(models, files, wanted)
        journal.recover(shards)
        missing = {key: shard for key, shard in shards.items() if not _is_done(journal, key, shard)}
        written.resumed = len(files) - sum(len(shard.files) for shard in missing.values())
        with progress(len(files) - written.resumed, "predicting", unit="files") as bar:
            found = predict_shards(list(missing.values()), workers=workers)
            for key, outcomes in zip(missing, found, strict=True):
                journal.add(key, [_plain(outcome) for outcome in outcomes])
                bar.advance(len(outcomes))
        with atomic_path(out) as temporary, temporary.open("wb") as file:
            if kept:
                with out.open("rb") as before:
                    shutil.copyfileobj(before, file)
            else:
                file.write(layout.start().encode())
            for outcome in (one for key in shards for one in map(_outcome, journal.read(key))):
                if isinstance(outcome, GenrescopeError):
                    written.failures.append(outcome)
                    continue
                written.answered += 1
                for answer in outcome:
                    file.write(layout.text(answer).encode())
            file.write(layout.end().encode())
        _write_failures(written)
        journal.remove()
    return written


def _shards(models: Sequence[Model], files: Sequence[Listed], wanted: Wanted) -> dict[str, Shard]:
    look_up([file for file in files if isinstance(file, str)])
    return {_key(shard): shard for shard in cut_shards(models, files, wanted)}


def _key(shard: Shard) -> str:
    """Digest of everything the outcome of a shard depends on."""
    return sha256_json(
        {
            "version": __version__,
            "models": shard.models,
            "wanted": shard.wanted,
            "files": [_fingerprint(file) for file in shard.files],
        }
    )


def _fingerprint(file: Listed) -> list[Any]:
    if isinstance(file, AudioError):
        return [file.path, file.reason, file.kind]
    if is_url(file):
        try:
            return [file, content_identity(file)]
        except RemoteError as error:
            if error.kind == "unreachable":
                raise
            return [file]
    try:
        status = os.stat(file)  # noqa: PTH116 (of 50,000 files)
    except OSError:
        return [file]
    return [file, status.st_size, status.st_mtime_ns]


def _plain(outcome: Outcome) -> Any:
    if isinstance(outcome, GenrescopeError):
        return {"path": outcome.path, "reason": outcome.reason, "kind": outcome.kind}
    return [answer.to_dict() for answer in outcome]


def _is_done(journal: Journal, key: str, shard: Shard) -> bool:
    """Whether the journal has the outcome of every file of a shard, in a form to be written."""
    if key not in journal:
        return False
    try:
        return len([_outcome(one) for one in journal.read(key)]) == len(shard.files)
    except (LookupError, RecursionError, TypeError, ValueError):
        return False


def _outcome(content: Any) -> Outcome:
    if isinstance(content, dict):
        reason, path, kind = content["reason"], content["path"], content["kind"]
        if not isinstance(reason, str) or not isinstance(path, str) or not isinstance(kind, str):
            raise ValueError("a failure is no text")
        return AudioError(reason, path=path, kind=kind)
    return [Answer.from_dict(one) for one in content]


def _write_failures(written: Written) -> None:
    if not written.failures:
        with output_errors(written.failures_file):
            written.failures_file.unlink(missing_ok=True)
        return
    with (
        atomic_path(written.failures_file) as temporary,
        temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(FAILURE_COLUMNS)
        rows.writerows((one.path, one.reason, one.kind) for one in written.failures)


def _present(out: Path, layout: Layout, models: Sequence[Model], exists: str) -> set[str]:
    """Files that an older output answers for and that shall stay."""
    if not out.exists() or exists == "overwrite":
        return set()
    if exists == "fail":
        reason = "exists already; --exists skip adds to it, --exists overwrite replaces it"
        raise OutputError(reason, path=out)
    if not layout.extends:
        raise OutputError("nothing can be added to this format; csv and jsonl can grow", path=out)
    with output_errors(out), out.open("rb") as file:
        start = layout.start().encode()
        if file.read(len(start)) != start:
            raise OutputError("has other columns than these models and options give", path=out)
        file.seek(0)
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        rows = csv.DictReader(text) if start else map(json.loads, text)
        paths, said_by = _who_said_what(rows, out)
    others = said_by - {model.label for model in models}
    if others or (said_by and len(said_by) < len(models)):
        reason = f"holds the answers of {', '.join(sorted(said_by))}; give the same models"
        raise OutputError(f"{reason} or another -o", path=out)
    return paths


def _who_said_what(rows: Iterator[dict[str, Any]], out: Path) -> tuple[set[str], set[str]]:
    paths: set[str] = set()
    models: set[str] = set()
    try:
        for row in rows:
            paths.add(encodable(row["path"]))
            models.add(encodable(row["model"]))
    except (
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
        csv.Error,
    ) as error:
        raise OutputError("holds something else than answers of genrescope", path=out) from error
    return paths, models
