"""Trained models as folders that describe themselves, and that nobody need trust to load.

A bundle holds `bundle.json` (what the model is and what it was trained on, with the digest of
every other file), the weights, and `README.md`, a model card. `statistics.json`, where there is
one, says how the features of its training clips are distributed; `calibration.npz`, how the model
did on recordings kept aside. Nothing in it is unpickled or run.
"""

import importlib.metadata
import json
import math
import os
import platform
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genrescope.errors import BundleError, ConfigError
from genrescope.files import PARTIAL, exchange, output_errors, sha256_file, write_json, write_text
from genrescope.models import create_model, model_class
from genrescope.models.bundle_evidence import (
    EVIDENCE,
    check_evidence,
    read_evidence,
    write_evidence,
)
from genrescope.models.bundle_info import (
    DESCRIPTION,
    FORMAT_VERSION,
    BundleInfo,
    check_cost,
    check_names,
    check_regular,
    fits,
    read_info,
    reading,
    without_machine,
)
from genrescope.models.bundle_place import bundle_at_hand
from genrescope.models.doubt import Calibration
from genrescope.models.estimator import GenreClassifier
from genrescope.models.statistics import FeatureStatistics
from genrescope.settings import AudioSettings, FeatureSettings

CARD = "README.md"
LIBRARIES = ("numpy", "scikit-learn", "skops", "xgboost-cpu", "torch", "safetensors")


@dataclass(frozen=True)
class Bundle:
    """A trained model and what is known of it.

    Attributes
    ----------
    model : GenreClassifier
    info : BundleInfo
    statistics : FeatureStatistics or None
        Of the clips it learned from, where the bundle holds them.
    calibration : Calibration or None
        From recordings it did not learn from, where the bundle holds one.
    """

    model: GenreClassifier
    info: BundleInfo
    statistics: FeatureStatistics | None = None
    calibration: Calibration | None = None


