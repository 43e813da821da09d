import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from genrescope.errors import AudioError, BundleError, ConfigError
from genrescope.features.vector import extract, feature_names
from genrescope.models import create_model
from genrescope.models.bundle import save_bundle
from genrescope.models.doubt import Calibration
from genrescope.models.inputs import SoundInputs, inputs_from_clip
from genrescope.models.predictor import FilePrediction, Predictor
from genrescope.models.statistics import FeatureStatistics
from genrescope.models.strangeness import deviations
from genrescope.settings import AudioSettings, FeatureSettings

RATE = 22050
CLIP = 5 * RATE


def sound(seconds, *, hertz=110.0, level=0.5):
    time_s = np.arange(round(seconds * RATE)) / RATE
    return (level * np.sin(2 * np.pi * hertz * time_s)).astype(np.float32)


@pytest.fixture(scope="module")
def low_or_high(tmp_path_factory) -> dict[str, Path]:
    """Models that tell low tones from high ones: by features with names, without, by pictures."""
    pitches = [100, 115, 130, 150, 3000, 3300, 3600, 4000]
    clips = np.stack([sound(5, hertz=hertz) for hertz in pitches])
    found = extract(clips)
    named = pd.DataFrame(found.vectors, columns=list(feature_names()))
    y = ["low"] * 4 + ["high"] * 4
    models = {
        "named": create_model("forest", n_estimators=10).fit(named, y),
        "unnamed": create_model("forest", n_estimators=10).fit(found.vectors, y),
        "pictures": create_model("cnn", epochs=4, batch_size=4, normalisation="band", n_jobs=1).fit(
            found.log_mels, y
        ),
    }
    folder = tmp_path_factory.mktemp("bundles")
    return {
        name: save_bundle(
            folder / name, model, genres=["low", "silence", "high"], taxonomy={},
            audio=AudioSettings(), features=FeatureSettings(),
        )
        for name, model in models.items()
    }  # fmt: skip


@pytest.fixture(scope="module")
def predictor(low_or_high) -> Predictor:
    return Predictor.load(low_or_high["named"])


def write(path, samples, rate=RATE):
    soundfile.write(path, samples, rate, subtype="FLOAT")
    return path


def test_each_window_has_its_own_answer_and_the_file_their_mean(predictor, tmp_path):
    y = np.concatenate([sound(5, hertz=120), sound(5, hertz=3200), sound(5, hertz=110)])
    answer = predictor.from_file(write(tmp_path / "a.wav", y))
    assert answer.windows["start_s"].tolist() == [0, 5, 10]
    assert answer.windows["genre"].tolist() == ["low", "high", "low"]
    assert list(answer.windows.columns) == ["start_s", "genre", "low", "silence", "high"]
    assert answer.genre == "low"
    assert answer.duration_s == 15
    probabilities = answer.windows[["low", "silence", "high"]]
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_allclose(answer.probabilities, probabilities.mean())
    assert answer.probabilities["silence"] == 0
    row = answer.frame().iloc[0]
    assert row["path"].endswith("a.wav") and row["windows"] == 3 and row["genre"] == "low"
    assert row["low"] == answer.probabilities["low"]


@pytest.mark.parametrize(
    ("seconds", "starts"),
    [(0.6, [0]), (2.0, [0]), (5.0, [0]), (7.4, [0]), (7.6, [0, 5]), (12.4, [0, 5])],
)
def test_a_remainder_counts_from_half_a_window_or_when_alone(predictor, tmp_path, seconds, starts):
    path = write(tmp_path / "a.wav", sound(seconds))
    assert predictor.from_file(path).windows["start_s"].tolist() == starts
    assert predictor.from_clip(sound(seconds)).windows["start_s"].tolist() == starts


def test_silent_windows_are_left_out(predictor):
    y = np.concatenate([sound(5), np.zeros(CLIP, np.float32), sound(5)])
    answer = predictor.from_clip(y)
    assert answer.windows["start_s"].tolist() == [0, 10]
    assert answer.silent_windows == 1
    assert answer.probabilities.equals(predictor.from_clip(sound(5)).probabilities)


