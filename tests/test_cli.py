import contextlib
import json
import os
import pty
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

RATE = 22050


def genrescope(*arguments, **options) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "genrescope", *map(str, arguments)],
        capture_output=True,
        text=True,
        **options,
    )


@pytest.fixture(scope="module")
def music(tmp_path_factory) -> Path:
    """Two genres anyone tells apart: low hums and bright noise, with one file that is no sound."""
    folder = tmp_path_factory.mktemp("music")
    rng = np.random.default_rng(0)
    t = np.arange(6 * RATE) / RATE
    for number in range(12):
        hum = np.sin(2 * np.pi * (80 + 5 * number) * t) * (0.3 + 0.05 * number / 12)
        noise = rng.normal(size=len(t)) * 0.1
        for genre, sound in (("hum", hum + noise / 50), ("noise", noise)):
            (folder / genre).mkdir(exist_ok=True)
            soundfile.write(folder / genre / f"{number:02}.wav", sound, RATE)
    (folder / "hum" / "broken.wav").write_text("this is not a sound")
    return folder


@pytest.fixture(scope="module")
def bundle(music, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("bundle") / "mine"
    done = genrescope("train", music, "-m", "forest", "-o", out, "--workers", 1)
    assert done.returncode == 3, done.stderr
    assert "held-out clips: 4, macro-F1" in done.stdout
    assert "90% sets: the true genre in 4 of 4 held-out recordings" in done.stdout
    told = [line for line in done.stderr.splitlines() if line.startswith(("fold ", "cross-"))]
    assert [line.split(":")[0] for line in told] == [
        *(f"fold {k} of 5" for k in range(1, 6)), "cross-validation",
    ]  # fmt: skip
    assert told[-1] == "cross-validation: macro-F1 1.00 [1.00, 1.00], 20 clips of 20 tracks"
    assert "broken.wav" in done.stderr
    return out


def test_the_version():
    assert genrescope("--version").stdout == f"genrescope {version('genrescope')}\n"


def test_help_names_every_command():
    done = genrescope("--help")
    assert done.returncode == 0
    for command in (
        "demo", "study", "claims", "corpus", "features", "train", "predict", "explain", "serve",
    ):  # fmt: skip
        assert command in done.stdout


@pytest.mark.parametrize("arguments", [["predict"], ["no-such-command"], ["study", "--frsh", "x"]])
def test_wrong_usage_is_exit_2(arguments):
    assert genrescope(*arguments).returncode == 2


def test_a_typed_error_is_one_sentence_and_exit_1(tmp_path):
    config = tmp_path / "study.yaml"
    config.write_text("name: x\ncorpora:\n  a: {format: folder, root: /, rot: /music}\n")
    done = genrescope("study", config)
    assert done.returncode == 1
    assert done.stderr == f"error: {config}: corpora.a: unknown key 'rot': did you mean root?\n"
    assert "Traceback" not in done.stderr
    assert "Traceback" in genrescope("--debug", "study", config).stderr


def test_predict_answers_and_lists_what_failed(bundle, music, tmp_path):
    silent = tmp_path / "silent.wav"
    soundfile.write(silent, np.zeros(5 * RATE), RATE)
    files = [music / "noise" / "00.wav", music / "hum" / "broken.wav", silent]
    done = genrescope("predict", bundle, *files)
    assert done.returncode == 3
    assert done.stdout.startswith(f"{files[0]} ") and "  noise " in done.stdout
    assert "(90% sure: noise)" in done.stdout
    assert done.stdout.count("\n") == 1
    assert "1 files answered, 2 failed (silent 1, unreadable 1)" in done.stderr
    assert f"failed: {files[1]}: the file holds text" in done.stderr
    assert genrescope("predict", bundle, silent).returncode == 1


def test_predict_for_programs(bundle, music, tmp_path):
    files = [music / "noise" / "00.wav", music / "hum" / "01.wav"]
    out = tmp_path / "answers.csv"
    assert genrescope("predict", bundle, *files, "--format", "csv", "-o", out).returncode == 0
    table = pd.read_csv(out)
    assert table["genre"].tolist() == ["noise", "hum"]
    assert np.allclose(table[["hum", "noise"]].sum(axis=1), 1)
    again = genrescope("predict", bundle, *files, "--format", "csv", "-o", out)
    assert again.returncode == 1 and "--exists skip" in again.stderr
    done = genrescope("predict", bundle, *files, "--format", "json", "--timeline")
    answers = json.loads(done.stdout)
    assert answers[0]["genre"] == "noise"
    assert answers[0]["timeline"][0]["start_s"] == 0
    assert table["prediction_set"].tolist() == ["noise", "hum"]
    assert answers[0]["doubt"]["genres"] == ["noise"] and answers[0]["doubt"]["coverage"] == 0.9
    assert genrescope("predict", bundle, *files, "--format", "xml").returncode == 2


def test_predict_answers_with_the_default_model_and_says_so(bundle, music, tmp_path):
    listed = "\n".join(str(music / "hum" / f"{n:02}.wav") for n in range(3))
    named = os.environ | {"GENRESCOPE_BUNDLES": f"{bundle}{os.pathsep}/elsewhere"}
    done = genrescope("predict", "-", "--format", "jsonl", input=listed, env=named)
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["genre"] for line in done.stdout.splitlines()] == ["hum"] * 3
    assert f"no model is named: {bundle} answers (forest, trained on corpus)" in done.stderr


