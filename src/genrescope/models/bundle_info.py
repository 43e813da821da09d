"""What a bundle says of itself: `bundle.json`, read and checked against itself."""

import contextlib
import json
import re
import stat
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from genrescope.errors import BundleError
from genrescope.models import MODELS, model_class
from genrescope.settings import AudioSettings, FeatureSettings, nearest

FORMAT_VERSION = 1
DESCRIPTION = "bundle.json"
LARGEST_DESCRIPTION = 32 * 2**20  # bytes
LARGEST_FILE = 2 * 2**30  # bytes
MOST_GENRES = 10_000
LARGEST_CLIP = 3_000_000  # samples: a minute at 48 kHz
LARGEST_SPECTRUM = 2**25  # values of one clip's STFT, 256 MiB; the default has 2**18
PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# Where a model runs is no part of the model, and nothing a bundle may choose.
MACHINE_PARAMS = ("device", "n_jobs", "verbose")


class BundleInfo(BaseModel):
    """What `bundle.json` says.

    Attributes
    ----------
    format_version : int
    kind : str
        Of the model: a key of `genrescope.models.MODELS`.
    input : str
        `vectors` or `log_mels`.
    input_shape : tuple of int
        Of one clip: (n_features,) or (n_mels, frames).
    params : dict
        Of the estimator, without those that name the machine (threads, device).
    classes : tuple of str
        Columns of `predict_proba`, sorted.
    genres : tuple of str
        The same and perhaps more, in display order.
    taxonomy : dict
        As `Taxonomy.to_dict` gives it.
    audio, features : settings or None
        How sound becomes input; None where the model was trained on a table of other features.
    feature_names : tuple of str or None
    corpora : tuple of dict
        What it was trained on, with fingerprints.
    metrics : list or dict
        How it scored.
    coverage : dict or None
        How its prediction sets did on recordings held out.
    versions : dict
        Of genrescope, Python and the libraries at training.
    files : dict
        SHA-256 of every other file, by name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: int
    kind: str
    input: Literal["vectors", "log_mels"]
    input_shape: tuple[int, ...] = Field(min_length=1, max_length=2)
    params: dict[str, Any]
    classes: tuple[str, ...] = Field(min_length=2)
    genres: tuple[str, ...] = Field(max_length=MOST_GENRES)
    taxonomy: dict[str, Any]
    audio: AudioSettings | None
    features: FeatureSettings | None
    feature_names: tuple[str, ...] | None
    corpora: tuple[dict[str, Any], ...]
    metrics: list[Any] | dict[str, Any]
    coverage: dict[str, Any] | None = None
    versions: dict[str, str]
    files: dict[str, str]


def fits(
    taken: str, shape: Sequence[int], names: tuple[str, ...] | None, features: FeatureSettings
) -> bool:
    """Whether these settings lead to what a model takes.

    Parameters
    ----------
    taken : {"vectors", "log_mels"}
    shape : sequence of int
        Of one clip.
    names : tuple of str or None
        Of the features, where the model knows them.
    features : FeatureSettings
    """
    if taken == "log_mels":
        return tuple(shape) == (features.n_mels, features.frames)
    from genrescope.features.vector import feature_names

    made = feature_names(features)
    return names == made if names is not None else tuple(shape) == (len(made),)


def without_machine(params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of a model, and of its members, without those that name the machine."""
    kept = {name: value for name, value in params.items() if name not in MACHINE_PARAMS}
    if isinstance(members := kept.get("members"), Mapping):
        kept["members"] = {
            kind: without_machine(of_member) if isinstance(of_member, Mapping) else of_member
            for kind, of_member in members.items()
        }
    return kept


def check_names(genres: Iterable[str], path: Path | None = None) -> None:
    """Refuse genres that would break a line or command a terminal where they are printed."""
    for genre in genres:
        if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in genre):
            raise BundleError(f"the genre {genre!r} has a control character", path=path)


