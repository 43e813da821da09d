"""A CSV of ready features with a label column, such as the table that comes with GTZAN."""

import io
from pathlib import Path, PurePath
from typing import Any, Literal

import numpy as np
import pandas as pd

from genrescope.corpora import gtzan_facts
from genrescope.corpora.corpus import Corpus
from genrescope.corpora.table import (
    Failure,
    clip_id,
    clips_frame,
    failure,
    failures_frame,
    require_usable,
)
from genrescope.errors import CorpusError, RemoteError
from genrescope.remote import read_file
from genrescope.settings import AudioSettings, Settings, nearest
from genrescope.taxonomy import Taxonomy

WANTED = "rows with numbers and a label"
SHOWN_COLUMNS = 3


class FeatureTableOptions(Settings):
    """How a table is read.

    Attributes
    ----------
    label : str
        Column with the label.
    id : str
        Column with a name per row; where the table has none, rows are named by their number.
    group : str, optional
        Column with the recording: rows of one recording stay together in a split.
    artist : str, optional
        Column with the artist.
    exclude : tuple of str
        Columns that are no features; those a table lacks do not matter.
    gtzan_names : {"auto", True, False}
        Whether names such as ``blues.00000.wav`` stand for GTZAN's excerpts, so that artists and
        repetitions are known; ``auto`` where all names and labels of the table are GTZAN's.
    duplicates : {"drop", "keep"}
        What becomes of a row whose features all equal an earlier row's: a failure, or kept in the
        earlier row's group, so that a split cannot part them.
    """

    label: str = "label"
    id: str = "filename"
    group: str | None = None
    artist: str | None = None
    exclude: tuple[str, ...] = ("length",)
    gtzan_names: Literal["auto"] | bool = "auto"
    duplicates: Literal["drop", "keep"] = "drop"


def index_feature_table(
    root: PurePath,
    *,
    name: str,
    culture: str,
    taxonomy: Taxonomy,
    audio: AudioSettings,  # noqa: ARG001 (every format takes it; features are ready here)
    options: FeatureTableOptions,
) -> Corpus:
    """Read a table of ready features as a corpus.

    Parameters
    ----------
    root : path
        The CSV file or its `UrlPath`, in UTF-8 or CP949.
    name, culture : str
        As in `index_corpus`.
    taxonomy : Taxonomy
        Maps the labels.
    audio : AudioSettings
        Not used.
    options : FeatureTableOptions
        Which column is what.

    Returns
    -------
    Corpus
        With `features`, float64, one column per feature in the table's order; paths are null.
        Rows with text in a number, without a value or a label, or repeating a name are failures
        whose `path` is ``file.csv:line``.

    Raises
    ------
    CorpusError
        Where the file is no CSV table, a column is missing or holds no number at all, or no row
        is usable.
    """
    raw = _read(root)
    _require_columns(raw, root, options)
    aside = {options.label, options.id, options.group, options.artist, *options.exclude}
    columns = [column for column in raw.columns if column not in aside]
    values = _numbers(raw, columns, root)
    names = _names(raw, options)
    reasons = _reasons(raw, values, names, options)
    first = _first_equal(values, reasons)
    notes = []
    repeats = [row for row in range(len(raw)) if row not in reasons and first[row] != row]
    if options.duplicates == "drop":
        for row in repeats:
            of = f"{names[first[row]]}, labelled {raw[options.label].iloc[first[row]].strip()}"
            reasons[row] = (f"all features equal those of {of}", "duplicate")
    elif repeats:
        notes.append(
            f"{len(repeats)} rows equal an earlier one in all features; they are kept and stay in "
            "its group"
        )
    excerpts = _excerpts(raw, names, options)
    kept = [row for row in range(len(raw)) if row not in reasons]
    rows: list[dict[str, Any]] = []
    for row in kept:
        label = str(raw[options.label].iloc[row]).strip()
        rows.append(
            {
                "clip_id": clip_id(name, names[row], 0.0),
                "corpus": name,
                "culture": culture,
                "start_s": 0.0,
                "label": label,
                "genre": taxonomy.genre_of(label),
                **_grouping(raw, first[row], names=names, excerpts=excerpts, options=options),
            }
        )
    failures = _failures(root, reasons)
    require_usable(rows, failures, root=root, wanted=WANTED)
    clips = clips_frame(rows)
    index = pd.Index(clips["clip_id"], name="clip_id")
    return Corpus(
        name=name,
        culture=culture,
        format="feature-table",
        clips=clips,
        failures=failures_frame(failures),
        features=pd.DataFrame(values[kept], index=index, columns=pd.Index(columns)),
        notes=tuple(notes),
    )


def _read(path: PurePath) -> pd.DataFrame:
    """The table as text: what is no number has to be named, not guessed at."""
    if isinstance(path, Path) and path.is_dir():
        raise CorpusError("is a folder; a feature table is one CSV file", path=path)
    try:
        content = read_file(path)
    except RemoteError:
        raise
    except FileNotFoundError as error:
        raise CorpusError("does not exist", path=path) from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise CorpusError(f"cannot be read ({reason})", path=path) from error
    for encoding in ("utf-8-sig", "cp949"):
        try:
            text = content.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise CorpusError("is neither UTF-8 nor CP949 text, so it is no CSV table", path=path)
    try:
        table = pd.read_csv(
            io.StringIO(text), dtype=str, keep_default_na=False, skipinitialspace=True
        )
    except pd.errors.EmptyDataError as error:
        raise CorpusError("is empty", path=path) from error
    except (pd.errors.ParserError, ValueError) as error:
        reason = str(error).strip().removeprefix("Error tokenizing data. C error: ")
        raise CorpusError(
            f"is not a CSV table ({reason[:1].lower()}{reason[1:]})", path=path
        ) from (error)
    if not isinstance(table.index, pd.RangeIndex):
        raise CorpusError("is not a CSV table: its rows are longer than its header", path=path)
    table = table.rename(columns=lambda column: str(column).strip())
    repeated = table.columns[table.columns.duplicated()]
    if len(repeated):
        raise CorpusError(f"has the column {repeated[0]!r} twice", path=path)
    # Half a letter or none where a row is short: both are text that says nothing.
    return table.fillna("")


