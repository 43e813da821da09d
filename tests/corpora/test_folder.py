from pathlib import Path

import pytest

from genrescope.corpora import index_corpus
from genrescope.corpora.corpus import Corpus
from genrescope.errors import CorpusError
from genrescope.taxonomy import Taxonomy, load_taxonomy


@pytest.fixture
def index(meta_genre: Taxonomy):
    def run(root: Path, taxonomy: Taxonomy = meta_genre, **options: object) -> Corpus:
        return index_corpus(
            "folder", root, name="mine", culture="x", taxonomy=taxonomy, options=options
        )

    return run


def test_any_format_any_depth_and_strangers_are_passed_over(tmp_path: Path, tone, index) -> None:
    tone(tmp_path / "Rock" / "Band" / "Album" / "1.ogg")
    tone(tmp_path / "Rock" / "2.flac")
    tone(tmp_path / "jazz" / "3.WAV")
    for name in ("Rock/cover.jpg", "Rock/.DS_Store", "list.txt"):
        (tmp_path / name).touch()
    corpus = index(tmp_path)
    assert corpus.clips["clip_id"].tolist() == [
        "mine/Rock/2.flac@0", "mine/Rock/Band/Album/1.ogg@0", "mine/jazz/3.WAV@0",
    ]  # fmt: skip
    assert corpus.clips["track"].tolist() == ["Rock/2", "Rock/Band/Album/1", "jazz/3"]
    assert corpus.clips["genre"].notna().tolist() == [True, True, False]
    assert corpus.clips["artist"].isna().all()
    assert corpus.failures.empty


def test_artists_from_folders(tmp_path: Path, tone, index) -> None:
    tone(tmp_path / "rock" / "Band" / "1.wav")
    tone(tmp_path / "rock" / "2.wav")
    clips = index(tmp_path, artist_from="parent").clips
    by_track = clips.set_index("track")
    assert by_track.loc["rock/Band/1", "group"] == "Band"
    assert by_track.loc["rock/Band/1", "group_kind"] == "artist"
    assert by_track.loc["rock/2", "group"] == "rock/2"


def test_audio_that_does_not_open_and_audio_without_a_label_are_failures(
    tmp_path: Path, tone, index
) -> None:
    tone(tmp_path / "rock" / "a.wav")
    tone(tmp_path / "stray.wav")
    (tmp_path / "rock" / "empty.mp3").touch()
    (tmp_path / "rock" / "text.wav").write_text("hello")
    (tmp_path / "rock" / "tune.m4a").write_bytes(b"\0\0\0\x20ftypM4A ")
    (tmp_path / "rock" / "gone.wav").symlink_to(tmp_path / "nowhere.wav")
    corpus = index(tmp_path)
    assert len(corpus.clips) == 1
    found = {Path(row.path).name: row.kind for row in corpus.failures.itertuples()}
    assert found == {
        "stray.wav": "label-missing", "empty.mp3": "unreadable", "text.wav": "unreadable",
        "tune.m4a": "undecodable", "gone.wav": "unreadable",
    }  # fmt: skip


def test_open_taxonomy_takes_every_folder(tmp_path: Path, tone, index) -> None:
    tone(tmp_path / "폴카" / "a.wav")
    corpus = index(tmp_path, load_taxonomy("labels"))
    assert corpus.usable["genre"].tolist() == ["폴카"]


def test_labels_outside_the_taxonomy_are_named(tmp_path: Path, tone, index) -> None:
    tone(tmp_path / "polka" / "a.wav")
    with pytest.raises(CorpusError, match="polka"):
        index(tmp_path)
