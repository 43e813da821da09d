from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from genrescope.corpora import FORMATS, index_corpus
from genrescope.corpora.corpus import Corpus, regroup
from genrescope.corpora.table import clips_frame, failures_frame
from genrescope.errors import ConfigError, CorpusError, OutputError
from genrescope.settings import AudioSettings
from genrescope.taxonomy import Taxonomy


def _rows(**extra: str) -> list[dict[str, object]]:
    return [
        {
            "clip_id": f"c/{name}@0",
            "corpus": "c",
            "culture": "Western",
            "label": name[0],
            "genre": None if name == "x1" else "Jazz",
            "track": name,
            "group": name,
            "group_kind": "track",
            "artist": "Bill" if name == "a2" else None,
            "start_s": 0.0,
            "duration_s": 5.0,
            **extra,
        }
        for name in ("a1", "a2", "x1")
    ]


def _corpus(*, features: bool = False) -> Corpus:
    clips = clips_frame(_rows())
    ready = None
    if features:
        index = pd.Index(clips["clip_id"], name="clip_id")
        ready = pd.DataFrame({"rms": [0.1, 1 / 3, 2.0], "tempo": [90.0, 1e300, 3.0]}, index=index)
    failures = failures_frame([{"path": "로크/ä,b.wav", "reason": 'is "empty"', "kind": "NA"}])
    return Corpus("c", "한국", "folder", clips, failures, ready, notes=("one; two",))


@pytest.mark.parametrize("features", [False, True])
def test_parquet_gives_back_what_was_written(tmp_path: Path, features: bool) -> None:
    corpus = _corpus(features=features)
    corpus.to_parquet(tmp_path / "new" / "c.parquet")
    again = Corpus.from_parquet(tmp_path / "new" / "c.parquet")
    pd.testing.assert_frame_equal(again.clips, corpus.clips)
    pd.testing.assert_frame_equal(again.failures, corpus.failures)
    if corpus.features is not None:
        pd.testing.assert_frame_equal(again.features, corpus.features)
    else:
        assert again.features is None
    for name in ("name", "culture", "format", "synthetic", "notes"):
        assert getattr(again, name) == getattr(corpus, name)
    assert again.fingerprint() == corpus.fingerprint()


def test_an_empty_failure_table_survives_the_file(tmp_path: Path) -> None:
    corpus = Corpus("c", "x", "folder", clips_frame(_rows()), failures_frame([]))
    corpus.to_parquet(tmp_path / "c.parquet")
    again = Corpus.from_parquet(tmp_path / "c.parquet")
    pd.testing.assert_frame_equal(again.failures, corpus.failures)


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="does not exist"):
        Corpus.from_parquet(tmp_path / "none.parquet")
    (tmp_path / "text.parquet").write_text("hello")
    with pytest.raises(CorpusError, match="not a Parquet file"):
        Corpus.from_parquet(tmp_path / "text.parquet")
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "other.parquet")
    with pytest.raises(CorpusError, match="not a corpus table"):
        Corpus.from_parquet(tmp_path / "other.parquet")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        _corpus().to_parquet(tmp_path / "file" / "c.parquet")


def test_summary_counts_clips_genres_unmapped_and_failures() -> None:
    summary = _corpus().summary()
    assert (summary["clips"], summary["usable"], summary["tracks"]) == (3, 2, 2)
    assert summary["genres"] == {"Jazz": 2}
    assert summary["unmapped"] == {"x": 1}
    assert summary["failures"] == {"NA": 1}


def test_fingerprint_follows_contents_not_places(tmp_path: Path, tone) -> None:
    prints = []
    for folder, seconds in (("one", 1.0), ("two", 1.0), ("three", 1.5)):
        path = tone(tmp_path / folder / "a.wav", seconds)
        rows = [{"clip_id": "c/a.wav@0", "path": str(path), "genre": "Jazz"}]
        corpus = Corpus("c", "x", "folder", clips_frame(rows), failures_frame([]))
        prints.append(corpus.fingerprint())
    assert prints[0] == prints[1]
    assert prints[0] != prints[2]
    missing = clips_frame([{"clip_id": "c/a.wav@0", "path": "/gone.wav", "genre": "Jazz"}])
    assert Corpus("c", "x", "folder", missing, failures_frame([])).fingerprint() != prints[0]


