"""A file of claims: read, checked key by key, completed with the corpora it speaks of."""

import os
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import Field

from genrescope.errors import ConfigError
from genrescope.report.claims.kinds import KINDS, Claim
from genrescope.settings import Settings, nearest
from genrescope.yaml_file import read_yaml

SHIPPED = "paper.yaml"


class ClaimsFile(Settings):
    """Claims, and what the names in them mean.

    With `corpora` (name to the format that corpus is read by) the names stand for the run's
    corpora of these formats, and models for its first of that kind; without, all names are the
    run's own.
    """

    about: str = ""
    corpora: dict[str, str] = Field(default_factory=dict)
    claims: tuple[Claim, ...] = Field(min_length=1)


def load_claims(path: str | os.PathLike[str] | None = None) -> ClaimsFile:
    """Read and check a file of claims.

    Parameters
    ----------
    path : path-like, optional
        A YAML file; the paper's claims, which come with the package, where not given.

    Raises
    ------
    ConfigError
        With the file, the place in it and the reason.

    Examples
    --------
    >>> [claim.kind for claim in load_claims().claims[:2]]
    ['order', 'order']
    """
    if path is None:
        shipped = resources.files("genrescope.report.claims") / SHIPPED
        with resources.as_file(shipped) as file:
            return _parse(read_yaml(file), file)
    return _parse(read_yaml(path), Path(path))


def _parse(content: Any, path: Path) -> ClaimsFile:
    if not isinstance(content, Mapping):
        raise ConfigError("is not a mapping of keys to values", path=path)
    entries = content.get("claims")
    if isinstance(entries, list):
        claims = [_claim(entry, path, f"claims.{n}") for n, entry in enumerate(entries, start=1)]
        content = {**content, "claims": claims}
    return ClaimsFile.parse(content, path=path)


def _claim(entry: Any, path: Path, where: str) -> Claim:
    if not isinstance(entry, Mapping):
        raise ConfigError(f"{where}: is not a mapping of keys to values", path=path)
    kind = entry.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        hint = nearest(str(kind), KINDS) if kind is not None else f"one of {', '.join(KINDS)}"
        what = f"unknown kind {kind!r}" if kind is not None else "has no kind"
        raise ConfigError(f"{where}: {what}: {hint}", path=path)
    return KINDS[kind].parse(entry, path=path, where=where)
