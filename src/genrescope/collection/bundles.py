"""Which models answer where none is named."""

import os
from pathlib import Path

from genrescope.errors import ConfigError
from genrescope.models.bundle_info import DESCRIPTION

VARIABLE = "GENRESCOPE_BUNDLES"
DEMO = Path("runs/demo/models")
DEMO_SOURCE = "western+korean"


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
