"""The one way in: a format's name and a place become a `Corpus`."""

import importlib
import os
import re
import typing
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from genrescope.corpora import FORMATS
from genrescope.corpora.corpus import Corpus
from genrescope.corpora.table import is_synthetic
from genrescope.errors import ConfigError
from genrescope.settings import NAME, AudioSettings, Settings, nearest
from genrescope.taxonomy import Taxonomy
from genrescope.yaml_file import expand_path


def index_corpus(
    format: str,  # noqa: A002 (the word of the configuration)
    root: str | os.PathLike[str] | None,
    *,
    name: str,
    culture: str,
    taxonomy: Taxonomy,
    audio: AudioSettings | None = None,
    options: Mapping[str, Any] | None = None,
) -> Corpus:
    """List the clips of a corpus on disk or behind a URL.

    Parameters
    ----------
    format : str
        A key of `genrescope.corpora.FORMATS`.
    root : path-like or None
        The corpus's folder, or the CSV file of a feature table, or the URL of either; `~` and
        environment variables are resolved. Only the built-in corpora do without.
    name : str
        Lower-case words and digits joined by single `-` or `_`.
    culture : str
        The musical culture, as reports shall call it.
    taxonomy : Taxonomy
        Maps labels to genres.
    audio : AudioSettings, optional
        The length of a clip in seconds is what counts here.
    options : mapping, optional
        Settings of the format, as its options class names them.

    Returns
    -------
    Corpus
        With every row that could not be used in `failures`.

    Raises
    ------
    ConfigError
        For an unknown format or option, or a name that cannot be a folder.
    CorpusError
        Where nothing usable is found.
    RemoteError
        Where a URL cannot be listed.
    """
    if not re.fullmatch(NAME, name):
        raise ConfigError(
            f"the corpus name {name!r} must be lower-case letters and digits, joined by single "
            "'-' or '_'"
        )
    if format not in FORMATS:
        raise ConfigError(f"unknown corpus format {format!r}: {nearest(format, FORMATS)}")
    if root is None and format != "synthetic":
        raise ConfigError(f"the corpus {name} ({format}) needs a root: the folder or file it is in")
    module, function = FORMATS[format].split(":")
    index = getattr(importlib.import_module(module), function)
    # The annotation of `options` says which settings a format takes: one registry is enough.
    kind: type[Settings] = typing.get_type_hints(index)["options"]
    settings = kind.parse(dict(options or {}), where=f"corpora.{name}")
    place = None if root is None else expand_path(os.fspath(root), base=Path.cwd())
    corpus: Corpus = index(
        place,
        name=name,
        culture=culture,
        taxonomy=taxonomy,
        audio=audio or AudioSettings(),
        options=settings,
    )
    if corpus.synthetic or place is None or not is_synthetic(place):
        return corpus
    return replace(corpus, synthetic=True)
