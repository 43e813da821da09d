"""Bundles of every kind, one file changed, the digests right again."""

import functools
import hashlib
import json
import warnings

import numpy as np
import pandas as pd

from fuzzing.folder import change_files, pack, unpack, write
from fuzzing.target import Target, scratch, typed_errors
from genrescope.models import MODELS, create_model, model_class
from genrescope.models.bundle import save_bundle
from genrescope.models.doubt import Calibration
from genrescope.models.predictor import Predictor
from genrescope.models.statistics import FeatureStatistics
from genrescope.models.strangeness import deviations
from genrescope.settings import AudioSettings, FeatureSettings

for _kind in MODELS:
    model_class(_kind)  # with its libraries, before memory is limited
SMALL = FeatureSettings(n_mels=16, n_mfcc=2, frames=16)
GENRES = ["Blues-like", "Pop/Dance/RnB", "Rock/Metal"]
MEMBERS = {"linear": {}, "svm": {}, "boosting": {"n_estimators": 2}}


@functools.cache
def seeds() -> tuple[bytes, ...]:
    """A small bundle of each kind, with statistics and calibration where it has them."""
    from genrescope.features.vector import feature_names

    rng = np.random.default_rng(0)
    names = list(feature_names(SMALL))
    X = pd.DataFrame(rng.normal(size=(24, len(names))).astype(np.float32), columns=names)
    y = np.repeat(GENRES, 8)
    X["tempo"] += 3 * np.repeat([0, 1, 2], 8)
    maps = rng.normal(-60, 5, size=(12, 16, 16)).astype(np.float32)
    models = {
        "linear": create_model("linear"), "svm": create_model("svm"),
        "forest": create_model("forest", n_estimators=3, max_depth=3),
        "boosting": create_model("boosting", n_estimators=2, max_depth=2),
        "ensemble": create_model("ensemble", members=MEMBERS),
        "cnn": create_model("cnn", epochs=1, batch_size=12, n_jobs=1),
    }  # fmt: skip
    made = []
    for kind, model in models.items():
        of_maps = kind == "cnn"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(*((maps, np.repeat(GENRES, 4)) if of_maps else (X, y)))
        statistics = calibration = None
        if not of_maps:
            statistics = FeatureStatistics.from_clips(X, y)
            calibration = Calibration.from_clips(
                pd.DataFrame(model.predict_proba(X), columns=model.classes_),
                deviations(statistics, X), genres=y, recordings=np.arange(len(X)),
            )  # fmt: skip
        with scratch() as folder:
            save_bundle(
                folder / "b", model, genres=GENRES, taxonomy={"name": "t", "genres": GENRES},
                audio=AudioSettings(clip_seconds=1.0), features=SMALL, card="# A model\n",
                corpora=[{"name": "c", "fingerprint": "0"}], metrics=[{"part": "test", "n": 1}],
                statistics=statistics, calibration=calibration,
            )  # fmt: skip
            files = {path.name: path.read_bytes() for path in sorted((folder / "b").iterdir())}
        made.append(pack(files))
    return tuple(made)


def _with_digests(files: dict[str, bytes]) -> dict[str, bytes]:
    """The digests that whoever changes a bundle on purpose computes anew."""
    try:
        info = json.loads(files["bundle.json"])
        for name in info["files"]:
            if name in files:
                info["files"][name] = hashlib.sha256(files[name]).hexdigest()
        return files | {"bundle.json": json.dumps(info).encode()}
    except (LookupError, TypeError, ValueError, RecursionError):
        return files


@functools.cache
def _waveform() -> "np.ndarray":
    return 0.5 * np.sin(np.arange(22050) / 7).astype(np.float32)


def check(data: bytes) -> None:
    """Load a bundle and ask it about a sound: an answer of finite numbers, or a sentence."""
    with scratch() as folder:
        write(_with_digests(unpack(data)), folder / "b")
        with typed_errors(), np.errstate(all="ignore"):
            predictor = Predictor.load(folder / "b")
            answer = predictor.from_clip(_waveform())
            assert np.isfinite(answer.probabilities.to_numpy(np.float64)).all()
            assert answer.genre in predictor.genres


TARGET = Target(check, seeds, change_files, longest=2**19, examples=100)
