"""Mapping the labels of many corpora onto one set of genres, with the mapping kept as data."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from genrescope.errors import ConfigError
from genrescope.settings import nearest
from genrescope.yaml_file import read_yaml

LABELS = "labels"


def normalise_label(label: str) -> str:
    """Bring spellings of one label together.

    Case, spaces, punctuation, the word "and" and the Unicode form do not count.

    Examples
    --------
    >>> normalise_label("Rock & Metal") == normalise_label("rock/metal")
    True
    >>> normalise_label("Hip-Hop")
    'hiphop'
    """
    text = unicodedata.normalize("NFKC", label).casefold()
    return "".join(word for word in re.split(r"[\W_]+", text) if word != "and")


@dataclass(frozen=True)
class Taxonomy:
    """A set of genres and the labels that belong to each.

    Parameters
    ----------
    name : str
        What the taxonomy is called.
    genres : tuple of str
        The genres in the order they are shown. Empty for the open taxonomy `labels`, in which
        each label is a genre of its own.
    labels : mapping of str to tuple of str
        The labels of each genre.

    Raises
    ------
    ConfigError
        Where a label belongs to two genres.

    Examples
    --------
    >>> taxonomy = Taxonomy("two", ("Rock", "Jazz"), {"Rock": ("rock", "metal"), "Jazz": ("jazz",)})
    >>> taxonomy.genre_of("METAL"), taxonomy.genre_of("polka")
    ('Rock', None)
    """

    name: str
    genres: tuple[str, ...] = ()
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lookup: dict[str, str] = {}
        for genre in self.genres:
            for label in (genre, *self.labels.get(genre, ())):
                other = lookup.setdefault(normalise_label(label), genre)
                if other != genre:
                    raise ConfigError(
                        f"the taxonomy {self.name} maps the label {label!r} to {other} and to "
                        f"{genre}"
                    )
        object.__setattr__(self, "_lookup", lookup)

    @property
    def is_open(self) -> bool:
        """Whether each label is a genre of its own."""
        return not self.genres

    def genre_of(self, label: str) -> str | None:
        """The genre a label belongs to, or None where the taxonomy has no place for it."""
        if self.is_open:
            return label.strip() or None
        lookup: dict[str, str] = self._lookup  # type: ignore[attr-defined]
        return lookup.get(normalise_label(label))

    def order(self, genres: Iterable[str]) -> list[str]:
        """Sort genres into the order of the taxonomy, alphabetically where it is open."""
        present = set(genres)
        return sorted(present) if self.is_open else [g for g in self.genres if g in present]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as a bundle keeps it."""
        return {
            "name": self.name,
            "genres": list(self.genres),
            "labels": {genre: list(labels) for genre, labels in self.labels.items()},
        }

    @classmethod
    def from_dict(cls, content: Any, *, path: str | Path | None = None) -> "Taxonomy":
        """Build a taxonomy from plain data.

        Raises
        ------
        ConfigError
            Where the data have another shape.
        """
        if not isinstance(content, Mapping) or not set(content) <= {"name", "genres", "labels"}:
            raise ConfigError("a taxonomy has the keys name, genres and labels", path=path)
        genres = content.get("genres") or []
        labels = content.get("labels") or {}
        if not isinstance(genres, list) or not isinstance(labels, Mapping):
            raise ConfigError("genres is a list and labels a mapping from genre to list", path=path)
        unknown = [genre for genre in labels if genre not in genres]
        if unknown:
            raise ConfigError(
                f"labels are given for {unknown[0]!r}, which is not among the genres: "
                + nearest(str(unknown[0]), map(str, genres)),
                path=path,
            )
        if not all(isinstance(of_genre, list) for of_genre in labels.values()):
            raise ConfigError("the labels of a genre are a list", path=path)
        return cls(
            str(content.get("name") or (Path(path).stem if path else "taxonomy")),
            tuple(map(str, genres)),
            {str(genre): tuple(map(str, of_genre)) for genre, of_genre in labels.items()},
        )


def load_taxonomy(name: str) -> Taxonomy:
    """Load a taxonomy by the name of a built-in one or by the path of a YAML file.

    Parameters
    ----------
    name : str
        `meta-genre`, another built-in name, `labels` (each label its own genre), or a path.

    Raises
    ------
    ConfigError
        Where there is none of that name, or the file does not hold one.

    Examples
    --------
    >>> load_taxonomy("meta-genre").genre_of("disco")
    'Pop/Dance/RnB'
    """
    if name == LABELS:
        return Taxonomy(LABELS)
    built_in = {
        item.name.removesuffix(".yaml"): Path(str(item))
        for item in resources.files("genrescope").joinpath("taxonomies").iterdir()
        if item.name.endswith(".yaml")
    }
    if name.endswith((".yaml", ".yml")):
        path = Path(name)
    elif name in built_in:
        path = built_in[name]
    else:
        raise ConfigError(
            f"there is no taxonomy {name!r}: {nearest(name, [*built_in, LABELS])}, or the path of "
            "a .yaml file"
        )
    taxonomy = Taxonomy.from_dict(read_yaml(path), path=path)
    if taxonomy.is_open:
        raise ConfigError("lists no genres", path=path)
    return taxonomy
