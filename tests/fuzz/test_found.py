"""What the fuzzers found: each a case of its own, made here."""

import io
import json
import struct
import zlib
from random import Random

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from fuzzing.containers import change_sound
from fuzzing.folder import pack, unpack
from fuzzing.target import Target, load, typed_errors
from fuzzing.targets import records
from fuzzing.yaml_text import BOMB
from genrescope.audio.decode import decode
from genrescope.audio.id3_field import LARGEST_FRAME
from genrescope.audio.payload import payload_digest
from genrescope.audio.probe import probe
from genrescope.audio.tags import read_tags
from genrescope.collection.listing import list_sounds
from genrescope.config import load_config
from genrescope.corpora.corpus import Corpus
from genrescope.corpora.index import index_corpus
from genrescope.corpora.korean_metadata import read_codes, read_metadata
from genrescope.corpora.table import clips_frame, failures_frame
from genrescope.errors import AudioError, ConfigError, CorpusError, GenrescopeError, TagError
from genrescope.features.extraction import extract_corpus
from genrescope.features.store import FeatureStore
from genrescope.parquet_file import read_parquet
from genrescope.report.claims.checking import check_claims
from genrescope.report.claims.claims_file import load_claims
from genrescope.report.run_directory import RunDirectory
from genrescope.settings import AudioSettings, FeatureSettings
from genrescope.study.steps import Ledger
from genrescope.taxonomy import Taxonomy, load_taxonomy
from genrescope.yaml_file import read_yaml

OPEN = Taxonomy("labels")


def sentence(error, *, of=GenrescopeError, match):
    """An error of this kind and one printable line."""
    assert isinstance(error, of) and str(error).isprintable()
    pytest.raises(ValueError, match=match).matches(ValueError(str(error)))


def refused(function, *arguments, of, match, **options):
    with pytest.raises(of) as caught:
        function(*arguments, **options)
    sentence(caught.value, of=of, match=match)


def ogg(path):
    soundfile.write(path, 0.5 * np.sin(np.arange(16000) / 9), 8000, format="OGG")
    return path.read_bytes()


# Sound


def test_an_ogg_file_is_never_searched(tmp_path, monkeypatch):
    """libsndfile 1.2.2 crashes where it searches an Ogg file with a damaged codebook."""
    path = tmp_path / "a.ogg"
    ogg(path)
    whole = decode(path, sample_rate=8000)

    def searched(*_):
        raise AssertionError("searched")

    monkeypatch.setattr(soundfile.SoundFile, "seek", searched)
    np.testing.assert_array_equal(decode(path, start_s=0.5, sample_rate=8000), whole[4000:])
    part = decode(path, start_s=1.0, duration_s=0.5, sample_rate=8000)
    np.testing.assert_array_equal(part, whole[8000:12000])


def test_damaged_oggs_end_in_a_sentence_wherever_one_begins(tmp_path):
    path, rng = tmp_path / "a.ogg", Random(5)
    content = ogg(path)
    for _ in range(100):
        path.write_bytes(change_sound(content, rng))
        for start_s in (0.3, 1.5):
            with typed_errors():
                decode(path, start_s=start_s, duration_s=1.0)


def test_a_file_name_that_no_file_can_have():
    for name in ("a\0b.wav", "a\ud800.wav"):
        refused(probe, name, of=AudioError, match="no name that a file can have")


def test_channels_beyond_numbers_are_named_without_a_warning(tmp_path):
    path = tmp_path / "a.wav"
    y = np.full((4000, 2), 3e38, np.float32)
    soundfile.write(path, y, 8000, subtype="FLOAT")
    refused(decode, path, of=AudioError, match="NaN or infinite")


def test_an_id3_frame_that_unpacks_without_a_bound(tmp_path):
    sound = io.BytesIO()
    soundfile.write(sound, np.zeros(4000), 8000, format="MP3")
    packed = zlib.compress(b"\0" + b"A" * (2 * LARGEST_FRAME))

    def syncsafe(size):
        return bytes(size >> shift & 127 for shift in (21, 14, 7, 0))

    for version, flags in ((3, b"\0\x80"), (4, b"\0\x09")):
        body = struct.pack(">I", 2 * LARGEST_FRAME) + packed
        size = syncsafe(len(body)) if version == 4 else struct.pack(">I", len(body))
        frame = b"TCON" + size + flags + body
        path = tmp_path / "a.mp3"
        path.write_bytes(
            b"ID3" + bytes([version, 0, 0]) + syncsafe(len(frame)) + frame + sound.getvalue()
        )
        refused(read_tags, path, of=TagError, match="unpacks to more than 16,777,216 bytes")


