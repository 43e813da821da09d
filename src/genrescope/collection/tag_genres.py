"""From what people write into genre tags to the genres a model knows."""

import re
from collections.abc import Iterable, Iterator

from genrescope.models.bundle_info import BundleInfo
from genrescope.taxonomy import Taxonomy, normalise_label

# Names of one genre that no rule of spelling brings together.
SAME = (
    ("hip hop", "rap", "hip hop rap", "rap hip hop", "힙합", "랩"),
    ("rnb", "R&B", "rhythm and blues", "알앤비"),
)
SEVERAL = re.compile(r"\s*[;/,|]\s*")  # "Pop/Rock" and "Blues; Soul" in one value


class TagGenres:
    """The genres of a model that tag values stand for.

    A value is looked up as a genre of the model, then in the model's taxonomy, then by other names
    of the same genre (`SAME`). Case, spaces, hyphens and punctuation do not count. A value that
    has no place as a whole is divided at `/`, `;`, `,` and `|`.

    Parameters
    ----------
    info : BundleInfo
        Of the model.
    """

    def __init__(self, info: BundleInfo) -> None:
        self._genres = info.genres
        self._taxonomy = Taxonomy.from_dict(info.taxonomy)
        self._own = {normalise_label(genre): genre for genre in info.genres}
        self._names = {
            normalise_label(name): [other for other in names if other != name]
            for names in SAME
            for name in names
        }

    def of(self, values: Iterable[str]) -> list[str]:
        """The genres that the values of one file stand for.

        Parameters
        ----------
        values : iterable of str

        Returns
        -------
        list of str
            Genres of the model, each once, in the order of the values; empty where none of the
            values has a place among them.
        """
        return list(dict.fromkeys(genre for value in values for genre in self._of_one(value)))

    def _of_one(self, value: str) -> Iterator[str]:
        whole = self._look_up(value)
        parts = [value] if whole else SEVERAL.split(value)
        yield from (genre for part in parts if (genre := self._look_up(part)))

    def _look_up(self, value: str) -> str | None:
        names = [value, *self._names.get(normalise_label(value), ())]
        for name in names:
            own = self._own.get(normalise_label(name)) if normalise_label(name) else None
            genre = own or self._taxonomy.genre_of(name)
            if genre in self._genres:
                return genre
        return None
