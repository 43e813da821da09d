"""Reading YAML that people wrote: nothing in it runs, no key is lost, paths are found."""

import os
import re
from pathlib import Path, PurePath
from typing import Any

import yaml

from genrescope.errors import ConfigError
from genrescope.remote import UrlPath, place_of


class _UniqueKeyLoader(yaml.SafeLoader):
    """Safe YAML that refuses a key given twice: the second would replace the first in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, (str, int, float, bool, type(None))):
                raise yaml.constructor.ConstructorError(
                    None, None, "a key is not a plain word", key_node.start_mark
                )
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is given twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def read_yaml(path: str | os.PathLike[str]) -> Any:
    """Read a YAML file without running anything in it.

    Raises
    ------
    ConfigError
        Where the file is missing, not UTF-8 or not YAML, or gives a key twice.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError("is not UTF-8 text", path=path) from error
    except OSError as error:
        raise ConfigError(
            f"cannot be read ({(error.strerror or str(error)).lower()})", path=path
        ) from error
    try:
        return yaml.load(text, Loader=_UniqueKeyLoader)  # noqa: S506 (a SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(f"{error.problem}{line}", path=path) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"is not YAML ({error})", path=path) from error


def expand_path(text: str, *, base: PurePath, config: Path | None = None) -> PurePath:
    """Resolve `~`, environment variables and a path relative to `base`, which may be a URL.

    Raises
    ------
    ConfigError
        Where a variable in it is not set.
    """
    expanded = os.path.expandvars(text)
    missing = re.search(r"\$\{?(\w+)\}?", expanded)
    if missing:
        raise ConfigError(
            f"the path {text!r} uses ${missing[1]}, which is not set: export {missing[1]}=FOLDER",
            path=config,
        )
    place = place_of(expanded)
    if isinstance(place, UrlPath):
        return place
    path = Path(place).expanduser()
    if path.is_absolute():
        return path
    return base / path if isinstance(base, UrlPath) else Path(os.path.normpath(base / path))
