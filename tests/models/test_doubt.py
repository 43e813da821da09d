import json

import numpy as np
import pandas as pd
import pytest

from genrescope.errors import BundleError
from genrescope.files import sha256_file
from genrescope.models.arrays_file import write_arrays
from genrescope.models.bundle import load_bundle
from genrescope.models.doubt import Calibration
from genrescope.models.statistics import FeatureStatistics

GENRES = ["Blues", "Pop"]


def calibrate(table, apart, genres, recordings) -> Calibration:
    frame = pd.DataFrame(table, columns=GENRES)
    return Calibration.from_clips(
        frame, np.asarray(apart, float), genres=genres, recordings=recordings
    )


def evenly(n: int) -> Calibration:
    """Scores and strangeness 1/n, 2/n and so on up to 1."""
    steps = np.arange(1.0, n + 1) / n
    return Calibration(steps, steps, np.ones(2))


def test_a_recording_counts_once_however_many_clips_it_has():
    table = [[0.9, 0.1], [0.5, 0.5], [0.6, 0.4], [0.2, 0.8]]
    found = calibrate(table, np.zeros((4, 1)), ["Blues"] * 3 + ["Pop"], list("aabc"))
    np.testing.assert_allclose(found.scores, [0.2, 0.3, 0.4])
    assert found.n == 3


def test_strangeness_is_distance_and_indecision_in_their_standard_deviations():
    table = [[1.0, 0.0], [0.5, 0.5], [1.0, 0.0]]
    found = calibrate(table, [[3, 4], [0, 0], [0, 1]], ["Blues"] * 3, list("abc"))
    distances, entropies = np.array([5.0, 0.0, 1.0]), np.array([0.0, np.log(2), 0.0])
    np.testing.assert_allclose(found.units, [distances.std(), entropies.std()])
    expected = distances / distances.std() + entropies / entropies.std()
    np.testing.assert_allclose(found.strangeness, np.sort(expected))
    windows = np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([[3.0, 4.0], [0.0, 0.0]])
    mean = expected[:2].mean()
    assert found.strangeness_of(*windows) == pytest.approx(mean)


def test_where_nothing_varies_there_is_still_a_unit():
    found = calibrate([[1.0, 0.0]] * 2, np.zeros((2, 3)), ["Blues"] * 2, list("ab"))
    assert found.units.tolist() == [1, 1] and found.strangeness.tolist() == [0, 0]


@pytest.mark.parametrize(("n", "limit"), [(19, 1.0), (39, 38 / 39), (99, 95 / 99)])
def test_unlike_is_a_conformal_p_value_of_five_per_cent(n, limit):
    kept = evenly(n)
    assert kept.unlike(np.nextafter(limit, 2)) and not kept.unlike(limit)
    assert kept.unusual(np.nextafter(limit, 2)) == pytest.approx(limit)


def test_few_recordings_call_nothing_unlike():
    assert not evenly(18).unlike(1e9)
    assert evenly(18).unusual(1e9) == 1.0


def test_at_most_one_in_twenty_of_the_same_kind_is_called_unlike():
    rng = np.random.default_rng(0)
    called = []
    for _ in range(2000):
        drawn = rng.normal(size=41) ** 2
        kept = Calibration(np.linspace(0, 1, 40), np.sort(drawn[:40]), np.ones(2))
        called.append(kept.unlike(drawn[40]))
    # 2 of 41 places are called so: .0488, give or take .0048.
    assert 0.034 < np.mean(called) < 0.064


def test_a_doubt_says_which_genres_how_unusual_and_by_what():
    kept = evenly(20)
    answers = pd.DataFrame({"Blues": [0.7, 0.5], "Pop": [0.3, 0.5]})
    apart = pd.DataFrame({"tempo": [0.1, -0.1], "rms": [-3.0, 3.0], "zcr": [1.0, 1.0], "f": 0.0})
    said = kept.doubt(answers, apart, coverage=0.6)
    assert said.genres == ("Blues", "Pop") and said.coverage == 0.6 and said.enough
    assert said.unusual == 1.0 and said.unlike
    assert said.features == ("rms", "zcr", "tempo")
    assert kept.doubt(answers, apart * 0, coverage=0.5).genres == ("Blues",)
    few = kept.doubt(answers, apart, coverage=0.99)
    assert few.genres == ("Blues", "Pop") and not few.enough