def test_batches_do_not_change_the_answer(predictor, tmp_path, monkeypatch):
    from genrescope.models import inputs as module

    y = np.concatenate([sound(5, hertz=h) for h in (110, 3000, 130, 3500, 120)] + [sound(3)])
    path = write(tmp_path / "a.wav", y)
    whole = predictor.from_file(path)
    monkeypatch.setattr(module, "WINDOWS_PER_BATCH", 2)
    pd.testing.assert_frame_equal(predictor.from_file(path).windows, whole.windows)
    pd.testing.assert_frame_equal(predictor.from_clip(y).windows, whole.windows)


def test_other_rates_and_channels_do(predictor, tmp_path):
    time_s = np.arange(6 * 48000) / 48000
    tone = 0.5 * np.sin(2 * np.pi * 3200 * time_s)
    path = write(tmp_path / "a.wav", np.stack([tone, tone], axis=1), rate=48000)
    assert predictor.from_file(path).genre == "high"


@pytest.mark.parametrize("name", ["named", "unnamed", "pictures"])
def test_every_kind_of_input_is_made(low_or_high, name):
    predictor = Predictor.load(low_or_high[name])
    for hertz, genre in ((125, "low"), (3100, "high")):
        assert predictor.from_clip(sound(5, hertz=hertz)).genre == genre


def test_failures_stand_beside_the_answers(predictor, tmp_path):
    good = write(tmp_path / "good.wav", sound(5))
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "text.wav").write_text("not sound at all")
    (tmp_path / "cut.wav").write_bytes(good.read_bytes()[:2000])
    bad = sound(5)
    bad[400] = np.nan
    paths = {
        "good.wav": None,
        "missing.wav": "unreadable",
        "empty.wav": "unreadable",
        "text.wav": "unreadable",
        "cut.wav": "truncated",
        str(write(tmp_path / "nan.wav", bad).name): "non-finite",
        str(write(tmp_path / "short.wav", sound(0.1)).name): "too-short",
        str(write(tmp_path / "silent.wav", np.zeros(CLIP)).name): "silent",
    }
    answers = list(predictor.from_files([tmp_path / name for name in [*paths, "good.wav"]]))
    assert len(answers) == 9
    assert isinstance(answers[0], FilePrediction) and isinstance(answers[-1], FilePrediction)
    for (name, kind), answer in zip(list(paths.items())[1:], answers[1:-1], strict=True):
        assert isinstance(answer, AudioError)
        assert answer.kind == kind, name
        assert Path(answer.path).name == name


@pytest.mark.parametrize(
    ("waveform", "kind"),
    [
        (np.zeros(CLIP), "silent"),
        (np.ones(100), "too-short"),
        (np.full(CLIP, np.inf), "non-finite"),
        (np.zeros((2, CLIP)), "unreadable"),
    ],
)
def test_waveforms_that_say_nothing_are_refused(predictor, waveform, kind):
    with pytest.raises(AudioError) as caught:
        predictor.from_clip(waveform)
    assert caught.value.kind == kind


def test_models_of_other_tables_cannot_answer_for_sound(save):
    folder = save("forest")
    with pytest.raises(BundleError, match=r"bundle: .* other features \(feature_0, feature_1"):
        Predictor.load(folder)


@pytest.fixture(scope="module", params=["vectors", "log_mels"])
def calibrated(request, tmp_path_factory) -> Path:
    """A model that tells low tones from high ones, calibrated on forty other tones."""
    rng = np.random.default_rng(0)
    hertz = np.concatenate([rng.uniform(100, 150, 30), rng.uniform(3000, 4000, 30)])
    y = np.repeat(["low", "high"], 30)
    rows = rng.permutation(60)
    found = extract(np.stack([sound(1, hertz=h, level=rng.uniform(0.3, 0.7)) for h in hertz]),
                    audio=AudioSettings(clip_seconds=1.0))  # fmt: skip
    vectors = pd.DataFrame(found.vectors, columns=list(feature_names()))
    learnt, kept = rows[:20], rows[20:]
    if request.param == "vectors":
        X: pd.DataFrame | np.ndarray = vectors
        model = create_model("linear").fit(vectors.iloc[learnt], y[learnt])
    else:
        X = found.log_mels
        model = create_model("cnn", epochs=6, batch_size=4, normalisation="band", n_jobs=1)
        model.fit(X[learnt], y[learnt])
    statistics = FeatureStatistics.from_clips(vectors.iloc[learnt], y[learnt].tolist())
    asked = X.iloc[kept] if isinstance(X, pd.DataFrame) else X[kept]
    answers = pd.DataFrame(model.predict_proba(asked), columns=model.classes_)
    calibration = Calibration.from_clips(
        answers, deviations(statistics, vectors.iloc[kept]), genres=y[kept], recordings=kept
    )
    return save_bundle(
        tmp_path_factory.mktemp("calibrated") / request.param, model, genres=["low", "high"],
        taxonomy={}, audio=AudioSettings(clip_seconds=1.0), features=FeatureSettings(),
        statistics=statistics, calibration=calibration,
    )  # fmt: skip


