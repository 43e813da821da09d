import dataclasses
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import soundfile

from genrescope.errors import AudioError, BundleError, ConfigError
from genrescope.explanations.explainer import Explainer
from genrescope.explanations.words import languages
from genrescope.features.vector import FEATURE_NAMES, extract
from genrescope.models import create_model
from genrescope.models.bundle import save_bundle
from genrescope.models.statistics import FeatureStatistics
from genrescope.settings import AudioSettings, FeatureSettings

pytest.importorskip("torch")

RATE, CLIP = 22050, 110250
GENRES = ["hum", "hiss", "pulse"]
KINDS = ["forest", "boosting", "ensemble", "cnn"]


def sound(genre, seed, seconds=5.0):
    """A low hum, bright noise, or a tone that beats twice a second."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * RATE)) / RATE
    noise = 0.003 * rng.normal(size=len(t))
    if genre == "hum":
        return (0.4 * np.sin(2 * np.pi * rng.uniform(90, 140) * t) + noise).astype(np.float32)
    if genre == "hiss":
        return (0.1 * rng.normal(size=len(t)) + noise).astype(np.float32)
    beat = np.exp(-12 * (t % 0.5))
    return (0.5 * beat * np.sin(2 * np.pi * rng.uniform(700, 900) * t) + noise).astype(np.float32)


@pytest.fixture(scope="module")
def explainers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles")
    labels = [genre for genre in GENRES for _ in range(6)]
    found = extract(np.stack([sound(genre, n) for n, genre in enumerate(labels)]))
    vectors = pd.DataFrame(found.vectors, columns=list(FEATURE_NAMES))
    params = {"forest": {"n_estimators": 20}, "boosting": {"n_estimators": 20}}
    params["ensemble"] = {"members": {"linear": {}, "svm": {}}}
    params["cnn"] = {"epochs": 8, "batch_size": 6, "n_jobs": 1}
    made = {}
    for kind in KINDS:
        model = create_model(kind, **params[kind])
        model.fit(found.log_mels if kind == "cnn" else vectors, labels)
        bundle = save_bundle(
            folder / kind, model, genres=GENRES, taxonomy={},
            audio=AudioSettings(), features=FeatureSettings(),
            statistics=FeatureStatistics.from_clips(vectors, labels),
        )  # fmt: skip
        made[kind] = Explainer.load(bundle)
    return made


@pytest.mark.parametrize("kind", ["forest", "boosting", "ensemble"])
@pytest.mark.parametrize("question", [{}, {"target": "hiss"}, {"target": "hum", "against": "hiss"}])
def test_values_and_baseline_are_the_answer(explainers, kind, question):
    why = explainers[kind].from_clip(sound("hum", 99), **question)
    assert why.values.sum() + why.baseline == pytest.approx(why.answer, abs=1e-4)
    assert why.families().sum() == pytest.approx(why.values.sum(), abs=1e-9)
    assert why.quality["residual"] <= 1e-4
    assert len(why.frame()) == 75
    assert why.frame()["contribution"].abs().is_monotonic_decreasing


def test_the_answer_is_the_models_own(explainers):
    clip = sound("pulse", 99)
    why = explainers["forest"].from_clip(clip)
    assert why.predicted == why.target == "pulse"
    assert why.answer == pytest.approx(why.probabilities["pulse"])
    found = explainers["forest"].predictor.from_clip(clip)
    pd.testing.assert_series_equal(why.probabilities, found.probabilities, check_names=False)
    other = explainers["forest"].from_clip(clip, target="pulse", against="hum")
    gap = why.probabilities["pulse"] - why.probabilities["hum"]
    assert other.answer == pytest.approx(gap)


@pytest.mark.parametrize("kind", KINDS)
def test_the_opposite_question_has_the_opposite_answer(explainers, kind):
    clip = sound("pulse", 98)
    one = explainers[kind].from_clip(clip, target="pulse", against="hum")
    two = explainers[kind].from_clip(clip, target="hum", against="pulse")
    np.testing.assert_allclose(np.asarray(one.values), -np.asarray(two.values), atol=1e-5)
    assert (one.answer, one.baseline) == pytest.approx((-two.answer, -two.baseline), abs=1e-6)


def test_only_the_genre_held_against_is_left_out_of_the_default_target(explainers):
    clip = sound("hum", 97)
    why = explainers["boosting"].from_clip(clip, against="hum")
    assert why.target == why.probabilities.drop("hum").idxmax()


@pytest.mark.parametrize("method", ["occlusion", "grad_cam"])
def test_a_map_with_its_sounds_regions_and_figures(explainers, method):
    explainer = explainers["cnn"]
    why = explainer.from_clip(sound("pulse", 96), method=method, beside=("grad_cam",))
    assert why.method == method and why.values.shape == (128, 128)
    assert list(why.maps())[-1] == {"occlusion": "occlusion", "grad_cam": "Grad-CAM"}[method]
    assert set(why.quality) >= {"deletion", "insertion", "drop", "fidelity", "heard_gap"}
    sounds = why.to_audio()
    assert {name: len(y) for name, y in sounds.items()} == dict.fromkeys(
        ("clip", "kept", "left_out"), CLIP
    )
    assert not why.empty
    for region in why.regions():
        assert 0 <= region.start_s < region.end_s <= 5.0
        assert 0 <= region.low_hz < region.high_hz <= RATE / 2
        assert 0 < region.share <= 1
    assert why.ranges().sum() == pytest.approx(1)
    strongest = why.frame().sort_values("value").iloc[-1]
    assert strongest["value"] == pytest.approx(why.strength)
    inside = [
        r for r in why.regions(most=99)
        if r.start_s <= strongest["time_s"] <= r.end_s
        and r.low_hz <= strongest["frequency_hz"] <= r.high_hz
    ]  # fmt: skip
    assert inside


def test_an_empty_map_is_said_to_be_empty(explainers):
    explainer = explainers["cnn"]
    why = explainer.from_clip(sound("hum", 95))
    flat = dataclasses.replace(why, values=np.zeros((128, 128), np.float32))
    assert flat.empty and flat.regions() == [] and flat.strength == 0
    assert "empty" in flat.sentences()[1]
    assert flat.ranges().sum() == 0
    assert not flat.to_audio()["kept"].any()
    json.dumps(flat.to_dict(), allow_nan=False)


@pytest.mark.parametrize("kind", KINDS)
def test_every_language_says_it_and_json_holds_it(explainers, kind):
    why = explainers[kind].from_clip(sound("hum", 94))
    said = {code: why.sentences(code) for code in languages()}
    assert len({tuple(sentences) for sentences in said.values()}) == len(languages())
    content = json.loads(json.dumps(why.to_dict(), allow_nan=False))
    assert content["target"] == why.target and content["sentences"] == said["en"]
    with pytest.raises(ConfigError, match="known are en, ko"):
        why.sentences("xx")


def test_sentences_hold_the_figures(explainers):
    why = explainers["boosting"].from_clip(sound("hum", 93))
    first = why.frame().iloc[0]
    sentence = why.sentences()[1]
    assert f"{abs(first['contribution']):.2f}" in sentence
    assert why.reference in sentence


@pytest.mark.parametrize("kind", KINDS)
def test_the_most_telling_moments_of_a_file(explainers, kind, tmp_path):
    parts = ["hum", "hiss", "hum", "pulse", "hum", "hiss"]
    path = tmp_path / "medley.wav"
    y = np.concatenate([sound(genre, n) for n, genre in enumerate(parts)])
    soundfile.write(path, y, RATE, subtype="FLOAT")
    found = explainers[kind].from_file(path, target="hiss", moments=2)
    starts = sorted(moment.clip.start_s for moment in found.moments)
    assert starts == [5.0, 25.0]
    leads = [moment.probabilities["hiss"] for moment in found.moments]
    assert leads == sorted(leads, reverse=True)
    first = found.moments[0]
    at = round(first.clip.start_s * RATE)
    np.testing.assert_array_equal(first.clip.waveform, y[at : at + CLIP])


def test_a_short_file_has_one_moment(explainers, tmp_path):
    path = tmp_path / "short.wav"
    soundfile.write(path, sound("hiss", 0, seconds=2.0), RATE)
    found = explainers["forest"].from_file(path)
    (moment,) = found.moments
    assert (moment.clip.start_s, moment.clip.end_s) == (0.0, pytest.approx(2.0))
    assert moment.title == "short.wav, 0 to 2 s, looped"


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ({"target": "hun"}, "did you mean hum"),
        ({"against": "jazz"}, "knows no genre 'jazz'"),
        ({"target": "hum", "against": "hum"}, "cannot be held against itself"),
        ({"method": "occlusion"}, "does not explain a forest"),
    ],
)
def test_impossible_questions(explainers, question, words):
    with pytest.raises(ConfigError, match=words):
        explainers["forest"].from_clip(sound("hum", 0), **question)


def test_impossible_sounds(explainers):
    with pytest.raises(ValueError, match="110250"):
        explainers["forest"].from_clip(np.zeros(1000))
    broken = sound("hum", 0)
    broken[5] = np.nan
    with pytest.raises(AudioError):
        explainers["forest"].from_clip(broken)
    with pytest.raises(AudioError):
        explainers["forest"].from_file("/nowhere.wav")


def test_a_bundle_of_other_features_cannot_be_asked(tmp_path):
    X = pd.DataFrame({"a": [0.0, 1.0], "b": [1.0, 0.0]})
    model = create_model("forest", n_estimators=2).fit(X, ["x", "y"])
    folder = save_bundle(
        tmp_path / "table", model, genres=["x", "y"], taxonomy={}, audio=None, features=None
    )
    with pytest.raises(BundleError, match="table of other features"):
        Explainer.load(folder)


def test_trees_are_explained_without_torch(explainers, tmp_path):
    path = tmp_path / "hum.wav"
    soundfile.write(path, sound("hum", 1), RATE)
    folder = tmp_path / "bundle"
    save_bundle(
        folder, explainers["forest"].bundle.model, genres=GENRES, taxonomy={},
        audio=AudioSettings(), features=FeatureSettings(),
    )  # fmt: skip
    code = (
        "import sys\n"
        "class NoTorch:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name.split('.')[0] == 'torch':\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, NoTorch())\n"
        "from genrescope.explanations.explainer import Explainer\n"
        f"print(Explainer.load({str(folder)!r}).from_file({str(path)!r}).target)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "hum\n", done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_the_picture(explainers, kind):
    why = explainers[kind].from_clip(sound("pulse", 92), path="/music/a pulse.wav")
    figure = why.plot()
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles[0] == "what was heard: mel spectrogram"
    assert "probability of each genre" in titles
    assert ("waveform, beats in blue" in titles) == (len(why.clip.beats()) > 0)
    printed = " ".join(text.get_text().replace("\n", " ") for text in figure.texts)
    assert "a pulse.wav, 0 to 5 s" in printed
    assert why.sentences()[0] in printed
    bare = why.plot(title="", sentences=False)
    assert not bare.texts
