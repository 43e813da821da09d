"""Which models answer where none is named."""

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from genrescope.errors import ConfigError
from genrescope.models.bundle_info import DESCRIPTION

VARIABLE = "GENRESCOPE_BUNDLES"
DEMO = Path("runs/demo/models")
DEMO_SOURCE = "western+korean"
REPORT = "report.html"


def is_bundle(path: str | os.PathLike[str]) -> bool:
    """Whether a path is a folder that says it is a bundle."""
    return (Path(path) / DESCRIPTION).is_file()


def default_bundles() -> list[Path]:
    """The models that answer where none is named.

    Returns
    -------
    list of pathlib.Path
        What the environment variable `GENRESCOPE_BUNDLES` lists, as `PATH` lists folders; else what
        `genrescope demo` left in this folder, trained on both of its corpora.

    Raises
    ------
    ConfigError
        Where there are none.
    """
    named = os.environ.get(VARIABLE, "")
    if named:
        return [Path(part).expanduser() for part in named.split(os.pathsep) if part]
    found = sorted(path for path in DEMO.glob(f"*/{DEMO_SOURCE}") if is_bundle(path))
    if not found:
        raise ConfigError(
            f"no model is named, {VARIABLE} is not set, and there is none in {DEMO}; train one "
            "(genrescope train MUSIC -o my-genres) or make the demo's (genrescope demo)"
        )
    return found


def name_bundles(folders: Iterable[str | os.PathLike[str]]) -> dict[str, Path]:
    """A short name for each bundle: its folder's, with parents where others are called the same.

    Parameters
    ----------
    folders : iterable of path-like
        A folder given twice counts once.

    Returns
    -------
    dict of str to pathlib.Path
        In the order given.

    Examples
    --------
    >>> list(name_bundles(["demo/forest/western", "demo/linear/western", "my-genres"]))
    ['forest/western', 'linear/western', 'my-genres']
    """
    paths = list(dict.fromkeys(Path(folder).absolute() for folder in folders))
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
    paths = [Path(folder).absolute() for folder in bundles]
    runs = {path.parents[2] for path in paths if path.parents[1].name == "models"}
    found = [folder / REPORT for folder in sorted(runs) if (folder / REPORT).is_file()]
    return found[0] if len(found) == 1 else None
