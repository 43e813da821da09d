"""What a run keeps of its finished work: ledger records, predict's journal, its older output."""

import functools
import json
from pathlib import Path
from random import Random

from fuzzing.folder import change_files, pack, unpack, write
from fuzzing.mutation import change_json, change_lines
from fuzzing.target import Target, scratch, typed_errors
from genrescope.collection import prediction_file
from genrescope.collection.journal import LINE, _digest
from genrescope.collection.predicting import Model, Wanted
from genrescope.files import output_errors, sha256_json
from genrescope.models.doubt import Doubt
from genrescope.report.answers import Answer
from genrescope.study.steps import Ledger

KEY = "0" * 64
JOURNAL = ".out.csv.journal"
GENRES = ("a", "b")
ANSWER = Answer(
    "a.wav", "m@12345678", 5.0, 1, 0, "a", {"a": 0.75, "b": 0.25},
    Doubt(("a",), 0.9, 0.5, False, True, ("tempo",)),
)  # fmt: skip


def _ledger(folder: Path) -> None:
    def write_step(name: str) -> dict[str, str]:
        with output_errors(folder):
            (folder / "cells").mkdir(exist_ok=True)
            (folder / "cells" / f"{name}.txt").write_text(name)
        return {"name": name}

    with Ledger(folder) as ledger:
        for name in ("a", "b"):
            path = folder / "cells" / f"{name}.txt"
            ledger.run(name, {"x": 1}, [path], functools.partial(write_step, name))
            # A record with a right digest may say that a step wrote nothing.
            assert name not in ledger.computed or path.read_text() == name
        ledger.timed("c", lambda: 1)
        ledger.prune()


@functools.cache
def seeds() -> tuple[bytes, ...]:
    """Records of a run; a journal; outputs in two formats."""
    with scratch() as folder:
        _ledger(folder)
        run = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name != "lock"
        }
    pieces = [[[ANSWER.to_dict()]], [{"path": "b.wav", "reason": "is silent", "kind": "silent"}]]
    lines = [json.dumps(piece).encode() for piece in pieces]
    journal = {JOURNAL: b"\n".join(lines), "out.csv": b""}
    csv = b"path,model,duration_s,windows,genre,a,b\na.wav,m@12345678,5.0,1,a,0.75,0.25\n"
    jsonl = json.dumps({"path": "a.wav", "model": "m@12345678"}).encode() + b"\n"
    return pack(run), pack(journal), pack({"out.csv": csv}), pack({"out.jsonl": jsonl})


def check(data: bytes) -> None:
    """Go on with a run, a journal or an output that anyone may have written."""
    files = unpack(data)
    with scratch() as folder:
        write(_with_digests(files), folder / "run")
        precious = folder / "precious.txt"
        precious.write_text("not of the run")
        outside = precious.stat().st_mtime_ns
        if any(name.startswith(".steps") for name in files):
            with typed_errors():
                _ledger(folder / "run")
        for suffix in ("csv", "jsonl"):
            if f"out.{suffix}" in files:
                _predict(folder / "run" / f"out.{suffix}", suffix)
        assert precious.stat().st_mtime_ns == outside


def _with_digests(files: dict[str, bytes]) -> dict[str, bytes]:
    """Records and lines under the digests that whoever changes them on purpose computes anew."""
    made = dict(files)
    for name, content in files.items():
        if name == JOURNAL:
            pieces = content.split(b"\n")
            lines = (LINE % (KEY.encode(), _digest(KEY, piece), piece) for piece in pieces)
            made[name] = b"".join(lines)
        elif name.startswith(".steps"):
            made[name] = _record(content)
    return made


def _record(content: bytes) -> bytes:
    try:
        record = json.loads(content)
        record.pop("sha256")
        return json.dumps({"sha256": sha256_json(record), **record}).encode()
    except (AttributeError, LookupError, TypeError, ValueError, RecursionError):
        return content


def _predict(out: Path, suffix: str) -> None:
    """Write predictions where no model is asked: the journal's pieces are all there is."""
    exists = "overwrite" if out.with_name(JOURNAL).exists() else "skip"

    def key(_: object) -> str:
        return KEY

    def nothing(shards: list[object], **_: object) -> list[object]:
        return [[[ANSWER]] for _ in shards]

    kept = prediction_file._key, prediction_file.predict_shards
    prediction_file._key, prediction_file.predict_shards = key, nothing  # type: ignore[assignment]
    try:
        with typed_errors():
            written = prediction_file.write_predictions(
                out, [Model(str(out.parent / "m"), "m", "12345678")], ["a.wav"],
                format=suffix, genres=GENRES, wanted=Wanted(), exists=exists,
            )  # fmt: skip
            assert written.kept + written.answered + len(written.failures) >= 1
    finally:
        prediction_file._key, prediction_file.predict_shards = kept


def mutate(data: bytes, rng: Random) -> bytes:
    """Change a record as JSON, a journal line by line."""
    files = unpack(data)
    if JOURNAL in files and rng.random() < 0.8:
        return pack(files | {JOURNAL: change_lines(files[JOURNAL], rng, change_json)})
    return change_files(data, rng)


TARGET = Target(check, seeds, mutate, memory=2**29, longest=2**15, examples=250)