def _require_columns(raw: pd.DataFrame, path: PurePath, options: FeatureTableOptions) -> None:
    for column in filter(None, (options.label, options.group, options.artist)):
        if column not in raw:
            # Naming 60 columns helps nobody: the nearest, and those that look like no feature.
            hint = nearest(column, [*raw.columns[:SHOWN_COLUMNS], *raw.columns[-SHOWN_COLUMNS:]])
            raise CorpusError(
                f"has no column {column!r} among its {raw.shape[1]}; {hint}", path=path
            )
    if raw.empty:
        raise CorpusError("has a header and no rows", path=path)


def _numbers(raw: pd.DataFrame, columns: list[str], path: PurePath) -> np.ndarray[Any, Any]:
    """Features as float64; NaN where a cell is no finite number."""
    if not columns:
        raise CorpusError("has no column of features", path=path)
    numbers = raw[columns].apply(pd.to_numeric, errors="coerce").astype(np.float64)
    for column in columns:
        if numbers[column].isna().all():
            raise CorpusError(
                f"the column {column!r} holds no number; name it under exclude if it is no feature",
                path=path,
            )
    values: np.ndarray[Any, Any] = numbers.to_numpy(dtype=np.float64, copy=True)
    values[~np.isfinite(values)] = np.nan
    return values


def _names(raw: pd.DataFrame, options: FeatureTableOptions) -> list[str]:
    if options.id in raw:
        return [str(value).strip() for value in raw[options.id]]
    return [f"row-{number:06d}" for number in range(1, len(raw) + 1)]


def _reasons(
    raw: pd.DataFrame,
    values: np.ndarray[Any, Any],
    names: list[str],
    options: FeatureTableOptions,
) -> dict[int, tuple[str, str]]:
    """Why rows cannot be used, by row position: a reason and its kind."""
    aside = {options.label, options.id, options.group, options.artist, *options.exclude}
    columns = [column for column in raw.columns if column not in aside]
    reasons: dict[int, tuple[str, str]] = {}
    for row, column in np.argwhere(np.isnan(values)):
        cell = str(raw[columns[column]].iloc[row]).strip()
        if not cell:
            reason = f"no value in column {columns[column]}", "missing-value"
        elif cell.lower().lstrip("+-") in {"nan", "inf", "infinity", "na", "null", "none"}:
            reason = f"{cell} in column {columns[column]}", "non-finite"
        else:
            reason = f"{cell[:40]!r} in column {columns[column]} is no number", "not-a-number"
        reasons.setdefault(int(row), reason)
    labels = raw[options.label].str.strip()
    for row in np.flatnonzero(labels == ""):
        reasons.setdefault(int(row), ("no label", "label-missing"))
    seen: dict[str, int] = {}
    for row, row_name in enumerate(names):
        if row in reasons:
            continue
        if not row_name:
            reasons[row] = f"no name in column {options.id}", "name-missing"
        elif (earlier := seen.setdefault(row_name, row)) != row:
            reasons[row] = f"{row_name} is also the name of line {earlier + 2}", "duplicate"
    return reasons


def _first_equal(values: np.ndarray[Any, Any], reasons: dict[int, tuple[str, str]]) -> list[int]:
    """For each row the first usable row with the very same features; itself where there is none."""
    seen: dict[bytes, int] = {}
    return [
        row if row in reasons else seen.setdefault(values[row].tobytes(), row)
        for row in range(len(values))
    ]


def _excerpts(
    raw: pd.DataFrame, names: list[str], options: FeatureTableOptions
) -> list[str | None]:
    """GTZAN's excerpt of each row, where the names are GTZAN's."""
    if options.gtzan_names is False:
        return [None] * len(names)
    excerpts = [gtzan_facts.excerpt_of(row_name) for row_name in names]
    labels = raw[options.label].str.strip()
    fits = [
        excerpt is not None and excerpt.startswith(f"{label}.")
        for excerpt, label in zip(excerpts, labels, strict=True)
    ]
    if options.gtzan_names == "auto" and not all(fits):
        return [None] * len(names)
    return excerpts


def _grouping(
    raw: pd.DataFrame,
    row: int,
    *,
    names: list[str],
    excerpts: list[str | None],
    options: FeatureTableOptions,
) -> dict[str, str | None]:
    excerpt = excerpts[row]
    artist = raw[options.artist].iloc[row].strip() or None if options.artist else None
    if excerpt is not None:
        artist = artist or gtzan_facts.artist_of(excerpt)
    given = raw[options.group].iloc[row].strip() if options.group else ""
    track = given or (gtzan_facts.track_of(excerpt) if excerpt else names[row])
    kind = "artist" if artist else "track" if given or excerpt else "row"
    return {"track": track, "artist": artist, "group": artist or track, "group_kind": kind}


def _failures(path: PurePath, reasons: dict[int, tuple[str, str]]) -> list[Failure]:
    # Line 1 is the header.
    return [failure(f"{path}:{row + 2}", *reasons[row]) for row in sorted(reasons)]
