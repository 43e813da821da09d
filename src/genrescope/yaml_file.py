"""Reading YAML that people wrote: nothing in it runs, no key is lost, paths are found."""

import os
import re
from pathlib import Path, PurePath
from typing import Any

import yaml

from genrescope.errors import ConfigError
from genrescope.remote import UrlPath, place_of

LARGEST = 2**20  # bytes of a file
MOST_VALUES = 100_000  # of a file, those that an alias repeats counted each time


class _UniqueKeyLoader(yaml.SafeLoader):
    """Safe YAML that refuses a key given twice: the second would replace the first in silence.

    It also refuses what small files can blow up by aliases, and text that is none.
    """

    def get_single_node(self) -> yaml.Node | None:
        node = super().get_single_node()
        if node is not None and _values_of(node, {}) > MOST_VALUES:
            raise yaml.constructor.ConstructorError(
                None, None, f"aliases make it more than {MOST_VALUES:,} values", node.start_mark
            )
        return node

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> Any:
        value = super().construct_scalar(node)
        if any(letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in value):
            raise yaml.constructor.ConstructorError(
                None, None, "a value holds a NUL or half a letter", node.start_mark
            )
        return value

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            # What PyYAML lets through from its own types: no such day, no such number.
            kind = node.tag.rpartition(":")[2]
            raise yaml.constructor.ConstructorError(
                None, None, f"a value is no {kind}", node.start_mark
            ) from error

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


def _values_of(node: yaml.Node, known: dict[int, int]) -> int:
    """Values below a node, with those that aliases repeat."""
    if id(node) in known:
        return known[id(node)]
    known[id(node)] = MOST_VALUES + 1  # of a node inside itself
    children: Any = ()
    if isinstance(node, yaml.MappingNode):
        children = (child for pair in node.value for child in pair)
    elif isinstance(node, yaml.SequenceNode):
        children = node.value
    known[id(node)] = min(1 + sum(_values_of(child, known) for child in children), MOST_VALUES + 1)
    return known[id(node)]


def read_yaml(path: str | os.PathLike[str]) -> Any:
    """Read a YAML file without running anything in it.

    Raises
    ------
    ConfigError
        Where the file is missing, larger than 1 MiB, not UTF-8 or not YAML, gives a key twice, or
        becomes more than 100,000 values.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise ConfigError(
            f"cannot be read ({(error.strerror or str(error)).lower()})", path=path
        ) from error
    if len(content) > LARGEST:
        raise ConfigError(f"is larger than {LARGEST:,} bytes", path=path)
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise ConfigError("is not UTF-8 text", path=path) from error
    return parse_yaml(text, path)


def parse_yaml(text: str, path: str | os.PathLike[str]) -> Any:
    """Parse YAML as `read_yaml` does.

    Raises
    ------
    ConfigError
        Naming `path`.

    Examples
    --------
    >>> parse_yaml("genres: [Rock, Jazz]", "mine.yaml")
    {'genres': ['Rock', 'Jazz']}
    """
    try:
        return yaml.load(text, Loader=_UniqueKeyLoader)  # noqa: S506 (a SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(f"{error.problem}{line}", path=path) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"is not YAML ({error})", path=path) from error
    except (LookupError, OverflowError, ValueError) as error:
        # A number of thousands of digits, a bad %YAML line, a letter beyond Unicode.
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
    try:
        path = Path(place).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"the path {text!r} names nobody's home folder", path=config) from error
    if path.is_absolute():
        return path
    return base / path if isinstance(base, UrlPath) else Path(os.path.normpath(base / path))