def test_an_mp4_that_ends_within_a_box(tmp_path):
    path = tmp_path / "a.m4a"
    box = struct.pack(">I4s", 8, b"mdat") + struct.pack(">I4s", 8, b"tfhd")
    path.write_bytes(struct.pack(">I4s4s", 12, b"ftyp", b"M4A ") + box)
    assert payload_digest(path)


def test_an_mp4_of_many_boxes_and_offsets_takes_linear_time(tmp_path):
    """Each offset was looked for in every box: 10^9 steps for these 500 KB."""
    n = 30_000
    boxes = struct.pack(">I4sI", 12, b"mdat", 0) * n
    offsets = struct.pack(">III", 0, n, 0) + b"\0\0\1\0" * (n - 1)
    table = struct.pack(">I4s", 8 + len(offsets), b"stco") + offsets
    path = tmp_path / "a.m4a"
    path.write_bytes(struct.pack(">I4s4s", 12, b"ftyp", b"M4A ") + boxes + table)
    assert payload_digest(path)


# YAML


@pytest.mark.parametrize(
    "text",
    [
        "2001-99-99",
        "!!int x",
        "!!float x",
        "!!bool x",
        "!!timestamp x",
        "9" * 5000,
        "0b",
        r'"\UFFFFFFFF"',
        r'"\U00110000"',
    ],
)
def test_a_yaml_value_that_is_none(tmp_path, text):
    path = tmp_path / "a.yaml"
    path.write_text(f"name: {text}\n")
    with typed_errors():
        read_yaml(path)
    with typed_errors():
        load_config(path)


@pytest.mark.parametrize("text", [r'"\0"', r'"\ud800"'])
def test_yaml_with_what_is_no_text(tmp_path, text):
    path = tmp_path / "a.yaml"
    path.write_text(f"name: {text}\n")
    refused(read_yaml, path, of=ConfigError, match="a NUL or half a letter in line 1")


