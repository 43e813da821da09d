"""Reading metadata whose schema is not known beforehand: keys by dotted path, codes by table."""

import csv
import functools
import io
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path, PurePath
from typing import Any

import yaml

from genrescope.errors import ConfigError, CorpusError, RemoteError
from genrescope.remote import read_file
from genrescope.yaml_file import parse_yaml

FIELDS = ("genre", "instrument", "song", "phrase", "duration", "sample_rate")
ENCODINGS = ("utf-8-sig", "cp949")
MOST_KEYS_SHOWN = 24
LARGEST = 2**22  # bytes of a file
LONGEST_PATH = 1000  # characters of the keys down to a value
MELON_GENRE = re.compile(r"(GN\d{2})\d{2}")


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value of a JSON document.

    Attributes
    ----------
    path : str
        Dotted keys from the top; lists leave no trace in it.
    value : str, int, float or bool
        The value; empty text and null are no values.
    repeated : bool
        Whether the path passes through a list of several items, as notes and events do.
    """

    path: str
    value: str | int | float | bool
    repeated: bool


class Metadata:
    """The leaves of one metadata file, found by the end of their dotted path.

    Parameters
    ----------
    content : object
        Decoded JSON.

    Examples
    --------
    >>> data = Metadata({"music_type_info": {"music_genre_cd": "GN0600", "tempo": []}})
    >>> data.values(["genre", "music_genre_cd"]), data.keys
    (['GN0600'], ['music_type_info.music_genre_cd', 'music_type_info.tempo'])
    """

    def __init__(self, content: Any) -> None:
        paths: dict[str, None] = {}
        leaves: dict[str, list[Leaf]] = {}
        for leaf_path, value, repeated in _flatten(content, "", repeated=False):
            paths.setdefault(leaf_path)
            if value is not None and value != "":
                leaf = Leaf(leaf_path, value, repeated)
                leaves.setdefault(_plain_path(leaf_path), []).append(leaf)
        self.keys = list(paths)
        self._leaves = leaves

    def values(self, candidates: Sequence[str], *, single: bool = False) -> list[Any]:
        """Values under the first candidate that has any, nearest to the top first.

        Parameters
        ----------
        candidates : sequence of str
            Dotted paths, or the ends of such paths.
        single : bool
            Only values that stand once in the file: the length of a note is not the length of
            the clip.

        Returns
        -------
        list
            Empty where no candidate has a value.
        """
        for candidate in candidates:
            wanted = _plain_path(candidate)
            found = [
                (path.count("."), leaf.value)
                for path, leaves in self._leaves.items()
                if path == wanted or path.endswith(f".{wanted}")
                for leaf in leaves
                if not (single and leaf.repeated)
            ]
            if found:
                depth = min(depth for depth, _ in found)
                return [value for at, value in found if at == depth]
        return []

    def shown_keys(self) -> str:
        """The file's keys in one line, for a person who has to name the right one."""
        shown = self.keys[:MOST_KEYS_SHOWN]
        more = len(self.keys) - len(shown)
        return ", ".join(shown) + (f" and {more} more" if more else "") or "none"


def _flatten(content: Any, path: str, *, repeated: bool) -> Iterator[tuple[str, Any, bool]]:
    if isinstance(content, Mapping):
        for key, value in content.items():
            name = unicodedata.normalize("NFC", str(key))
            below = f"{path}.{name}" if path else name
            if len(below) > LONGEST_PATH:
                # Each value has a path of its own: without a bound a file would grow by its square.
                raise ValueError(f"a key is longer than {LONGEST_PATH:,} letters")
            yield from _flatten(value, below, repeated=repeated)
        if not content:
            yield path, None, repeated
    elif isinstance(content, list):
        for item in content:
            yield from _flatten(item, path, repeated=repeated or len(content) > 1)
        if not content:
            yield path, None, repeated
    else:
        value = content
        if isinstance(content, str):
            # Half a letter, which JSON may hold, can be written nowhere.
            whole = content.encode("utf-8", "replace").decode()
            value = unicodedata.normalize("NFC", whole).strip()
        yield path, value, repeated


@functools.lru_cache(maxsize=4096)
def _plain_path(path: str) -> str:
    return ".".join(plain(part) for part in path.split("."))


@functools.lru_cache(maxsize=65536)
def plain(text: str) -> str:
    """Text without case, spaces and punctuation, in composed characters.

    Examples
    --------
    >>> plain("E. Guitar") == plain("e-guitar")
    True
    """
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text).casefold())


