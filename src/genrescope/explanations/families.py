"""Which musical quantity a feature measures, and the family it belongs to."""

import re
from dataclasses import dataclass
from typing import TypeVar

import pandas as pd

FAMILIES = ("timbre", "brightness", "noisiness", "harmony", "dynamics", "rhythm", "other")
FAMILY_OF_KEY = {
    "mfcc": "timbre",
    "spec_cent": "brightness",
    "spec_bw": "brightness",
    "spec_roll": "brightness",
    "zcr": "noisiness",
    "chroma": "harmony",
    "harmony": "harmony",
    "level": "dynamics",
    "rms": "dynamics",
    "tempo": "rhythm",
    "perceptr": "rhythm",
}
KEY_OF_COLUMN = {
    "chroma_stft": "chroma",
    "spectral_centroid": "spec_cent",
    "spectral_bandwidth": "spec_bw",
    "rolloff": "spec_roll",
    "zero_crossing_rate": "zcr",
    "rms": "rms",
    "harmony": "harmony",
    "perceptr": "perceptr",
}
STATISTICS = {"mean": "mean", "std": "std", "var": "std"}
OWN_PLACED = re.compile(r"(mfcc|chroma)_(mean|std)_(0|[1-9][0-9]*)")
OWN_PLAIN = re.compile(r"(spec_cent|spec_bw|spec_roll|zcr|rms)_(mean|std)")
PUBLISHED_MFCC = re.compile(r"mfcc([1-9][0-9]*)_(mean|var)")
PUBLISHED_PLAIN = re.compile(rf"({'|'.join(KEY_OF_COLUMN)})_(mean|var)")
N_CHROMA = 12

Table = TypeVar("Table", "pd.Series[float]", pd.DataFrame)


@dataclass(frozen=True)
class Quantity:
    """What a feature measures.

    Attributes
    ----------
    key : str
        `mfcc` (coefficients from 1), `level` (coefficient 0), `chroma`, `spec_cent`, `spec_bw`,
        `spec_roll`, `zcr`, `rms`, `tempo`, `harmony` or `perceptr`.
    statistic : {"mean", "std", None}
        Over the clip's frames; None for the tempo, which is one number.
    place : int, optional
        Number of the coefficient, counted from 0, or of the pitch class, from C.
    published : bool
        Whether the name is a column of the tables published with GTZAN: they hold variances in
        place of deviations and count coefficients from 1.
    """

    key: str
    statistic: str | None = None
    place: int | None = None
    published: bool = False


def quantity_of(name: str) -> Quantity | None:
    """Read a feature's name.

    Parameters
    ----------
    name : str
        One of the 75 features, or a column of the tables published with GTZAN.

    Returns
    -------
    Quantity or None
        None for any other name.

    Examples
    --------
    >>> quantity_of("chroma_mean_9")
    Quantity(key='chroma', statistic='mean', place=9, published=False)
    >>> quantity_of("mfcc1_var")
    Quantity(key='level', statistic='std', place=0, published=True)
    >>> quantity_of("danceability")
    """
    if name == "tempo":
        return Quantity("tempo")
    if match := OWN_PLACED.fullmatch(name):
        key, statistic, place = match[1], match[2], int(match[3])
        if key == "chroma":
            return Quantity(key, statistic, place) if place < N_CHROMA else None
        return _coefficient(statistic, place)
    if match := OWN_PLAIN.fullmatch(name):
        return Quantity(match[1], match[2])
    if match := PUBLISHED_MFCC.fullmatch(name):
        return _coefficient(STATISTICS[match[2]], int(match[1]) - 1, published=True)
    if match := PUBLISHED_PLAIN.fullmatch(name):
        return Quantity(KEY_OF_COLUMN[match[1]], STATISTICS[match[2]], published=True)
    return None


def family_of(name: str) -> str:
    """The musical family of a feature.

    Parameters
    ----------
    name : str
        Any feature's name.

    Returns
    -------
    str
        One of `FAMILIES`; `other` for names that are not known.

    Examples
    --------
    >>> family_of("spec_cent_std"), family_of("mfcc_mean_0"), family_of("danceability")
    ('brightness', 'dynamics', 'other')
    """
    quantity = quantity_of(name)
    return "other" if quantity is None else FAMILY_OF_KEY[quantity.key]


def by_family(values: Table) -> Table:
    """Add up what the features of each family contribute.

    Parameters
    ----------
    values : Series or DataFrame
        Signed contributions, indexed by feature; the columns of a table are genres.

    Returns
    -------
    Series or DataFrame
        Indexed by `family`, in the order of `FAMILIES`, those present only. The sum over families
        is the sum over features; a family with a contribution that is NaN is NaN.

    Examples
    --------
    >>> by_family(pd.Series({"rms_std": 0.5, "tempo": -0.25, "rms_mean": 0.25})).to_dict()
    {'dynamics': 0.75, 'rhythm': -0.25}
    """
    families = pd.Index([family_of(str(name)) for name in values.index], name="family", dtype=str)
    present = [family for family in FAMILIES if family in set(families)]
    return values.groupby(families).sum(skipna=False).reindex(present).rename_axis("family")


def _coefficient(statistic: str, place: int, *, published: bool = False) -> Quantity:
    return Quantity("mfcc" if place else "level", statistic, place, published)
