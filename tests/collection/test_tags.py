import json
import shutil
import subprocess
import sys
from pathlib import Path

import mutagen
import numpy as np
import pandas as pd
import pytest
import soundfile
from typer.testing import CliRunner

from genrescope.audio.tags import read_tags, write_genres
from genrescope.cli import app
from genrescope.collection import tag_checking, tag_writing
from genrescope.collection.listing import list_sounds
from genrescope.collection.predicting import cut_shards, predict_shard
from genrescope.collection.tag_checking import COLUMNS, check_tags
from genrescope.collection.tag_genres import TagGenres
from genrescope.collection.tag_writing import restore_kept, write_given, write_heard
from genrescope.errors import AudioError, BundleError, OutputError, TagError
from genrescope.features.vector import extract
from genrescope.models import create_model
from genrescope.models.bundle import save_bundle
from genrescope.models.bundle_info import read_info
from genrescope.report.disagreements import render_disagreements
from genrescope.settings import AudioSettings, FeatureSettings
from genrescope.taxonomy import load_taxonomy

RATE = 22050
M4A = Path(__file__).parents[1] / "data" / "tone.m4a"
NOISY = {"Blues-like": 0.01, "HipHop/Rap": 0.99}  # what stands for a genre: a hum, and noise


def sound(noisy, *, seed=99, hertz=110.0):
    """Five seconds between a hum and noise."""
    t = np.arange(5 * RATE) / RATE
    noise = np.random.default_rng(seed).normal(size=len(t))
    hum = np.sin(2 * np.pi * hertz * t)
    return ((1 - noisy) * 0.4 * hum + noisy * 0.1 * noise).astype(np.float32)


def trained(folder, genres, taxonomy):
    shares = [(k, share) for k in range(12) for share in (0.002 * k, 1 - 0.002 * k)]
    clips = [sound(share, seed=k, hertz=80 + 4 * k) for k, share in shares]
    model = create_model("linear", C=1.0)
    model.fit(extract(np.stack(clips), log_mels=False).vectors, list(genres) * 12)
    return save_bundle(
        folder, model, genres=list(genres), taxonomy=taxonomy,
        audio=AudioSettings(), features=FeatureSettings(),
    )  # fmt: skip


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A hum is blues and noise is hip hop, in the words of the paper's taxonomy."""
    taxonomy = load_taxonomy("meta-genre").to_dict()
    return trained(tmp_path_factory.mktemp("bundle") / "noise", tuple(NOISY), taxonomy)


@pytest.fixture(autouse=True)
def one_process(monkeypatch):
    """Answers from this process: to start another takes longer than all sounds to be heard."""

    def predict(models, files, *, workers):
        for shard in cut_shards(models, files):
            yield from predict_shard(shard)

    for module in (tag_checking, tag_writing):
        monkeypatch.setattr(module, "predict_files", predict)


SUFFIXES = (".mp3", ".flac", ".ogg")


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sounds")
    for genre, noisy in NOISY.items():
        for suffix in SUFFIXES:
            soundfile.write(folder / f"{genre[:3]}{suffix}", sound(noisy), RATE)
    return folder


@pytest.fixture
def collection(sounds, tmp_path):
    """Copies sounds into a collection: name, what sounds, tags."""

    def make(*files):
        folder = tmp_path / "music"
        folder.mkdir()
        for name, genre, values in files:
            path = folder / name
            shutil.copy(sounds / f"{genre[:3]}{path.suffix}", path)
            if values:
                file = mutagen.File(path, easy=True)
                if file.tags is None:
                    file.add_tags()
                file["genre"] = values
                file.save()
        return folder

    return make


MIXED = (
    ("agrees.mp3", "Blues-like", ["blues"]),
    ("agrees too.flac", "HipHop/Rap", ["Hip-Hop"]),
    ("one of two.ogg", "HipHop/Rap", ["Blues", "Rap"]),
    ("wrong.flac", "Blues-like", ["HIP HOP"]),
    ("wrong too.ogg", "HipHop/Rap", ["Folk & Blues", "Polka"]),
    ("nothing.mp3", "HipHop/Rap", []),
    ("polka.flac", "Blues-like", ["Polka", "Schlager"]),
    ("polka too.mp3", "Blues-like", ["Polka"]),
    ("rock.mp3", "Blues-like", ["Rock"]),
)