def test_a_calibrated_bundle_says_how_sure_it_is(calibrated):
    predictor = Predictor.load(calibrated, coverage=0.8)
    tone = predictor.from_clip(sound(1, hertz=131.4))
    assert tone.doubt is not None and tone.doubt.coverage == 0.8 and tone.doubt.enough
    assert tone.doubt.genres == ("low",)
    assert not tone.doubt.unlike and tone.doubt.unusual <= 0.95
    certain = Predictor.load(calibrated, coverage=0.99).from_clip(sound(1, hertz=131.4)).doubt
    assert certain is not None and not certain.enough and certain.genres == ("low", "high")


def test_what_is_no_tone_is_unlike_training(calibrated):
    noise = 0.5 * np.random.default_rng(1).uniform(-1, 1, 2 * RATE)
    said = Predictor.load(calibrated).from_clip(noise).doubt
    assert said is not None and said.unlike and said.unusual == 1.0
    assert len(said.features) == 3 and set(said.features) <= set(feature_names())


def test_sounds_asked_together_get_the_answers_they_get_alone(calibrated):
    """One model call for several sounds, each brought as the stretches of one decode."""
    predictor = Predictor.load(calibrated)
    tones = [sound(2, hertz=140), sound(3, hertz=3500)]
    sounds = [SoundInputs.joined(list(inputs_from_clip(tone, predictor.needs))) for tone in tones]
    tables = predictor.tables(sounds)
    for tone, one, table in zip(tones, sounds, tables, strict=True):
        alone = predictor.from_clip(tone)
        together = predictor.answer(one, table)
        assert together.doubt is not None and alone.doubt is not None
        assert together.doubt.genres == alone.doubt.genres
        assert together.doubt.unusual == alone.doubt.unusual
        np.testing.assert_allclose(together.probabilities, alone.probabilities, rtol=1e-5)


def test_a_bundle_without_calibration_has_no_doubt(predictor):
    assert predictor.from_clip(sound(5)).doubt is None
    assert predictor.needs == (predictor.need,)


@pytest.mark.parametrize("coverage", [0.0, 1.0, -0.1, 1.5, float("nan")])
def test_a_coverage_out_of_range_is_refused(low_or_high, coverage):
    with pytest.raises(ConfigError, match="between 0 and 1"):
        Predictor.load(low_or_high["named"], coverage=coverage)


@pytest.mark.slow
def test_two_hours_take_bounded_memory(low_or_high, tmp_path):
    path = tmp_path / "long.wav"
    with soundfile.SoundFile(path, "w", 8000, 1, subtype="PCM_16") as file:
        minute = (0.5 * np.sin(2 * np.pi * 120 * np.arange(60 * 8000) / 8000)).astype(np.float32)
        for _ in range(120):
            file.write(minute)
    # The features are computed window by window and would only take time.
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "import numpy as np\n"
        "from genrescope.features.vector import Features\n"
        "from genrescope.models import inputs, predictor\n"
        "def extract(windows, **settings):\n"
        "    return Features(np.zeros((len(windows), 75), np.float32), np.zeros((0, 128, 128)))\n"
        "inputs.extract = extract\n"
        "answer = predictor.Predictor.load(sys.argv[1]).from_file(sys.argv[2])\n"
        # Not getrusage: its peak is inherited from the process that forked this one.
        "status = Path('/proc/self/status').read_text().split('VmHWM:')[1]\n"
        "print(len(answer.windows), status.split()[0])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(low_or_high["named"]), str(path)],
        capture_output=True, text=True, check=True, timeout=800,
    )  # fmt: skip
    windows, peak_kib = map(int, done.stdout.split())
    assert windows == 1440
    assert peak_kib < 700_000  # two hours decoded alone would be 635 MB more
