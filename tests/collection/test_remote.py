"""Predicting and explaining what lies behind URLs, with a model that does too."""

import csv
import io
import os
import subprocess
import sys

import pytest
import soundfile
from tones import RATE, tone

from genrescope.collection.bundles import choose_bundles, name_bundles
from genrescope.collection.explaining import explain_files
from genrescope.collection.predicting import name_models
from genrescope.collection.prediction_file import write_predictions
from genrescope.errors import AudioError, BundleError
from genrescope.models.bundle import load_bundle
from genrescope.remote import find_files, upload_folder, write_file


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    folder = tmp_path_factory.mktemp("music")
    for name, hertz in (("a.wav", 110), ("live/b.flac", 3500), ("live/c.ogg", 140)):
        (folder / name).parent.mkdir(exist_ok=True)
        soundfile.write(folder / name, tone(hertz, 6.0), RATE)
    (folder / "broken.mp3").write_bytes(b"no sound")
    return folder


def run(*arguments):
    command = [sys.executable, "-m", "genrescope", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)


@pytest.mark.slow
def test_answers_are_those_of_the_files_here(music, bundle, bucket, watched, tmp_path):
    upload_folder(music, f"{bucket}/music")
    upload_folder(bundle, f"{bucket}/models/pitch", last="bundle.json")
    found = run(
        "predict", f"{bucket}/models/pitch", f"{bucket}/music", f"{bucket}/music/gone.wav",
        "--format", "csv", "-o", tmp_path / "there.csv", "--workers", "2",
    )  # fmt: skip
    assert found.returncode == 3, found.stderr
    models, genres = name_models([bundle])
    files = [
        str(music / name)
        for name in ("a.wav", "broken.mp3", "live/b.flac", "live/c.ogg", "gone.wav")
    ]
    here = tmp_path / "here.csv"
    write_predictions(here, models, files, format="csv", genres=genres, workers=1)
    for end in (".csv", ".failures.csv"):
        there = (tmp_path / f"there{end}").read_text()
        assert there == here.with_suffix(end).read_text().replace(str(music), f"{bucket}/music")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "there.csv").read_text())))
    assert [row["genre"] for row in rows] == ["low", "high", "low"]
    pattern = run("predict", f"{bucket}/models/pitch", f"{bucket}/music/**/*.flac")
    assert pattern.returncode == 0 and "b.flac" in pattern.stdout, pattern.stderr


def test_explaining_from_url_to_url(music, bundle, memory, watched):
    upload_folder(bundle, f"{memory}/pitch")
    write_file(f"{memory}/a.wav", (music / "a.wav").read_bytes())
    asked = [f"{memory}/a.wav", f"{memory}/gone.wav"]
    found, failed = explain_files(f"{memory}/pitch", asked, f"{memory}/why", moments=1)
    assert found.genre == "low" and str(found.page) == f"{memory}/why/a.html"
    assert isinstance(failed, AudioError) and failed.reason == "there is no such file"
    assert {"a.html", "a/explanation.json", "a/1.wav"} <= set(find_files(f"{memory}/why"))


def test_models_behind_urls_are_checked_like_others(bundle, memory, watched, monkeypatch):
    url = f"{memory}/runs/models/pitch"
    upload_folder(bundle, url)
    assert load_bundle(url).info == load_bundle(bundle).info
    assert list(name_bundles([url, "other/pitch"])) == ["models/pitch", "other/pitch"]
    chosen = choose_bundles([url, f"{memory}/a.wav", f"{memory}/b"])
    assert (list(map(str, chosen.bundles)), len(chosen.sounds)) == ([url], 2)
    monkeypatch.setenv("GENRESCOPE_BUNDLES", f"{url}:/other")
    assert str(choose_bundles(["a.wav"]).bundles[0]) == url
    write_file(f"{url}/forest.skops", b"altered")
    with pytest.raises(BundleError, match=rf"^{url}/forest.skops: altered or truncated"):
        load_bundle(url)
    write_file(f"{url}/bundle.json", b'{"format_version": 1}')
    with pytest.raises(BundleError, match=rf"^{url}/bundle.json: is damaged"):
        name_models([url])
    with pytest.raises(BundleError, match=rf"^{memory}/none/bundle.json: is missing"):
        load_bundle(f"{memory}/none")