def test_disagreements_are_found_and_what_cannot_be_compared_is_counted(bundle, collection):
    folder = collection(*MIXED)
    shutil.copy(M4A, folder / "aac.m4a")
    write_genres(folder / "aac.m4a", ["Blues"])
    (folder / "broken.mp3").write_bytes(b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + bytes(2000))
    listed = [*list_sounds([folder]), AudioError("no sound here", path="list.m3u", kind="no-sound")]
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    check = check_tags(bundle, listed, workers=1)
    assert len(check.compared) == 5 and len(listed) == 12
    found = check.disagreements().set_index("path")
    assert {Path(path).name for path in found.index} == {"wrong.flac", "wrong too.ogg"}
    wrong = found.loc[str(folder / "wrong too.ogg")]
    assert (wrong["tag"], wrong["tag_genre"], wrong["predicted"]) == (
        "Folk & Blues; Polka", "Blues-like", "HipHop/Rap",
    )  # fmt: skip
    assert wrong["probability"] + wrong["tag_probability"] == pytest.approx(1)
    assert [Path(path).name for path in check.untagged] == ["nothing.mp3"]
    assert check.unmapped_values == {"Polka": 2, "Schlager": 1, "Rock": 1}
    kinds = {Path(error.path).name: error.kind for error in check.failures}
    assert kinds == {
        "aac.m4a": "undecodable", "broken.mp3": "broken-tags", "list.m3u": "no-sound",
    }  # fmt: skip
    assert "cannot be decoded" in str(next(e for e in check.failures if e.kind == "undecodable"))
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_the_surest_disagreement_stands_first(bundle, collection, tmp_path):
    folder = collection(("a.flac", "Blues-like", ["Rap"]))
    for name, noisy in (("b.flac", 0.5), ("c.flac", 0.02), ("d.flac", 0.2)):
        soundfile.write(folder / name, sound(noisy), RATE)
        write_genres(folder / name, ["Rap"])
    check = check_tags(bundle, list_sounds([folder]), workers=1)
    found = check.disagreements()
    sure = found["probability"] - found["tag_probability"]
    assert [Path(path).name for path in found["path"]] == ["a.flac", "c.flac", "d.flac", "b.flac"]
    assert sure.is_monotonic_decreasing and sure.iloc[0] > sure.iloc[-1] > 0
    assert tuple(found.columns) == COLUMNS


def test_the_share_that_agrees_has_an_interval_over_artists(bundle, collection):
    folder = collection(*(MIXED[k] for k in (0, 1, 3, 4)))
    check = check_tags(bundle, list_sounds([folder]), workers=1)
    agreement = check.agreement()
    assert (agreement.n, agreement.agreeing, agreement.share, agreement.n_artists) == (4, 2, 0.5, 4)
    assert agreement.low < 0.5 < agreement.high
    same = type(check)(check.compared.assign(artist="Vera Lynn"), [], {}, []).agreement()
    assert same.n_artists == 1 and np.isnan(same.low)
    none = check_tags(bundle, [], workers=1)
    assert none.agreement().n == 0 and np.isnan(none.agreement().share)
    assert none.disagreements().empty


@pytest.mark.parametrize(
    ("values", "genres"),
    [
        (["Blues"], ["Blues-like"]),
        (["hip-hop"], ["HipHop/Rap"]),
        (["Hip Hop/Rap"], ["HipHop/Rap"]),
        (["RAP"], ["HipHop/Rap"]),
        (["랩/힙합"], ["HipHop/Rap"]),
        (["Blues/Rap"], ["Blues-like", "HipHop/Rap"]),
        (["Live; blues"], ["Blues-like"]),
        (["blues-like"], ["Blues-like"]),
        (["Rock"], []),  # a genre of the taxonomy, and not of the model
        (["Polka", "", "/", "17"], []),
    ],
)
def test_values_find_their_genre_through_the_taxonomy(bundle, values, genres):
    assert TagGenres(read_info(bundle)).of(values) == genres


