"""Words for features and families in each language, read from one file per language."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Formatter
from typing import Any

from genrescope.errors import ConfigError
from genrescope.explanations.families import Quantity, quantity_of
from genrescope.features.modulation import RANGES, RATES_HZ
from genrescope.features.rhythm import METRIC_RATIOS
from genrescope.settings import nearest
from genrescope.yaml_file import read_yaml

FOLDER = Path(__file__).with_name("languages")
MODEL = FOLDER / "en.yaml"


@dataclass(frozen=True)
class FeatureText:
    """A feature in words.

    Attributes
    ----------
    name : str
        As in tables, the statistic included.
    what : str
        A sentence: what the quantity measures.
    unit : str
        Empty where there is none.
    high, low : str
        What a high and a low value mean, as the beginning of a comparison.
    caveats : tuple of str
        Sentences that say what the number cannot.
    """

    name: str
    what: str
    unit: str
    high: str
    low: str
    caveats: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """What features and families are called in one language.

    Parameters
    ----------
    code : str
        Of the language, such as `en`.
    texts : mapping
        As from `read_texts`.

    Examples
    --------
    >>> Vocabulary("en", read_texts(MODEL)).name
    'English'
    """

    code: str
    texts: Mapping[str, Any] = field(repr=False)

    @property
    def name(self) -> str:
        """What the language calls itself."""
        return str(self.texts["language"])

    def family(self, key: str) -> str:
        """A musical family in words; a key that is not in `FAMILIES` stays as it is.

        Examples
        --------
        >>> from genrescope.explanations.words import load_language
        >>> load_language("en").family("other")
        'everything else'
        """
        return str(self.texts["families"].get(key, key))

    def range(self, key: str) -> str:
        """Name of a range of frequencies, with its limits.

        Examples
        --------
        >>> from genrescope.explanations.words import load_language
        >>> load_language("en").range("bass")
        'bass, below 250 Hz'
        """
        return str(self.texts["ranges"][key])

    def feature(self, name: str) -> str:
        """A feature's label for tables and figures; empty for a name that is not known.

        Examples
        --------
        >>> from genrescope.explanations.words import load_language
        >>> words = load_language("en")
        >>> words.feature("rms_std"), words.feature("chroma_mean_9"), words.feature("length")
        ('loudness (RMS), variation', 'pitch class A, average', '')
        """
        quantity = quantity_of(name)
        if quantity is None:
            return ""
        subject = self._say(quantity, self._entry(quantity)["name"])
        if quantity.statistic is None:
            return subject
        statistic = self.texts["statistics"][quantity.statistic]
        return str(self.texts["label"].format(name=subject, statistic=statistic))

    def describe(self, name: str) -> FeatureText | None:
        """Everything there is to say about a feature, or None for a name that is not known.

        Examples
        --------
        >>> from genrescope.explanations.words import load_language
        >>> words = load_language("en")
        >>> words.describe("spec_cent_mean").high, words.describe("spec_cent_mean").unit
        ('It sounds brighter', 'Hz')
        """
        quantity = quantity_of(name)
        if quantity is None:
            return None
        entry = self._entry(quantity)
        phrases = entry[quantity.statistic or "single"]
        published = self.texts["published"]
        variance = quantity.published and quantity.statistic == "std"
        caveats = list(entry["caveats"])
        if variance:
            caveats.append(published["std"])
        if quantity.published and quantity.key in ("level", "mfcc"):
            caveats.append(published["place"])
        return FeatureText(
            name=self.feature(name),
            what=self._say(quantity, entry["what"]),
            unit=entry["variance_unit" if variance else "unit"],
            high=self._say(quantity, phrases["high"]),
            low=self._say(quantity, phrases["low"]),
            caveats=tuple(caveats),
        )

    def subject(self, name: str) -> str:
        """A feature as the subject of a sentence; a name that is not known stands for itself.

        Examples
        --------
        >>> from genrescope.explanations.words import load_language
        >>> load_language("en").subject("rms_std")
        'The variation of loudness (RMS)'
        """
        quantity = quantity_of(name)
        if quantity is None:
            return str(self.texts["unknown"]["subject"].format(name=name))
        template = self.texts["subject"][quantity.statistic or "single"]
        return str(template.format(name=self._say(quantity, self._entry(quantity)["name"])))

    def _entry(self, quantity: Quantity) -> Mapping[str, Any]:
        entries = self.texts["quantities"]
        key = quantity.key
        if key == "chroma" and quantity.place is None:
            key = "chroma_all"
        found: Mapping[str, Any] = entries.get(f"{key}_{quantity.place}", entries[key])
        return found

    def _say(self, quantity: Quantity, text: str) -> str:
        place = quantity.place
        coefficient = self.texts["coefficients"]["published" if quantity.published else "own"]
        fields = {"place": place, "mfcc": coefficient.format(place=place)}
        if place is not None:
            if quantity.key == "chroma":
                fields["pitch"] = self.texts["pitches"][place]
            elif quantity.key == "contrast":
                fields["band"] = self.texts["octaves"][place]
            elif quantity.key == "tempogram_ratio":
                fields["ratio"] = str(METRIC_RATIOS[place])
            elif quantity.key == "modulation":
                of, rate = divmod(place, len(RATES_HZ))
                fields |= {"range": self.range(RANGES[of]), "rate": str(RATES_HZ[rate])}
        return text.format(**fields)


def language_files() -> dict[str, Path]:
    """The files of all languages by code.

    Examples
    --------
    >>> sorted(language_files())
    ['en', 'ko']
    """
    return {path.stem: path for path in sorted(FOLDER.glob("*.yaml"))}


def read_texts(path: Path, *, model: Path = MODEL) -> Mapping[str, Any]:
    """Read the texts of one language and hold them against the English ones.

    Parameters
    ----------
    path : pathlib.Path
        A YAML file.
    model : pathlib.Path
        The English one, with the same keys.

    Returns
    -------
    mapping

    Raises
    ------
    ConfigError
        Where a key is missing or not known, a list has another length, or a text has other fields
        in braces than the English one.

    Examples
    --------
    >>> read_texts(language_files()["ko"])["families"]["timbre"]
    '음색'
    """
    texts = read_yaml(path)
    _compare(texts, read_yaml(model), path, "")
    checked: Mapping[str, Any] = texts
    return checked


def _compare(texts: Any, model: Any, path: Path, place: str) -> None:
    where = f"{place} " if place else ""
    if not isinstance(texts, type(model)):
        kind = (
            "keys" if isinstance(model, dict) else "a list" if isinstance(model, list) else "text"
        )
        raise ConfigError(f"{where}should hold {kind}", path=path)
    if isinstance(model, dict):
        within = f"{place}." if place else ""
        for key in model:
            if key not in texts:
                raise ConfigError(f"lacks {within}{key}, which {MODEL.name} has", path=path)
        for key in texts:
            if key not in model:
                raise ConfigError(
                    f"unknown key {within}{key}: {nearest(str(key), model)}", path=path
                )
            _compare(texts[key], model[key], path, f"{within}{key}")
    elif isinstance(model, list):
        if len(texts) != len(model):
            raise ConfigError(f"{where}should list {len(model)}, not {len(texts)}", path=path)
        for number, (text, other) in enumerate(zip(texts, model, strict=True), start=1):
            _compare(text, other, path, f"{place}, number {number},")
    elif (found := _fields(texts, path, where)) != (wanted := _fields(model, path, where)):
        named = ", ".join(sorted(wanted)) or "none"
        given = ", ".join(sorted(found)) or "none"
        raise ConfigError(f"{where}should have the fields {named}, it has {given}", path=path)


def _fields(text: str, path: Path, where: str) -> set[str]:
    try:
        parts = list(Formatter().parse(text))
    except ValueError as error:
        raise ConfigError(f"{where}has a brace that does not match ({error})", path=path) from error
    return {
        "{" + name + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "") + "}"
        for _, name, spec, conversion in parts
        if name is not None
    }
