import json
import os
import signal
import subprocess
import sys
import time

import pytest
import soundfile
from tones import RATE, tone

from genrescope.collection.explaining import ExplainedFile, explain_files
from genrescope.errors import ConfigError, GenrescopeError


@pytest.fixture
def music(tmp_path):
    paths = []
    for name, hertz in (("a/song.wav", 110), ("b/song.wav", 3200), ("노래.wav", 140)):
        path = tmp_path / "music" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, tone(hertz), RATE)
        paths.append(path)
    return paths


def test_every_recording_gets_a_page_and_a_folder(bundle, music, tmp_path):
    out = tmp_path / "why"
    found = list(explain_files(bundle, music, out, moments=2))
    assert [item.genre for item in found] == ["low", "high", "low"]
    names = ["song", "song-2", "노래"]
    assert [item.page for item in found] == [out / f"{name}.html" for name in names]
    for item, name in zip(found, names, strict=True):
        content = json.loads((out / name / "explanation.json").read_text(encoding="utf-8"))
        assert content["genre"] == item.genre and content["path"] == item.path
        assert [moment["start_s"] for moment in content["moments"]] == [0.0, 5.0]
        for moment in content["moments"]:
            added = moment["baseline"] + sum(row["contribution"] for row in moment["features"])
            assert added == pytest.approx(moment["answer"], abs=1e-4)
            assert sum(moment["families"].values()) + moment["baseline"] == pytest.approx(
                moment["answer"], abs=1e-4
            )
            picture, sound = (out / name / moment["files"][k] for k in ("picture", "clip"))
            assert picture.read_bytes().startswith(b"\x89PNG")
            assert soundfile.info(sound).frames == 5 * RATE
        page = item.page.read_text(encoding="utf-8")
        for sentence in content["sentences"]:
            assert sentence in page
        assert page.count("<img ") == page.count("<audio ") == 2
        assert "<script" not in page and 'src="http' not in page


def test_no_page_takes_the_place_of_another(bundle, music, tmp_path):
    named_like_the_second = tmp_path / "song-2.wav"
    soundfile.write(named_like_the_second, tone(3500), RATE)
    asked = [music[0], music[0], named_like_the_second]
    found = list(explain_files(bundle, asked, tmp_path / "why", moments=1))
    assert [item.page.name for item in found] == ["song.html", "song-2.html", "song-2-2.html"]
    assert [item.genre for item in found] == ["low", "low", "high"]
    assert found[1].page.read_text(encoding="utf-8").count("song.wav") >= 1


def test_what_is_finished_is_not_done_again(bundle, music, tmp_path):
    out = tmp_path / "why"
    first = list(explain_files(bundle, music, out))
    pages = {item.page: item.page.stat().st_mtime_ns for item in first}
    again = list(explain_files(bundle, music, out))
    assert again == first
    assert {item.page: item.page.stat().st_mtime_ns for item in again} == pages
    soundfile.write(music[0], tone(3500), RATE)
    other = list(explain_files(bundle, music, out))
    assert [item.genre for item in other] == ["high", "high", "low"]
    changed = [page for page, then in pages.items() if page.stat().st_mtime_ns != then]
    assert changed == [first[0].page]
    asked = list(explain_files(bundle, music[:1], out, target="low", language="ko"))
    assert asked[0].sentences != other[0].sentences


def test_a_file_that_cannot_be_used_does_not_stop_the_rest(bundle, music, tmp_path):
    broken = tmp_path / "broken.wav"
    broken.write_text("no sound")
    found = list(explain_files(bundle, [broken, music[0], tmp_path / "gone.wav"], tmp_path / "o"))
    assert isinstance(found[0], GenrescopeError) and str(broken) in str(found[0])
    assert isinstance(found[1], ExplainedFile)
    assert isinstance(found[2], GenrescopeError)


@pytest.mark.parametrize("question", [{"target": "mid"}, {"method": "lime"}, {"language": "xx"}])
def test_impossible_questions_are_refused_before_any_work(bundle, music, tmp_path, question):
    with pytest.raises(ConfigError):
        list(explain_files(bundle, music, tmp_path / "why", **question))
    assert not (tmp_path / "why").exists()


def test_hostile_names_are_escaped(bundle, tmp_path):
    path = tmp_path / "<img src=x onerror=alert(1)>.wav"
    soundfile.write(path, tone(120), RATE)
    (found,) = explain_files(bundle, [path], tmp_path / "why")
    page = found.page.read_text(encoding="utf-8")
    assert "<img src=x" not in page and "&lt;img src=x" in page


@pytest.mark.slow
def test_a_killed_run_goes_on_where_it_stopped(bundle, music, tmp_path):
    out = tmp_path / "why"
    command = [sys.executable, "-m", "genrescope", "explain", bundle, *music, "-o", out]
    process = subprocess.Popen(list(map(str, command)), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list(out.glob("*.html")) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    finished = {page: page.stat().st_mtime_ns for page in out.glob("*.html")}
    time.sleep(0.1)
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(list(out.glob("*.html"))) == 3
    assert not list(out.rglob("*.partial*"))
    # The record is written after the page: at most the step under way is done twice.
    redone = [page for page, then in finished.items() if page.stat().st_mtime_ns != then]
    assert len(redone) <= 1