def test_values_find_their_genre_without_a_taxonomy(tmp_path):
    info = read_info(trained(tmp_path / "b", ("hiphop", "r&b"), {}))
    assert TagGenres(info).of(["Rap"]) == ["hiphop"]
    assert TagGenres(info).of(["Hip-Hop/Rap"]) == ["hiphop"]
    assert TagGenres(info).of(["RnB", "Rhythm & Blues"]) == ["r&b"]
    assert TagGenres(info).of(["Blues"]) == []


def test_formats_for_programs_hold_the_same(bundle, collection, tmp_path):
    folder = collection(MIXED[3], MIXED[4], MIXED[0])
    found = check_tags(bundle, list_sounds([folder]), workers=1).disagreements()
    (tmp_path / "a.csv").write_text(render_disagreements(found, "csv"))
    table = pd.read_csv(tmp_path / "a.csv")
    assert table["path"].tolist() == found["path"].tolist()
    objects = json.loads(render_disagreements(found, "json"))
    assert objects == [json.loads(x) for x in render_disagreements(found, "jsonl").splitlines()]
    assert [one["tag_probability"] for one in objects] == table["tag_probability"].tolist()
    assert objects[0]["outside_set"] is None
    lines = render_disagreements(found, "table").splitlines()
    assert len(lines) == 2 and all("heard as" in line for line in lines)
    assert json.loads(render_disagreements(found.head(0), "json")) == []
    assert render_disagreements(found.head(0), "table") == ""


def state(folder):
    return {
        p.name: (p.read_bytes(), p.stat().st_mtime_ns, p.stat().st_ino) for p in folder.iterdir()
    }


def test_a_dry_run_touches_nothing_and_tells_what_the_real_one_does(bundle, collection):
    folder = collection(*MIXED)
    before, files = state(folder), list_sounds([folder])
    told = list(write_heard(bundle, files, workers=1))
    assert state(folder) == before
    done = list(write_heard(bundle, files, write=True, workers=1))
    assert done == told
    changed = {Path(one.path).name: one for one in done if one.left is None}
    assert set(changed) == {"wrong.flac", "wrong too.ogg", "nothing.mp3"}
    for name, one in changed.items():
        assert read_tags(folder / name).genres == one.new and one.probability >= 0.9
    assert read_tags(folder / "nothing.mp3").kept == ()
    left = {Path(one.path).name: one.left for one in done if one.left is not None}
    assert left["polka.flac"] == left["rock.mp3"] == "has a genre the model does not know"
    assert left["agrees.mp3"] == left["one of two.ogg"] == "says so already"
    after = state(folder)
    assert {name for name in after if after[name] != before[name]} == set(changed)
    again = list(write_heard(bundle, files, write=True, workers=1))
    assert all(one.left is not None for one in again) and state(folder) == after
    dry = list(restore_kept(files))
    assert state(folder) == after
    assert list(restore_kept(files, write=True)) == dry
    for name, _, values in MIXED:
        tags = read_tags(folder / name)
        assert list(tags.genres if tags else ()) == values


def test_only_missing_genres_and_only_sure_ones(bundle, collection):
    folder = collection(*MIXED)
    files = list_sounds([folder])
    only = [one for one in write_heard(bundle, files, only_missing=True, workers=1) if not one.left]
    assert [Path(one.path).name for one in only] == ["nothing.mp3"]
    soundfile.write(folder / "between.flac", sound(0.3), RATE)
    (one,) = write_heard(bundle, [str(folder / "between.flac")], workers=1)
    assert 0.5 <= one.probability < 0.9 and one.left == "not sure enough"
    (one,) = write_heard(bundle, [str(folder / "between.flac")], at_least=0.5, workers=1)
    assert one.left is None