@pytest.mark.parametrize(
    ("genres", "recordings", "sentence"),
    [
        (["Blues", "Pop"], ["a", "a"], "the clips of a are of more than one genre"),
        (["Blues", "Blues"], ["a", "a"], "too few"),
    ],
)
def test_clips_that_cannot_calibrate_are_refused(genres, recordings, sentence):
    with pytest.raises(ValueError, match=sentence):
        calibrate([[1.0, 0.0]] * 2, np.zeros((2, 1)), genres, recordings)


@pytest.fixture
def calibrated(save, vectors):
    """A bundle of a forest with a calibration, and the calibration."""
    kept = evenly(30)
    statistics = FeatureStatistics.from_clips(*vectors)
    return save("forest", statistics=statistics, calibration=kept), kept


def test_a_bundle_keeps_its_calibration(calibrated):
    folder, kept = calibrated
    found = load_bundle(folder).calibration
    assert found is not None
    for name in ("scores", "strangeness", "units"):
        np.testing.assert_array_equal(getattr(found, name), getattr(kept, name))
    assert sorted(json.loads((folder / "bundle.json").read_text())["files"]) == [
        "README.md", "calibration.npz", "forest.skops", "statistics.json",
    ]  # fmt: skip


def test_a_calibration_needs_statistics(save, calibrated):
    with pytest.raises(BundleError, match="needs the statistics"):
        save("forest", "other", calibration=evenly(5))
    folder, _ = calibrated
    info = json.loads((folder / "bundle.json").read_text())
    del info["files"]["statistics.json"]
    (folder / "bundle.json").write_text(json.dumps(info))
    with pytest.raises(BundleError, match=r"calibration.npz without a statistics.json"):
        load_bundle(folder)


STEPS = np.linspace(0, 1, 5)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"scores": STEPS[::-1]}, "scores are negative, not finite or not rising"),
        ({"strangeness": STEPS - 0.1}, "strangeness are negative"),
        ({"scores": STEPS * 2}, "scores are above 1"),
        ({"scores": np.full(5, np.nan)}, "scores is not finite"),
        ({"strangeness": STEPS[:4]}, "strangeness has another shape"),
        ({"scores": np.zeros((5, 1))}, "scores has another shape"),
        ({"scores": np.zeros(0)}, "scores has another shape"),
        ({"scores": [0.5], "strangeness": [0.5]}, "not of the same 2 recordings"),
        ({"units": [1.0, 0.0]}, "units is not positive"),
        ({"units": [1.0, -1.0]}, "units is not positive"),
        ({"units": [1.0]}, "units has another shape"),
        ({"code": [1.0]}, "code is extra or missing"),
    ],
)
def test_doctored_calibrations_are_refused(calibrated, change, sentence):
    folder, _ = calibrated
    arrays = {"scores": STEPS, "strangeness": STEPS, "units": np.ones(2)} | change
    write_arrays(folder / "calibration.npz", **arrays)
    info = json.loads((folder / "bundle.json").read_text())
    info["files"]["calibration.npz"] = sha256_file(folder / "calibration.npz")
    (folder / "bundle.json").write_text(json.dumps(info))
    with pytest.raises(BundleError, match=rf"calibration.npz: .*{sentence}"):
        load_bundle(folder)


def test_an_altered_calibration_is_refused(calibrated):
    folder, _ = calibrated
    content = bytearray((folder / "calibration.npz").read_bytes())
    content[200] ^= 1
    (folder / "calibration.npz").write_bytes(content)
    with pytest.raises(BundleError, match="SHA-256 differs"):
        load_bundle(folder)
