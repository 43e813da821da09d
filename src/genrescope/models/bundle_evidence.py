"""What a bundle keeps of the clips behind its model: their statistics, and its calibration."""

import json
from collections.abc import Sequence
from pathlib import Path

from genrescope.errors import BundleError
from genrescope.files import write_text
from genrescope.models.bundle_info import BundleInfo, read_checked_json
from genrescope.models.doubt import Calibration
from genrescope.models.statistics import FeatureStatistics
from genrescope.settings import FeatureSettings

STATISTICS = "statistics.json"
CALIBRATION = "calibration.npz"
EVIDENCE = (STATISTICS, CALIBRATION)


def check_evidence(
    statistics: FeatureStatistics | None,
    calibration: Calibration | None,
    *,
    classes: Sequence[str],
    names: Sequence[str] | None,
    features: FeatureSettings | None,
    path: Path | None = None,
) -> None:
    """Refuse statistics of other genres or features than the model's, or too little to calibrate.

    Parameters
    ----------
    statistics, calibration
    classes : sequence of str
        The model's.
    names : sequence of str or None
        The model's features, where it knows their names.
    features : FeatureSettings or None
        How they are computed from sound.
    path : pathlib.Path, optional
        Of the statistics, for the error.

    Raises
    ------
    BundleError
    """
    if statistics is None:
        if calibration is not None:
            raise BundleError("a calibration needs the statistics of the training clips")
        return
    if statistics.genres != tuple(classes):
        raise BundleError("the statistics are not of the model's genres", path=path)
    if names is None and features is not None:
        from genrescope.features.vector import feature_names

        names = feature_names(features)
    if names is not None and statistics.features != tuple(names):
        raise BundleError("the statistics are not of the model's features", path=path)


def write_evidence(
    folder: Path, statistics: FeatureStatistics | None, calibration: Calibration | None
) -> list[str]:
    """Write what there is of the two into a bundle; the names of the files written."""
    names = []
    if statistics is not None:
        # On a line of its own, each of its thousands of numbers would take twice the space.
        text = json.dumps(statistics.to_dict(), ensure_ascii=False, separators=(",", ":"))
        write_text(folder / STATISTICS, text + "\n")
        names.append(STATISTICS)
    if calibration is not None:
        calibration.save(folder / CALIBRATION)
        names.append(CALIBRATION)
    return names


def read_evidence(
    folder: Path, info: BundleInfo
) -> tuple[FeatureStatistics | None, Calibration | None]:
    """Read and check what a bundle has of the two.

    Raises
    ------
    BundleError
        Where a file is damaged, or belongs to another model.
    """
    if STATISTICS not in info.files:
        if CALIBRATION in info.files:
            raise BundleError(f"has a {CALIBRATION} without a {STATISTICS}", path=folder)
        return None, None
    path = folder / STATISTICS
    content = read_checked_json(path)
    try:
        statistics = FeatureStatistics.from_dict(content)
    except ValueError as error:
        raise BundleError(f"is damaged: {error}", path=path) from error
    check_evidence(
        statistics,
        None,
        classes=info.classes,
        names=info.feature_names,
        features=info.features,
        path=path,
    )
    kept = CALIBRATION in info.files
    return statistics, Calibration.load(folder / CALIBRATION) if kept else None