def test_what_cannot_be_written_does_not_stop_the_rest(bundle, collection):
    folder = collection(*(MIXED[k] for k in (3, 4, 5)))
    (folder / "wrong.flac").chmod(0o444)
    (folder / "text.mp3").write_text("no sound at all")
    files = list_sounds([folder])
    for write in (False, True):
        found = list(write_heard(bundle, files, write=write, workers=1))
        kinds = {type(one) for one in found if isinstance(one, Exception)}
        assert kinds == {OutputError, TagError} and len(found) == 4
    assert read_tags(folder / "wrong too.ogg").genres == ("HipHop/Rap",)
    assert read_tags(folder / "wrong.flac").genres == ("HIP HOP",)


def test_a_genre_is_given_without_a_model_also_to_m4a(collection):
    folder = collection(("a.ogg", "Blues-like", ["Polka"]), ("b.mp3", "Blues-like", ["Tango"]))
    shutil.copy(M4A, folder / "c.m4a")
    files = list_sounds([folder])
    before = state(folder)
    dry = list(write_given(files, ["Tango"]))
    assert state(folder) == before
    assert list(write_given(files, ["Tango"], write=True)) == dry
    assert [one.left for one in dry] == [None, "says so already", None]
    assert {read_tags(file).genres for file in files} == {("Tango",)}


def test_a_model_that_is_none_is_refused(tmp_path):
    with pytest.raises(BundleError):
        check_tags(tmp_path, [], workers=1)


def command(*arguments):
    return CliRunner().invoke(app, ["tags", *map(str, arguments)])


def test_the_commands_check_write_and_restore(bundle, collection):
    folder = collection(*MIXED)
    before = state(folder)
    done = command("check", bundle, folder, "--format", "csv")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.count("\n") == 3 and done.stdout.startswith(",".join(COLUMNS))
    assert "3 of 5 files agree with their tag: .60 [" in done.stderr
    assert "a lead, not a verdict" in done.stderr
    assert "no genre tag: 1" in done.stderr
    assert "no genre of the model: 3 (Polka 2, Schlager 1, Rock 1)" in done.stderr
    done = command("write", bundle, folder)
    assert done.exit_code == 0 and done.stdout.count("→") == 3
    assert "nothing was written (--write does it)" in done.stderr and state(folder) == before
    done = command("write", "--write", "--only-missing", bundle, folder)
    assert "files changed: 1" in done.stderr and "has a genre" in done.stderr
    assert read_tags(folder / "nothing.mp3").genres == ("HipHop/Rap",)
    done = command("write", "--write", "--genre", "Tango", folder)
    assert "files changed: 9" in done.stderr
    (folder / "broken.mp3").write_bytes(b"")
    done = command("restore", "--write", folder)
    assert done.exit_code == 3 and done.stdout.count("Tango → ") == 9
    assert f"failed: {folder / 'broken.mp3'}: the file is empty" in done.stderr
    for name, _, values in MIXED:
        tags = read_tags(folder / name)
        assert list(tags.genres if tags else ()) == values


@pytest.mark.slow
def test_the_command_line_asks_in_processes_of_its_own(bundle, collection):
    folder = collection(*MIXED)
    arguments = ("tags", "check", "--format", "jsonl", "--workers", "2", bundle, folder)
    ran = subprocess.run(
        [sys.executable, "-m", "genrescope", *map(str, arguments)], capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    found = check_tags(bundle, list_sounds([folder]), workers=1).disagreements()
    assert ran.stdout == render_disagreements(found, "jsonl") and len(found) == 2


@pytest.mark.parametrize(
    "arguments",
    [["check"], ["check", "--format", "xml", "b", "a"], ["write", "--genre", " ", "a.mp3"],
     ["write", "--genre", "Rock", "--only-missing", "a.mp3"], ["write", "--at-least", "2", "b"]],
)  # fmt: skip
def test_wrong_usage_of_the_commands(arguments):
    assert command(*arguments).exit_code == 2


def test_a_missing_extra_is_named():
    script = (
        "import sys; sys.modules['mutagen'] = None; import genrescope.errors\n"
        "try: import genrescope.audio.tags\n"
        "except genrescope.errors.ConfigError as error: print(error)"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert ran.stdout == "tags need the extra: pip install 'genrescope[tags]'\n"
