"""Which models answer where none is named."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from genrescope.corpora.table import AUDIO_SUFFIXES
from genrescope.errors import ConfigError
from genrescope.models.bundle_info import DESCRIPTION
from genrescope.models.bundle_place import read_description
from genrescope.remote import UrlPath, exists, is_url, place_of

VARIABLE = "GENRESCOPE_BUNDLES"
DEMO = Path("runs/demo/models")
DEMO_SOURCE = "western+korean"
REPORT = "report.html"


def is_bundle(path: str | os.PathLike[str]) -> bool:
    """Whether a path is a folder that says it is a bundle."""
    if is_url(path):
        # Nothing is asked about what can only be a sound.
        return UrlPath(path).suffix.lower() not in AUDIO_SUFFIXES and exists(
            UrlPath(path) / DESCRIPTION
        )
    # Whatever it is, a link or a pipe: whether it may be read is checked where it is.
    return os.path.lexists(Path(path) / DESCRIPTION)


def default_bundles() -> list[Path | UrlPath]:
    """The models that answer where none is named.

    Returns
    -------
    list of pathlib.Path or UrlPath
        What the environment variable `GENRESCOPE_BUNDLES` lists, as `PATH` lists folders; else what
        `genrescope demo` left in this folder, trained on both of its corpora.

    Raises
    ------
    ConfigError
        Where there are none.
    """
    named = os.environ.get(VARIABLE, "")
    if named:
        return [_place(part) for part in _parts(named) if part]
    found: list[Path | UrlPath] = sorted(
        path for path in DEMO.glob(f"*/{DEMO_SOURCE}") if is_bundle(path)
    )
    if not found:
        raise ConfigError(
            f"no model is named, {VARIABLE} is not set, and there is none in {DEMO}; train one "
            "(genrescope train MUSIC -o my-genres) or make the demo's (genrescope demo)"
        )
    return found


def _parts(named: str) -> list[str]:
    """The entries of a list like `PATH`, whose separator also stands in URLs."""
    return re.split(rf"{os.pathsep}(?!//)", named)


def _place(named: str) -> Path | UrlPath:
    place = place_of(named)
    return place if isinstance(place, UrlPath) else place.expanduser()


@dataclass(frozen=True)
class Chosen:
    """The models that answer, and what they are asked about.

    Attributes
    ----------
    bundles : list of pathlib.Path or UrlPath
    sounds : list of str
        The other arguments.
    note : str
        Which model answers and what it was trained on, where none was named; else empty.
    """

    bundles: list[Path | UrlPath]
    sounds: list[str]
    note: str = ""


def choose_bundles(arguments: Sequence[str]) -> Chosen:
    """Divide a command's arguments into models and sounds.

    Parameters
    ----------
    arguments : sequence of str
        The leading ones that are bundles are the models. Where the first is none, the first of
        `default_bundles` answers: what stands first in `GENRESCOPE_BUNDLES`, or the demo's boosted
        trees, which need no torch.

    Raises
    ------
    ConfigError
        Where no model is named and there is none by default.
    BundleError
        Where the default model does not say what it is.
    """
    count = next((n for n, one in enumerate(arguments) if not is_bundle(one)), len(arguments))
    sounds = list(arguments[count:])
    if count:
        return Chosen([place_of(one) for one in arguments[:count]], sounds)
    try:
        folder = default_bundles()[0]
    except ConfigError as error:
        what = f"{arguments[0]} is no model (a folder with a {DESCRIPTION}), " if arguments else ""
        raise ConfigError(f"{what}{error.reason}") from error
    return Chosen([folder], sounds, f"no model is named: {describe(folder)}")


def describe(folder: str | os.PathLike[str]) -> str:
    """Say what a model is and what it was trained on.

    Raises
    ------
    BundleError
        Where the folder is no bundle, or a damaged one.
    """
    info = read_description(folder).info
    names = " and ".join(str(corpus.get("name", "?")) for corpus in info.corpora)
    text = f"{folder} answers ({info.kind}, trained on {names or 'it does not say what'})"
    if any(corpus.get("synthetic") for corpus in info.corpora):
        text += (
            ". That is synthetic music, rendered by a program: its answers show how genrescope "
            "works, not what real music is"
        )
    return text


def name_bundles(folders: Iterable[str | os.PathLike[str]]) -> dict[str, Path | UrlPath]:
    """A short name for each bundle: its folder's, with parents where others are called the same.

    Parameters
    ----------
    folders : iterable of path-like
        A folder given twice counts once.

    Returns
    -------
    dict of str to pathlib.Path or UrlPath
        In the order given.

    Examples
    --------
    >>> list(name_bundles(["demo/forest/western", "demo/linear/western", "my-genres"]))
    ['forest/western', 'linear/western', 'my-genres']
    """
    places = (place_of(folder) for folder in folders)
    paths = list(dict.fromkeys(p if isinstance(p, UrlPath) else p.resolve() for p in places))
    depths = dict.fromkeys(paths, 1)
    while True:
        names = {path: "/".join(path.parts[-depth:]) for path, depth in depths.items()}
        counts = Counter(names.values())
        alike = [path for path, name in names.items() if counts[name] > 1]
        if not alike:
            return {name: path for path, name in names.items()}
        for path in alike:
            depths[path] += 1


def find_report(
    bundles: Iterable[str | os.PathLike[str]], *, run: Path | None = None
) -> Path | None:
    """The report of a study: of the one named, or else of the one that bundles come from.

    Parameters
    ----------
    bundles : iterable of path-like
        Folders of trained models; a study keeps them below its own as `models/<model>/<source>`.
    run : pathlib.Path, optional
        A run directory.

    Returns
    -------
    pathlib.Path or None
        None where no run is named, and the bundles come from none, or from several.

    Raises
    ------
    ConfigError
        Where the run named has no report.
    """
    if run is not None:
        if not (run / REPORT).is_file():
            raise ConfigError(f"holds no {REPORT}; name a run directory of a study", path=run)
        return run / REPORT
    paths = [Path(folder).absolute() for folder in bundles if not is_url(folder)]
    runs = {path.parents[2] for path in paths if path.parents[1].name == "models"}
    found = [folder / REPORT for folder in sorted(runs) if (folder / REPORT).is_file()]
    return found[0] if len(found) == 1 else None