def test_fingerprint_follows_labels_and_features_but_not_row_order() -> None:
    corpus = _corpus(features=True)
    assert corpus.features is not None
    first = corpus.fingerprint()
    turned = Corpus(
        "c", "x", "folder", corpus.clips[::-1].reset_index(drop=True), corpus.failures,
        corpus.features[::-1],
    )  # fmt: skip
    assert turned.fingerprint() == first
    other = corpus.features + np.array([[0.0, 1.0]])
    assert Corpus("c", "x", "f", corpus.clips, corpus.failures, other).fingerprint() != first
    relabelled = corpus.clips.assign(genre="Rock")
    assert Corpus("c", "x", "f", relabelled, corpus.failures).fingerprint() != first


def test_regroup_by_artist_track_and_none_can_be_repeated() -> None:
    corpus = _corpus()
    by_artist = regroup(corpus, "artist")
    assert by_artist["group"].tolist() == ["a1", "Bill", "x1"]
    assert by_artist["group_kind"].tolist() == ["track", "artist", "track"]
    singly = regroup(by_artist, "none")
    assert singly["group"].tolist() == singly["clip_id"].tolist()
    pd.testing.assert_frame_equal(regroup(singly, "artist"), by_artist)
    assert regroup(singly, "track")["group"].tolist() == ["a1", "a2", "x1"]
    with pytest.raises(ConfigError, match="label"):
        regroup(corpus, "label")  # type: ignore[arg-type]


def test_regroup_keeps_the_kind_of_loops() -> None:
    clips = clips_frame([{"clip_id": "k/1@0", "track": "s", "group": "s", "group_kind": "song"}])
    for by in ("artist", "track"):
        assert regroup(clips, by)["group_kind"].item() == "song"


@pytest.mark.parametrize("name", ["", "A", "a+b", "a__b", "a/b", "-a", "가", "a b", "a_"])
def test_names_that_cannot_be_folders_are_refused(
    name: str, tmp_path: Path, meta_genre: Taxonomy
) -> None:
    with pytest.raises(ConfigError, match="corpus name"):
        index_corpus("folder", tmp_path, name=name, culture="x", taxonomy=meta_genre)


def test_unknown_format_option_and_missing_root_are_refused(
    tmp_path: Path, meta_genre: Taxonomy
) -> None:
    about = {"name": "c", "culture": "x", "taxonomy": meta_genre}
    with pytest.raises(ConfigError, match="did you mean folder"):
        index_corpus("foldr", tmp_path, **about)
    with pytest.raises(ConfigError, match=r"corpora\.c: .*did you mean segments"):
        index_corpus("folder", tmp_path, options={"segment": "all"}, **about)
    with pytest.raises(ConfigError, match="needs a root"):
        index_corpus("gtzan", None, **about)
    with pytest.raises(CorpusError, match="does not exist"):
        index_corpus("folder", tmp_path / "none", **about)


def test_every_format_is_there() -> None:
    from importlib import import_module

    for place in FORMATS.values():
        module, function = place.split(":")
        assert callable(getattr(import_module(module), function))


def test_marker_makes_any_format_synthetic(tmp_path: Path, tone, meta_genre: Taxonomy) -> None:
    tone(tmp_path / "rock" / "a.wav")
    about = {"name": "c", "culture": "x", "taxonomy": meta_genre, "audio": AudioSettings()}
    assert not index_corpus("folder", tmp_path, **about).synthetic
    (tmp_path / "SYNTHETIC.json").write_text("{}")
    assert index_corpus("folder", tmp_path, **about).synthetic