def check_cost(audio: AudioSettings, features: FeatureSettings, path: Path | None = None) -> None:
    """Refuse settings under which one clip would take the memory of many."""
    frames = audio.clip_samples // features.hop_length + 1
    if audio.clip_samples > LARGEST_CLIP or frames * (features.n_fft // 2 + 1) > LARGEST_SPECTRUM:
        raise BundleError("its settings make a clip too large to be analysed", path=path)


def read_info(folder: str | Path) -> BundleInfo:
    """Read and check what a bundle says of itself, without its weights.

    Raises
    ------
    BundleError
        Where it is no bundle, is from a newer format, or contradicts itself.
    """
    folder = Path(folder)
    with reading(folder):
        if not folder.is_dir():
            raise BundleError("is no folder; a bundle is one with a bundle.json", path=folder)
    path = folder / DESCRIPTION
    content = read_checked_json(path)
    version = content.get("format_version") if isinstance(content, dict) else None
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise BundleError("is no description of a bundle: format_version is missing", path=path)
    if version > FORMAT_VERSION:
        raise BundleError(
            f"written by a newer genrescope (format {version}); update genrescope", path=path
        )
    try:
        info = BundleInfo.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise BundleError(f"is damaged: {place}: {first['msg']}", path=path) from error
    _check_consistent(info, path)
    return info


def _check_consistent(info: BundleInfo, path: Path) -> None:
    if info.kind not in MODELS:
        raise BundleError(
            f"holds a model of the unknown kind {info.kind!r}: {nearest(info.kind, MODELS)}",
            path=path,
        )
    for name in info.files:
        if not PLAIN_NAME.fullmatch(name):
            raise BundleError(f"unsafe: it lists the file {name!r}, outside the bundle", path=path)
    if info.input != model_class(info.kind).input:
        raise BundleError(f"a {info.kind} does not take {info.input}", path=path)
    if len(info.input_shape) != (1 if info.input == "vectors" else 2) or min(info.input_shape) < 1:
        raise BundleError(f"input_shape {info.input_shape} is not that of {info.input}", path=path)
    if without_machine(info.params) != info.params:
        raise BundleError(f"unsafe: its params set one of {', '.join(MACHINE_PARAMS)}", path=path)
    check_names(info.genres, path)
    if list(info.classes) != sorted(set(info.classes)):
        raise BundleError("classes are repeated or not sorted", path=path)
    missing = set(info.classes) - set(info.genres)
    if missing or len(set(info.genres)) != len(info.genres):
        raise BundleError("genres repeat, or lack a class of the model", path=path)
    names = info.feature_names
    if names is not None and len(set(names)) != info.input_shape[0]:
        raise BundleError(
            f"{len(set(names))} feature names do not fit {info.input_shape[0]} features", path=path
        )
    if (info.audio is None) != (info.features is None):
        raise BundleError("has settings of audio or of features, but not of both", path=path)
    if info.audio is None or info.features is None:
        return
    if not fits(info.input, info.input_shape, names, info.features):
        raise BundleError("the feature settings do not lead to the model's features", path=path)
    check_cost(info.audio, info.features, path)


def read_checked_json(path: Path) -> Any:
    """Read a JSON file of a bundle, unless it is missing, no ordinary file, or far too large."""
    check_regular(path, largest=LARGEST_DESCRIPTION)
    with reading(path):
        return parse_json(path.read_bytes(), path)


def parse_json(content: bytes, path: str | Path) -> Any:
    """Parse JSON that every reader reads alike: no key twice, no number that JSON does not know.

    Raises
    ------
    BundleError
        Naming `path`.

    Examples
    --------
    >>> parse_json(b'{"kind": "forest", "kind": "cnn"}', "bundle.json")
    Traceback (most recent call last):
    genrescope.errors.BundleError: bundle.json: is damaged: it is no JSON (a key is there twice)
    """
    try:
        return json.loads(content, object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"is damaged: it is no JSON ({error})", path=path) from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number")


def check_regular(path: Path, *, largest: int = LARGEST_FILE) -> None:
    """Refuse what is missing, a link, no ordinary file, or too large."""
    with reading(path):
        status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        raise BundleError("unsafe: it is a link or no ordinary file", path=path)
    if status.st_size > largest:
        raise BundleError("is too large to be part of a bundle", path=path)


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn an `OSError` inside the block into a `BundleError` that names `path`."""
    try:
        yield
    except FileNotFoundError as error:
        raise BundleError("is missing from the bundle", path=path) from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise BundleError(f"cannot be read ({reason})", path=path) from error