def test_an_alias_bomb(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_bytes(BOMB + b"genres: *i\n")
    for function in (load_taxonomy, read_yaml, lambda path: read_codes([tmp_path / path])):
        refused(function, str(path), of=ConfigError, match="aliases make it more than 100,000")


def test_yaml_inside_itself(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("genres: &a [*a]\n")
    refused(load_taxonomy, str(path), of=ConfigError, match="aliases")


def test_a_large_yaml_file(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_bytes(b"#" * (2**20 + 1))
    refused(read_yaml, path, of=ConfigError, match="larger than 1,048,576 bytes")


def test_nobodys_home(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("{name: a, corpora: {x: {format: folder, root: ~nobody-of-this-name/x}}}")
    refused(load_config, path, of=ConfigError, match="nobody's home folder")


# Metadata, tables, lists


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("9" * 5000, "cannot be read"),
        ("[" * 100_000, "nested too deep"),
        (json.dumps({"k" * 600: {"k" * 600: 1}}), "a key is longer than 1,000 letters"),
        (" " * (2**22 + 1), "larger than 4,194,304 bytes"),
    ],
)
def test_metadata_that_blow_up(tmp_path, text, match):
    path = tmp_path / "a.json"
    path.write_text(text)
    refused(read_metadata, path, of=CorpusError, match=match)


def loop(folder, name=b"a", **metadata):
    facts = {"genre": "rock", "instrument": "bass"} | metadata
    (folder / "a.json").write_text(json.dumps(facts))
    soundfile.write(folder / "a.wav", 0.1 * np.ones(8000), 8000)


def indexed(folder):
    return index_corpus(
        "korean-loops", folder, name="k", culture="Korean", taxonomy=load_taxonomy("meta-genre")
    )


def test_a_sample_rate_beyond_numbers(tmp_path):
    loop(tmp_path, sample_rate="9" * 400, duration="9" * 400)
    assert len(indexed(tmp_path).clips) == 1


def test_half_letters_in_metadata_and_bytes_in_names(tmp_path):
    loop(tmp_path, genre="rock\ud800", song_id="\udcff")
    (tmp_path / "b\udcff.wav").touch()
    corpus = index_corpus("korean-loops", tmp_path, name="k", culture="K", taxonomy=OPEN)
    assert corpus.clips["label"].tolist() == ["rock?"]
    assert corpus.failures["reason"].tolist() == ["its name is not UTF-8; rename it"]
    corpus.to_parquet(tmp_path / "k.parquet")
    assert len(Corpus.from_parquet(tmp_path / "k.parquet").failures) == 1


def test_a_feature_table_whose_columns_differ_by_a_space(tmp_path):
    (tmp_path / "t.csv").write_text("filename,tempo,tempo ,label\na,1,2,rock\n")
    refused(
        index_corpus, "feature-table", tmp_path / "t.csv", name="t", culture="x", taxonomy=OPEN,
        of=CorpusError, match="has the column 'tempo' twice",
    )  # fmt: skip


def test_a_pattern_of_many_stars_takes_linear_time(tmp_path):
    deep = tmp_path.joinpath(*"d" * 20)
    deep.mkdir(parents=True)
    (deep / "a.wav").touch()
    pattern = f"{tmp_path}/" + "**/*/" * 12 + "**/b.wav"
    (reason,) = list_sounds([pattern])
    sentence(reason, of=AudioError, match="no sound file matches")
    assert list_sounds([f"{tmp_path}/" + "**/d/" * 12 + "**/*.wav"]) == [str(deep / "a.wav")]


# Parquet


def corpus_table(folder, change=lambda table: table, **columns):
    row = {"clip_id": "c/a@0", "corpus": "c", "path": "/none/a.wav", "label": "x", "genre": "x"}
    corpus = Corpus("c", "x", "folder", clips_frame([row]), failures_frame([]))
    path = folder / "c.parquet"
    corpus.to_parquet(path)
    table = pq.read_table(path)
    for name, values in columns.items():
        table = table.set_column(table.column_names.index(name), name, pa.array(values))
    pq.write_table(change(table), path)
    return path


@pytest.mark.parametrize(
    ("columns", "match"),
    [
        ({"start_s": [-1.0]}, "start_s of 'c/a@0' is -1.0"),
        ({"duration_s": [0.0]}, "duration_s of 'c/a@0' is 0.0"),
        ({"start_s": [np.inf]}, "start_s of 'c/a@0' is inf"),
        ({"start_s": ["soon"]}, "no table of clips"),
        ({"label": [[1, 2]]}, "more than single values"),
        ({"clip_id": pa.array([None], "str")}, "a clip has no clip_id"),
    ],
)
def test_a_corpus_table_of_nonsense(tmp_path, columns, match):
    path = corpus_table(tmp_path, **columns)
    refused(Corpus.from_parquet, path, of=CorpusError, match=match)


@pytest.mark.parametrize(
    "about", [b"", b"[]", b"{", b"[" * 10_000, b'{"version": 1}', b'{"version": 1, "name": "../x"}']
)
def test_a_corpus_table_that_says_nothing_of_itself(tmp_path, about):
    path = corpus_table(tmp_path, lambda t: t.replace_schema_metadata({b"genrescope": about}))
    with pytest.raises(CorpusError):
        Corpus.from_parquet(path)


def test_a_clip_without_a_path_is_a_failure(tmp_path):
    corpus = Corpus.from_parquet(corpus_table(tmp_path, path=pa.array([None], "str")))
    found = extract_corpus(corpus, tmp_path / "store", workers=1)
    assert len(found.failures) == 1


@pytest.mark.parametrize("content", [b"", b"\xff\xfe,\0", b'path,reason\n"open'])
def test_failures_beside_a_table_that_are_none(tmp_path, content):
    path = corpus_table(tmp_path)
    path.with_name("c.failures.csv").write_bytes(content)
    refused(Corpus.from_parquet, path, of=CorpusError, match="no table of failures")


def test_a_small_parquet_file_that_unpacks_to_gigabytes(tmp_path):
    path = tmp_path / "a.parquet"
    word = pa.DictionaryArray.from_arrays(pa.array([0] * 3000, pa.int32()), ["x" * 10**5])
    pq.write_table(pa.table({"a": word[:20]}), path, store_schema=False)
    assert read_parquet(path)["a"].to_pylist() == ["x" * 10**5] * 20
    pq.write_table(pa.table({"a": word}), path, store_schema=False)
    assert path.stat().st_size < 10**5
    with pytest.raises(ValueError, match="far more"):
        read_parquet(path)
    pq.write_table(pa.table({"a": pa.nulls(5 * 10**7, pa.int8())}), path)
    with pytest.raises(ValueError, match="more than so small a file"):
        read_parquet(path)


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_words_of_a_parquet_file_that_are_no_letters(tmp_path, kind):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": pa.array([b"fine", b"\xff\xfe"]).cast(kind, safe=False)}), path)
    with pytest.raises(ValueError, match="not Parquet that can be read"):
        read_parquet(path)


# The store


def test_a_shard_cannot_have_a_file_outside_the_store_removed(tmp_path):
    """A shard named another file as its array, and the store removed what it took for damaged."""
    precious = tmp_path / "precious.npy"
    precious.write_bytes(b"not of the store")
    settings = {"audio": AudioSettings(), "features": FeatureSettings()}
    store = FeatureStore(tmp_path / "store", **settings)
    clip = {"clip": "a", "audio_sha256": "a", "start_s": 0.0, "duration_s": 1.0,
            "failure_kind": None, "failure_reason": None, "row": 0}  # fmt: skip
    for array in ("../precious.npy", str(precious), "log_mels/../../precious.npy"):
        about = {b"genrescope": json.dumps({"array": array}).encode()}
        content = pa.BufferOutputStream()
        table = pa.Table.from_pandas(pd.DataFrame([clip]), preserve_index=False)
        pq.write_table(table.replace_schema_metadata(about), content)
        _place(store, "log_mels", content.getvalue().to_pybytes(), ".parquet")
        table, arrays = store.log_mels()
        assert len(table) == 0 and not arrays
        assert precious.exists()


def _place(store, kind, content, suffix):
    import hashlib

    name = f"{store.folders[kind]}/{hashlib.sha256(content).hexdigest()}{suffix}"
    store.place.write(name, content)
    return name


@pytest.mark.parametrize("shape", ["2**45,", "1, 9, 9", "0, 128, 128", "1, 128", '"""'])
def test_a_shard_whose_array_lies_is_extracted_again(tmp_path, shape):
    store = FeatureStore(tmp_path, audio=AudioSettings(), features=FeatureSettings())
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({shape}), }}".encode()
    header = b"\x93NUMPY\1\0" + struct.pack("<H", len(text) + 1) + text + b"\n"
    array = _place(store, "log_mels", header + bytes(4 * 81), ".npy")
    clip = {"clip": "a", "audio_sha256": "a", "start_s": 0.0, "duration_s": 1.0,
            "failure_kind": None, "failure_reason": None, "row": 0}  # fmt: skip
    table = pa.Table.from_pandas(pd.DataFrame([clip]), preserve_index=False)
    about = {b"genrescope": json.dumps({"array": array}).encode()}
    content = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata(about), content)
    _place(store, "log_mels", content.getvalue().to_pybytes(), ".parquet")
    found, _ = store.log_mels()
    assert len(found) == 0


