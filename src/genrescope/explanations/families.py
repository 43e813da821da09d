"""Which musical quantity a feature measures, and the family it belongs to."""

import re
from dataclasses import dataclass
from itertools import product
from typing import TypeVar

import pandas as pd

from genrescope.features.contrast import N_CONTRAST
from genrescope.features.modulation import RANGES, RATES_HZ
from genrescope.features.rhythm import METRIC_RATIOS
from genrescope.features.tonal import N_INTERVALS, N_TONNETZ

FAMILIES = ("timbre", "brightness", "noisiness", "harmony", "dynamics", "rhythm", "other")
FAMILY_OF_KEY = {
    "mfcc": "timbre",
    "mfcc_delta": "timbre",
    "mfcc_delta2": "timbre",
    "spec_cent": "brightness",
    "spec_bw": "brightness",
    "spec_roll": "brightness",
    "zcr": "noisiness",
    "spec_flat": "noisiness",
    "contrast": "noisiness",
    "chroma": "harmony",
    "harmony": "harmony",
    "tonnetz": "harmony",
    "interval": "harmony",
    "level": "dynamics",
    "level_delta": "dynamics",
    "level_delta2": "dynamics",
    "rms": "dynamics",
    "rms_variation": "dynamics",
    "low_energy": "dynamics",
    "crest": "dynamics",
    "tempo": "rhythm",
    "perceptr": "rhythm",
    "onset": "rhythm",
    "onset_rate": "rhythm",
    "tempogram_ratio": "rhythm",
    "modulation": "rhythm",
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
OWN_PLAIN = re.compile(r"(spec_cent|spec_bw|spec_roll|spec_flat|zcr|rms|onset)_(mean|std)")
OWN_DELTA = re.compile(r"mfcc_(delta2?)_(std)_(0|[1-9][0-9]*)")
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
        A key of `FAMILY_OF_KEY`. MFCC 0 is `level`, the others are `mfcc`.
    statistic : {"mean", "std", None}
        Over the clip's frames; None for what is one number a clip, such as the tempo.
    place : int, optional
        Number of the coefficient, counted from 0, of the pitch class, from C, or of whatever else
        there are several of, in the order of the features.
    published : bool
        Whether the name is a column of the tables published with GTZAN: they hold variances in
        place of deviations and count coefficients from 1.
    """

    key: str
    statistic: str | None = None
    place: int | None = None
    published: bool = False


SINGLES = {
    name: Quantity(name) for name in ("tempo", "onset_rate", "rms_variation", "low_energy", "crest")
}
PLACED = {
    f"{key}_{statistic}_{place}": Quantity(key, statistic, place)
    for key, statistics, count in (
        ("contrast", ("mean", "std"), N_CONTRAST),
        ("tonnetz", ("std",), N_TONNETZ),
    )
    for statistic in statistics
    for place in range(count)
}
PLACED |= {
    f"tempogram_ratio_{k}": Quantity("tempogram_ratio", place=k) for k in range(len(METRIC_RATIOS))
}
PLACED |= {f"interval_{k}": Quantity("interval", place=k) for k in range(1, N_INTERVALS + 1)}
PLACED |= {
    f"modulation_{name}_{rate}": Quantity("modulation", place=k)
    for k, (name, rate) in enumerate(product(RANGES, RATES_HZ))
}


def quantity_of(name: str) -> Quantity | None:
    """Read a feature's name.

    Parameters
    ----------
    name : str
        A feature of either set, or a column of the tables published with GTZAN.

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
    if found := SINGLES.get(name) or PLACED.get(name):
        return found
    if match := OWN_PLACED.fullmatch(name):
        key, statistic, place = match[1], match[2], int(match[3])
        if key == "chroma":
            return Quantity(key, statistic, place) if place < N_CHROMA else None
        return _coefficient(statistic, place)
    if match := OWN_PLAIN.fullmatch(name):
        return Quantity(match[1], match[2])
    if match := OWN_DELTA.fullmatch(name):
        place = int(match[3])
        return Quantity(f"{'mfcc' if place else 'level'}_{match[1]}", match[2], place)
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