def read_metadata(path: PurePath) -> Metadata:
    """Read one JSON file, in UTF-8 with or without a mark, or CP949.

    Raises
    ------
    CorpusError
        Kind ``metadata-unreadable``, saying why.
    """
    content = _read_text(path)
    if not content.strip():
        raise CorpusError("the metadata file is empty", path=path, kind="metadata-unreadable")
    try:
        return Metadata(json.loads(content))
    except json.JSONDecodeError as error:
        reason = f"the metadata are not JSON ({error.msg.lower()} in line {error.lineno})"
    except RecursionError:
        reason = "the metadata are nested too deep to be read"
    except ValueError as error:
        reason = f"the metadata cannot be read ({error})"
    raise CorpusError(reason, path=path, kind="metadata-unreadable")


def _read_text(path: PurePath) -> str:
    try:
        content = read_file(path)
    except RemoteError as error:
        if error.kind == "unreachable":
            raise
        raise CorpusError(error.reason, path=path, kind="metadata-unreadable") from error
    except OSError as error:
        reason = f"cannot be read ({(error.strerror or str(error)).lower()})"
        raise CorpusError(reason, path=path, kind="metadata-unreadable") from error
    if len(content) > LARGEST:
        reason = f"is larger than {LARGEST:,} bytes"
        raise CorpusError(reason, path=path, kind="metadata-unreadable")
    for encoding in ENCODINGS:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise CorpusError("is neither UTF-8 nor CP949 text", path=path, kind="metadata-unreadable")


def read_codes(paths: Sequence[PurePath]) -> dict[str, str]:
    """Names of coded values, from tables of ``code: name``; later tables win.

    Parameters
    ----------
    paths : sequence of path
        JSON or YAML mappings of code to name, or of code to a list beginning with the name, also
        one level down under ``codes``; or CSV whose first two columns are code and name.

    Raises
    ------
    ConfigError
        Where a file is missing or is no such table.
    """
    names: dict[str, str] = {}
    for path in paths:
        try:
            text = _read_text(path)
        except CorpusError as error:
            raise ConfigError(f"the code table {error.reason}", path=path) from error
        for code, name in _code_rows(text, path):
            names[plain(code)] = name
    return names


def _code_rows(text: str, path: PurePath) -> Iterator[tuple[str, str]]:
    if path.suffix.lower() in {".csv", ".tsv"}:
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
        try:
            rows = list(csv.reader(io.StringIO("\n".join(lines)), delimiter=delimiter))
        except csv.Error as error:
            raise ConfigError(f"is no code table ({error})", path=path) from error
        for row in rows:
            if len(row) < 2:
                raise ConfigError("is no code table: a line lacks its second column", path=path)
            yield row[0].strip(), row[1].strip()
        return
    try:
        content = json.loads(text) if path.suffix.lower() == ".json" else parse_yaml(text, path)
    except ConfigError as error:
        raise ConfigError(f"is no code table ({error.reason})", path=path) from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"is no code table ({error})", path=path) from error
    if isinstance(content, dict) and isinstance(content.get("codes"), dict):
        content = content["codes"]
    if not isinstance(content, dict):
        raise ConfigError("is no code table: it is not a mapping of code to name", path=path)
    for code, name in content.items():
        first = name[0] if isinstance(name, list) and name else name
        if not isinstance(first, str | int | float):
            raise ConfigError(f"is no code table: {code!r} has no name", path=path)
        yield str(code), str(first).strip()


@functools.cache
def melon_codes() -> dict[str, str]:
    """Names of the genre codes GN0100 to GN3000, by their plain form.

    Examples
    --------
    >>> melon_codes()["gn0600"]
    '록/메탈'
    """
    _, *rows = _code_rows(_data("korean_genre_codes.csv"), Path("korean_genre_codes.csv"))
    return {plain(code): name for code, name in rows}


def top_level(code: str) -> str:
    """The main genre of a Melon code: GN0105 is a kind of GN0100; other text stays as it is.

    Examples
    --------
    >>> top_level("GN0105"), top_level("록/메탈")
    ('GN0100', '록/메탈')
    """
    match = MELON_GENRE.fullmatch(code.strip().upper())
    return f"{match[1]}00" if match else code


@functools.cache
def default_keys() -> dict[str, tuple[str, ...]]:
    """Candidate paths of each field."""
    return {field: tuple(keys) for field, keys in yaml.safe_load(_data("korean_keys.yaml")).items()}


@functools.cache
def instruments() -> dict[str, str]:
    """Canonical instrument of every spelling, by plain form.

    Examples
    --------
    >>> instruments()[plain("일렉 기타")]
    'electric guitar'
    """
    spellings: dict[str, str] = {}
    for name, others in yaml.safe_load(_data("instruments.yaml")).items():
        for spelling in (name, *others):
            spellings[plain(spelling)] = name
    return spellings


def _data(name: str) -> str:
    return resources.files("genrescope").joinpath("corpora", "data", name).read_text("utf-8")
