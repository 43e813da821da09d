"""Explanations of models that can only have learned one thing: do they point at it?

Clips of audio, five seconds each, are "cue" or "nothing"; `tests/tools/cues.py` renders them. What
tells the two apart is one planted sound, and everything else is drawn alike for both.

Maps of the network: a chord over hiss has three loud bursts of noise, and with the cue

- `band`: a quiet tone of 0.6 s, at about 3 kHz at a random moment;
- `moment`: a quiet rising tone of 0.4 s, from 1.2 s on in a random band;

or a drum loop has single extra snares, toms and claps at random, and with the cue

- `drum`: a fill, six snares a step apart at a random moment. It has a place in time alone.

The network takes the mean over all places, so what it has learned is the sound of the cue; where
that sound is, the map has to say.

Shapley values of the trees: the cue is a faster tempo at as many strokes (rhythm), music that
grows or fades (dynamics), or the pitch class of a held tone (harmony).

Every figure is printed and recorded as a property of its test, with its n.
"""

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

pytest.importorskip("torch")

import cues

from genrescope.explanations.families import by_family, family_of
from genrescope.explanations.grad_cam import grad_cam
from genrescope.explanations.maps import DEFAULT, METHODS, reference_maps
from genrescope.explanations.occlusion import occlusion
from genrescope.explanations.shapley import shap_values
from genrescope.features import extract
from genrescope.features.mel import mel_from_hz
from genrescope.features.vector import FEATURE_NAMES
from genrescope.models import create_model
from genrescope.models.device import threads
from genrescope.settings import FeatureSettings

pytestmark = pytest.mark.slow

SIZE = 64  # bands and frames: half the study's, since training takes a seventh of the time
# So half the study's patches. Those of the default cover a sixteenth of the picture here, and what
# they are filled with can itself pass for a cue: noted, not required.
FINE = {"occlusion": {"patch": 8, "step": 4}}
SLACK = 4  # half the distance of two places in the network's last layer
TRAIN, VALIDATION, TEST = 320, 60, 120  # clips for a network
TRAIN_TREES = 280


@pytest.fixture(autouse=True)
def one_thread():
    """The same weights on every number of cores, and no waiting where others want the cores."""
    with threads(1), threadpool_limits(1):
        yield


@pytest.fixture
def note(request):
    def record(name, hits):
        request.node.user_properties.append((name, f"{np.sum(hits)} of {len(hits)}"))
        print(f"{name}: {np.mean(hits):.1%} of {len(hits)}")
        return np.mean(hits)

    return record


def place(cue):
    """Lowest and highest band, first and last frame of a cue, as fractions of places."""
    top = float(mel_from_hz(cues.SAMPLE_RATE / 2))
    low, high = (float(mel_from_hz(hz)) / top * (SIZE + 1) - 1 for hz in (cue.low_hz, cue.high_hz))
    begin, end = (seconds / cues.CLIP_S * SIZE - 0.5 for seconds in (cue.begin_s, cue.end_s))
    return (low, begin), (high, end)


def is_inside(values, cue):
    """Whether the maximum, or the middle of the places that share it, is in the cue."""
    maximum = np.argwhere(values == values.max()).mean(axis=0)
    first, last = place(cue)
    return bool(np.all((maximum >= np.subtract(first, SLACK)) & (maximum <= np.add(last, SLACK))))


def drawn(kind, n):
    """Maps, labels and places of the cues of n clips."""
    rng = np.random.default_rng(0)
    settings = FeatureSettings(n_mels=SIZE, frames=SIZE)
    genres = np.array(["cue", "nothing"] * (n // 2))
    maps, planted = [], []
    for genre in genres:
        sound, cue = cues.PLACED[kind](rng, genre == "cue")
        maps.append(extract(sound[np.newaxis], features=settings, vectors=False).log_mels[0])
        planted.append(cue)
    return np.stack(maps), genres, planted


@pytest.mark.parametrize("kind", cues.PLACED)
def test_the_maximum_of_a_map_is_inside_the_cue(kind, note):
    maps, genres, planted = drawn(kind, TRAIN + VALIDATION + TEST)
    held, test = slice(TRAIN, TRAIN + VALIDATION), np.arange(TRAIN + VALIDATION, len(maps))
    model = create_model("cnn", epochs=10, patience=4, batch_size=16, n_jobs=1)
    model.fit(maps[:TRAIN], genres[:TRAIN], validation=(maps[held], genres[held]))
    right = model.predict(maps[test]) == genres[test]
    assert note(f"{kind}, network right", right) >= 0.95

    explained = test[right & (genres[test] == "cue")]
    inputs = maps[explained]
    found = reference_maps(inputs)
    for name, explain in {"occlusion": occlusion, "grad_cam": grad_cam}.items():
        found[name] = explain(model, inputs, target="cue", **FINE.get(name, {}))
        if name in FINE:
            found[f"{name} by default"] = explain(model, inputs, target="cue")
    shares = {}
    for name, values in found.items():
        pairs = zip(values, (planted[n] for n in explained), strict=True)
        shares[name] = note(f"{kind}, {name}", [is_inside(*pair) for pair in pairs])
    assert max(shares[name] for name in METHODS) >= 0.95
    assert shares[DEFAULT] >= 0.9
    assert max(shares["energy"], shares["random"]) <= 0.5


@pytest.mark.parametrize("family", cues.MUSICAL)
def test_shapley_values_put_the_family_of_the_cue_first(family, note):
    rng = np.random.default_rng(0)
    genres = np.array(["cue", "nothing"] * ((TRAIN_TREES + TEST) // 2))
    sounds = (cues.MUSICAL[family](rng, genre == "cue") for genre in genres)
    vectors = [extract(sound[np.newaxis], log_mels=False).vectors[0] for sound in sounds]
    names = [f"clip {n}" for n in range(len(vectors))]
    X = pd.DataFrame(vectors, index=names, columns=FEATURE_NAMES)
    test = np.arange(TRAIN_TREES, len(X))
    for kind in ("forest", "boosting"):
        model = create_model(kind, n_estimators=200, n_jobs=1)
        model.fit(X[:TRAIN_TREES], genres[:TRAIN_TREES])
        right = model.predict(X.iloc[test]) == genres[test]
        assert note(f"{family}, {kind} right", right) >= 0.95
        values = shap_values(model, X.iloc[test[right & (genres[test] == "cue")]]).frame()
        values = values[values["genre"] == "cue"]
        for_cue = values.pivot_table(index="feature", columns="clip_id", values="shap")
        first = by_family(for_cue).idxmax() == family
        in_three = [family in map(family_of, for_cue[clip].nlargest(3).index) for clip in for_cue]
        assert note(f"{family}, {kind}: family first", first) >= 0.95
        assert note(f"{family}, {kind}: among the first three features", in_three) >= 0.95