def test_several_models_answer_side_by_side(bundle, music, tmp_path):
    other = shutil.copytree(bundle, tmp_path / "other")
    done = genrescope("predict", bundle, other, f"{music}/n*/0[01].*", "--timeline")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[1] for line in lines[::2]] == ["mine", "other"] * 2
    assert all(line.strip().startswith("0:00–0:05 noise ") for line in lines[1::2])
    done = genrescope("explain", bundle, other, music, "-o", tmp_path / "why")
    assert done.returncode == 2 and "one model at a time" in done.stderr


def test_answers_go_where_they_are_sent_while_a_bar_is_on_the_terminal(bundle, music):
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "genrescope", "predict", bundle, music / "hum" / "00.wav"]
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # how the end of a terminal is told on Linux
        while part := os.read(ours, 65536):
            shown += part
    os.close(ours)
    assert b"00.wav  hum " in done.stdout
    assert b"predicting" in shown and b"00.wav  hum " not in shown


def test_predict_refuses_what_is_no_bundle(music, tmp_path):
    done = genrescope("predict", tmp_path, music / "hum" / "00.wav", cwd=tmp_path)
    assert done.returncode == 1
    assert f"error: {tmp_path} is no model (a folder with a bundle.json)" in done.stderr
    assert "genrescope demo" in done.stderr


def test_index_features_and_train_from_the_table(music, tmp_path):
    table = tmp_path / "mine.parquet"
    done = genrescope("corpus", "index", "folder", music, "-o", table, "--taxonomy", "labels")
    assert done.returncode == 3
    assert "mine: 24 clips with a genre of 24, 24 tracks" in done.stdout
    assert "failures: unreadable 1" in done.stdout
    extended = ("--features", "extended", "--workers", 1)
    done = genrescope("features", table, "-o", tmp_path / "features", *extended)
    assert done.returncode == 0
    features = pd.read_csv(tmp_path / "features/mine.csv")
    assert len(features) == 24
    assert features.columns[1] == "mfcc_mean_0" and features.columns[-4] == "crest"
    assert np.load(tmp_path / "features/mine.logmel.npy").shape == (24, 128, 128)
    done = genrescope("train", table, "-o", tmp_path / "b", "--workers", 1)
    assert done.returncode == 3, done.stderr  # the table remembers the broken file
    described = json.loads((tmp_path / "b" / "bundle.json").read_text())
    assert described["kind"] == "linear" and described["features"]["set"] == "extended"
    sound = music / "hum" / "00.wav"
    done = genrescope("predict", tmp_path / "b", sound)
    assert done.returncode == 0 and "hum" in done.stdout
    done = genrescope("explain", tmp_path / "b", sound, "-o", tmp_path / "why")
    assert done.returncode == 0, done.stderr
    done = genrescope("train", table, "--features", "all", "-o", tmp_path / "c")
    assert done.returncode == 1 and "features.set" in done.stderr


def test_an_option_of_the_format_is_checked(music, tmp_path):
    index = ["corpus", "index", "folder", music, "-o", tmp_path / "a.parquet"]
    done = genrescope(*index, "--option", "segment=all")
    assert done.returncode == 1
    assert "did you mean segments?" in done.stderr
    assert genrescope(*index, "--option", "segments").returncode == 1


@pytest.mark.parametrize(
    ("model", "reason"), [("lda", "there is no model 'lda'"), ("fores", "did you mean forest?")]
)
def test_train_refuses_an_unknown_model(music, tmp_path, model, reason):
    done = genrescope("train", music, "-m", model, "-o", tmp_path / "b")
    assert done.returncode == 1
    assert reason in done.stderr


def test_one_genre_is_not_enough(music, tmp_path):
    shutil.copytree(music / "noise", tmp_path / "music" / "noise")
    done = genrescope("train", tmp_path / "music", "-o", tmp_path / "b", "--workers", 1)
    assert done.returncode == 1
    assert "two or more" in done.stderr


def test_synth_writes_both_corpora(tmp_path):
    done = genrescope("corpus", "synth", tmp_path, "--western", 6, "--korean", 6, "--workers", 1)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "western").rglob("*.wav"))) == 6
    assert json.loads((tmp_path / "korean" / "SYNTHETIC.json").read_text())["synthetic"] is True


def test_explain_says_why_and_lists_what_failed(bundle, music, tmp_path):
    songs = [music / "hum" / "00.wav", music / "noise" / "00.wav", music / "hum" / "broken.wav"]
    done = genrescope("explain", bundle, *songs, "-o", tmp_path / "why", "--moments", 1)
    assert done.returncode == 3
    first = done.stdout.splitlines()[0]
    assert first.startswith(f"{songs[0]}  hum ") and first.endswith(str(tmp_path / "why/00.html"))
    assert "  Heard as hum with probability" in done.stdout
    assert "that speaks most for hum" in done.stdout
    assert f"failed: {songs[2]}" in done.stderr and "Traceback" not in done.stderr
    assert (tmp_path / "why" / "00-2.html").is_file()


def test_explain_answers_contrasts_and_refuses_unknown_genres(bundle, music, tmp_path):
    song, out = music / "noise" / "01.wav", tmp_path / "why"
    done = genrescope("explain", bundle, song, "-o", out, "--target", "hum", "--against", "noise")
    assert done.returncode == 0
    assert "hum rather than noise" in done.stdout
    wrong = genrescope("explain", bundle, song, "-o", out, "--target", "humm")
    assert wrong.returncode == 1
    assert "did you mean hum?" in wrong.stderr
    korean = genrescope("explain", bundle, song, "-o", out, "--language", "ko")
    assert korean.returncode == 0 and "클립" in korean.stdout