# Runs


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("run.json", b"[]", "run.json: is damaged"),
        ("run.json", b'{"genres": ["a"], "corpora": []}', "corpora"),
        ("run.json", b"\xff", "run.json: is damaged"),
        ("results.csv", b"a,b\n1\n", "results.csv: is damaged"),
        (
            "results.csv",
            b"model,source,target,part,seed\nm,a,b,test,x\n",
            "results.csv: is damaged",
        ),
        ("results.csv", b'"', "results.csv: is damaged"),
    ],
)
def test_a_run_of_nonsense(tmp_path, name, content, match):
    (tmp_path / "run.json").write_text('{"genres": ["a"], "corpora": {}}')
    (tmp_path / "results.csv").write_text("model,source,target,part,seed\nm,a,b,test,0\n")
    RunDirectory.open(tmp_path)
    (tmp_path / name).write_bytes(content)
    refused(RunDirectory.open, tmp_path, of=GenrescopeError, match=match)


def test_models_that_were_tested_on_different_clips_are_not_compared(tmp_path):
    for name, content in unpack(load("run_directory").seeds()[0]).items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    claims = load_claims(tmp_path / "claims.yaml")
    assert check_claims(RunDirectory.open(tmp_path), claims)
    (path,) = tmp_path.glob("cells/linear/*korean/predictions.csv")
    path.write_text(path.read_text().replace("g3", "g4"))
    refused(
        check_claims, RunDirectory.open(tmp_path), claims,
        of=GenrescopeError, match=r"predictions\.csv.*not of the same clips",
    )  # fmt: skip


def test_a_record_that_names_no_file(tmp_path):
    from genrescope.files import sha256_json, write_json

    with Ledger(tmp_path) as ledger:
        ledger.run("a", {}, [], lambda: 1)
        (record,) = ledger._records()
    for files in ({"\0": ""}, {".": ""}, {"x" * 300: ""}, {".steps": ""}, {"../x": ""}):
        content = json.loads(record.read_text()) | {"files": files}
        del content["sha256"]
        write_json(record, {"sha256": sha256_json(content), **content})
        with Ledger(tmp_path) as ledger:
            assert ledger.run("a", {}, [], lambda: 2) == 2
            ledger.prune()


def test_a_finished_piece_that_is_nested_too_deeply_is_answered_again():
    deep = b"[" * 50_000 + b"]" * 50_000
    records.check(pack({records.JOURNAL: deep, "out.csv": b""}))


def test_a_target_notices_what_is_no_typed_error():
    """The checks themselves can fail."""
    target = Target(lambda data: _read(data), lambda: [b""], lambda data, rng: data)
    for odd in (KeyError, OSError, MemoryError):
        with pytest.raises(odd), typed_errors():
            raise odd
    with pytest.raises(ZeroDivisionError):
        target.check(b"")
    error = GenrescopeError("x")
    error.args = ("two\nlines",)
    with pytest.raises(AssertionError), typed_errors():
        raise error


def _read(data):
    with typed_errors():
        1 / len(data)