def save_bundle(
    folder: str | Path,
    model: GenreClassifier,
    *,
    genres: Sequence[str],
    taxonomy: Mapping[str, Any],
    audio: AudioSettings | None,
    features: FeatureSettings | None,
    corpora: Sequence[Mapping[str, Any]] = (),
    metrics: Any = (),
    coverage: Mapping[str, Any] | None = None,
    card: str = "",
    statistics: FeatureStatistics | None = None,
    calibration: Calibration | None = None,
) -> Path:
    """Write a trained model as a bundle, whole or not at all.

    Parameters
    ----------
    folder : path-like
        The bundle; an older bundle there is replaced, anything else is left alone.
    model : GenreClassifier
        Trained.
    genres : sequence of str
        In display order.
    taxonomy : mapping
        As `Taxonomy.to_dict` gives it.
    audio, features : settings or None
        How the inputs were made. They are kept only if they lead to the model's inputs: a model
        of other features cannot predict sound.
    corpora : sequence of mapping
        What it was trained on.
    metrics : list or mapping
        How it scored; what is not finite becomes null.
    coverage : mapping, optional
        How its prediction sets did on recordings held out.
    card : str
        The model card, Markdown.
    statistics : FeatureStatistics, optional
        Of the clips it learned from.
    calibration : Calibration, optional
        From recordings it did not learn from; it needs the statistics.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    BundleError
        Where `folder` holds something else, the model cannot be described in JSON, or the
        statistics are not of its genres and features.
    OutputError
        Where it cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> model = create_model("forest", n_estimators=5).fit([[0.0], [1.0]], ["a", "b"])
    >>> folder = save_bundle(
    ...     Path(tempfile.mkdtemp()) / "ab", model, genres=["b", "a"], taxonomy={},
    ...     audio=None, features=None, card="# Tells a from b",
    ... )
    >>> sorted(path.name for path in folder.iterdir())
    ['README.md', 'bundle.json', 'forest.skops']
    >>> load_bundle(folder).model.predict([[0.9]])
    array(['b'], dtype='<U1')
    """
    folder = Path(folder).absolute()
    check_replaceable(folder)
    content = _describe(model, genres, taxonomy, audio, features) | {
        "corpora": [_plain(dict(corpus)) for corpus in corpora],
        "metrics": _plain(metrics),
        "coverage": _plain(coverage),
        "versions": _versions(),
    }
    check_evidence(
        statistics,
        calibration,
        classes=content["classes"],
        names=content["feature_names"],
        features=None if content["features"] is None else features,
    )
    partial = folder.with_name(f".{folder.name}{PARTIAL}")
    try:
        with output_errors(folder):
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            names = model.save_weights(partial)
            write_text(partial / CARD, card)
            names += [CARD, *write_evidence(partial, statistics, calibration)]
            content["files"] = {name: sha256_file(partial / name) for name in sorted(names)}
            write_json(partial / DESCRIPTION, content)
            put_in_place(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def check_replaceable(folder: Path) -> None:
    """Refuse a folder that holds something else than a bundle."""
    if folder.is_symlink():
        raise BundleError("is a link; give the folder itself", path=folder)
    if not folder.exists():
        return
    if not folder.is_dir():
        raise BundleError("is a file; a bundle is a folder", path=folder)
    if any(folder.iterdir()) and not (folder / DESCRIPTION).is_file():
        raise BundleError("holds something else than a bundle and is left alone", path=folder)


def put_in_place(partial: Path, folder: Path) -> None:
    """Put a finished bundle where it shall be; what it takes the place of is removed."""
    replaced = folder.with_name(f".{folder.name}.replaced")
    if folder.exists() and exchange(partial, folder):
        shutil.rmtree(partial, ignore_errors=True)
    else:
        # A folder cannot be renamed onto a full one, so the old bundle steps aside first.
        shutil.rmtree(replaced, ignore_errors=True)
        if folder.exists():
            folder.rename(replaced)
        partial.rename(folder)
    shutil.rmtree(replaced, ignore_errors=True)


def _describe(
    model: GenreClassifier,
    genres: Sequence[str],
    taxonomy: Mapping[str, Any],
    audio: AudioSettings | None,
    features: FeatureSettings | None,
) -> dict[str, Any]:
    if not hasattr(model, "classes_"):
        raise BundleError("the model is not trained yet")
    classes = model.classes_.tolist()
    if not all(isinstance(name, str) for name in classes):
        raise BundleError("the model's classes are not text")
    missing = [name for name in classes if name not in genres]
    if missing:
        raise BundleError(f"the model's class {missing[0]!r} is not among the genres")
    check_names(genres)
    try:
        params = json.loads(json.dumps(without_machine(model.get_params()), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise BundleError(f"a parameter of the model cannot be written down: {error}") from error
    shape = getattr(model, "input_shape_", (model.n_features_in_,))
    names = getattr(model, "feature_names_in_", None)
    names = None if names is None else tuple(map(str, names))
    ours = features is not None and fits(model.input, shape, names, features)
    if ours and audio is not None and features is not None:
        check_cost(audio, features)
    return {
        "format_version": FORMAT_VERSION,
        "kind": model.kind,
        "input": model.input,
        "input_shape": [int(side) for side in shape],
        "params": params,
        "classes": classes,
        "genres": list(genres),
        "taxonomy": _plain(dict(taxonomy)),
        "audio": audio.model_dump() if audio is not None and ours else None,
        "features": features.model_dump() if features is not None and ours else None,
        "feature_names": None if names is None else list(names),
    }


def _plain(value: Any) -> Any:
    """Nested data as JSON can hold it."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return str(value)


def _versions() -> dict[str, str]:
    versions = {
        "genrescope": importlib.metadata.version("genrescope"),
        "python": platform.python_version(),
    }
    installed = {d.name.lower() for d in importlib.metadata.distributions() if d.name}
    return versions | {
        name: importlib.metadata.version(name) for name in LIBRARIES if name in installed
    }


def load_bundle(folder: str | os.PathLike[str]) -> Bundle:
    """Load a trained model, having checked that nothing in it is altered or unsafe.

    Digests show accidents; against someone who computes them anew, the structure of the weights
    is checked as well: types, shapes, and every node of every tree.

    Parameters
    ----------
    folder : path-like
        A bundle, or its URL.

    Returns
    -------
    Bundle

    Raises
    ------
    BundleError
        Where it is no bundle, is from a newer format, damaged, altered or unsafe.
    ConfigError
        Where a library it needs is not installed.
    RemoteError
        Where a URL cannot be reached.
    """
    with bundle_at_hand(folder) as here:
        return _load(here)


def _load(folder: Path) -> Bundle:
    info = read_info(folder)
    try:
        expected = {*create_model(info.kind, **info.params).weights_files, CARD}
    except (ConfigError, TypeError, ValueError, OverflowError) as error:
        raise BundleError(f"{DESCRIPTION}: {error}", path=folder) from error
    if set(info.files) - set(EVIDENCE) != expected:
        odd = sorted((set(info.files) - set(EVIDENCE)) ^ expected)[0]
        what = "lists" if odd in info.files else "does not list"
        raise BundleError(f"{DESCRIPTION} {what} the file {odd!r}", path=folder)
    for name, digest in info.files.items():
        path = folder / name
        check_regular(path)
        with reading(path):
            unaltered = sha256_file(path) == digest
        if not unaltered:
            raise BundleError(
                "altered or truncated since the bundle was written (its SHA-256 differs)", path=path
            )
    statistics, calibration = read_evidence(folder, info)
    return Bundle(model_class(info.kind).load_weights(folder, info), info, statistics, calibration)
