from pathlib import Path

import pytest

from genrescope.corpora import gtzan_facts, index_corpus
from genrescope.corpora.corpus import Corpus
from genrescope.errors import ConfigError, CorpusError
from genrescope.taxonomy import Taxonomy


@pytest.fixture
def index(meta_genre: Taxonomy):
    def run(root: Path, **options: object) -> Corpus:
        return index_corpus(
            "gtzan", root, name="gtzan", culture="Western", taxonomy=meta_genre, options=options
        )

    return run


@pytest.mark.parametrize(
    ("layout", "suffix"),
    [("Data/genres_original", "wav"), ("genres", "au"), ("", "flac"), ("a/b", "wav")],
)
@pytest.mark.parametrize("inside", [False, True])
def test_layouts_and_formats_give_the_same_names(
    tmp_path: Path, tone, index, layout: str, suffix: str, inside: bool
) -> None:
    base = tmp_path / layout
    tone(base / "blues" / f"blues.00000.{suffix}", 7.0)
    tone(base / "rock" / f"rock.00000.{suffix}", 7.0)
    (base / "blues" / "notes.txt").touch()
    (tmp_path / "images_original" / "blues").mkdir(parents=True)
    (tmp_path / "images_original" / "blues" / "blues00000.png").touch()
    corpus = index(base / "blues" if inside else tmp_path)
    ids = corpus.clips["clip_id"].tolist()
    expected = [f"gtzan/blues/blues.00000.{suffix}@0", f"gtzan/rock/rock.00000.{suffix}@0"]
    assert ids == (expected[:1] if inside else expected)
    first = corpus.clips.iloc[0]
    assert (first["artist"], first["group"], first["group_kind"]) == (
        "John Lee Hooker", "John Lee Hooker", "artist",
    )  # fmt: skip
    assert (first["genre"], first["duration_s"]) == ("Blues-like", 5.0)
    assert corpus.failures.empty


def test_segments_offset_and_genres(tmp_path: Path, tone, index) -> None:
    tone(tmp_path / "blues" / "blues.00000.wav", 13.0)
    tone(tmp_path / "rock" / "rock.00000.wav", 13.0)
    every = index(tmp_path, segments="all", genres=["Blues"]).clips
    assert every["start_s"].tolist() == [0.0, 5.0, 10.0]
    assert every["duration_s"].tolist() == [5.0, 5.0, 3.0]
    assert every["track"].nunique() == 1
    assert index(tmp_path, segments="middle").clips["start_s"].unique().tolist() == [4.0]
    late = index(tmp_path, offset_s=12.0).clips
    assert late["duration_s"].tolist() == [1.0, 1.0]
    with pytest.raises(CorpusError, match="less than the offset"):
        index(tmp_path, offset_s=14.0)
    with pytest.raises(ConfigError, match="did you mean blues"):
        index(tmp_path, genres=["bluse"])


def test_exact_repetitions_are_one_track_and_one_artist(tmp_path: Path, tone, index) -> None:
    for number in (50, 51, 70, 52):
        tone(tmp_path / "disco" / f"disco.{number:05d}.wav")
    clips = index(tmp_path).clips
    assert clips["track"].tolist() == ["disco.00050", "disco.00050", "disco.00052", "disco.00050"]
    assert clips.groupby("track")["group"].nunique().max() == 1


def test_known_faults_are_failures_with_the_fact(tmp_path: Path, tone, index) -> None:
    tone(tmp_path / "reggae" / "reggae.00086.wav", 30.0)
    tone(tmp_path / "jazz" / "jazz.00053.wav", 3.0)
    (tmp_path / "jazz" / "jazz.00054.wav").write_bytes(b"RIFF\0\0")
    tone(tmp_path / "pop" / "pop.00000.wav", 3.0)
    corpus = index(tmp_path, segments="all")
    kinds = corpus.failures["kind"].value_counts().to_dict()
    assert kinds == {"known-fault": 5, "unreadable": 1}
    broken = corpus.failures.set_index("kind").loc["unreadable", "reason"]
    assert "jazz.00054 is cut short in the copy on Kaggle" in broken
    reggae = corpus.clips[corpus.clips["label"] == "reggae"]
    assert reggae["start_s"].tolist() == [0.0]


def test_renamed_files_have_no_artist_and_second_formats_are_duplicates(
    tmp_path: Path, tone, index
) -> None:
    tone(tmp_path / "Hip-Hop" / "my song.wav")
    tone(tmp_path / "Hip-Hop" / "my song.flac")
    corpus = index(tmp_path)
    row = corpus.clips.iloc[0]
    assert (row["label"], row["track"], row["group_kind"]) == ("hiphop", "my song", "track")
    assert row.isna()["artist"]
    assert corpus.failures["kind"].tolist() == ["duplicate"]


def test_rendered_music_never_gets_real_artists(tmp_path: Path, tone, index) -> None:
    tone(tmp_path / "genres_original" / "blues" / "blues.00000.wav")
    (tmp_path / "SYNTHETIC.json").write_text("{}")
    corpus = index(tmp_path / "genres_original")
    assert corpus.synthetic
    assert corpus.clips["artist"].isna().all()


def test_a_folder_without_gtzan_says_what_was_looked_for(tmp_path: Path, tone, index) -> None:
    tone(tmp_path / "polka" / "a.wav")
    with pytest.raises(CorpusError, match="genres_original/blues"):
        index(tmp_path)
    with pytest.raises(CorpusError, match="does not exist"):
        index(tmp_path / "blues")


def test_one_artist_genres_are_noted(tmp_path: Path, tone, index) -> None:
    for number in range(3):
        tone(tmp_path / "blues" / f"blues.{number:05d}.wav")
    assert index(tmp_path).notes == ("3 of 3 clips of blues are by one artist, John Lee Hooker",)


def test_facts_cover_the_thousand_excerpts() -> None:
    every = [f"{genre}.{number:05d}" for genre in gtzan_facts.GENRES for number in range(100)]
    assert all(gtzan_facts.excerpt_of(excerpt) == excerpt for excerpt in every)
    parts = [gtzan_facts.filtered_part(excerpt) for excerpt in every]
    assert {part: parts.count(part) for part in set(parts)} == {
        "train": 443, "validation": 197, "test": 290, "removed": 70,
    }  # fmt: skip
    assert sum(gtzan_facts.artist_of(excerpt) is None for excerpt in every) < 85
    tracks = {gtzan_facts.track_of(excerpt) for excerpt in every}
    assert tracks <= set(every)
    assert all(gtzan_facts.track_of(track) == track for track in tracks)
    assert len(every) - len(tracks) == 50


def test_facts_agree_with_the_published_lists(real_data: Path) -> None:
    for part, name in (("train", "train"), ("validation", "valid"), ("test", "test")):
        listed = (real_data / "splits" / f"{name}_filtered.txt").read_text().split()
        assert {gtzan_facts.filtered_part(Path(line).stem) for line in listed} == {part}
    lines = (real_data / "splits" / "sturm_index.txt").read_text().splitlines()
    named = [[cell.strip() for cell in line.split(":::")] for line in lines if ":::" in line]
    silent = {cells[0].removesuffix(".wav") for cells in named if not cells[1]}
    known = {excerpt for excerpt in silent if gtzan_facts.artist_of(excerpt) is not None}
    assert known <= {excerpt for excerpt in silent if gtzan_facts.track_of(excerpt) != excerpt}


def test_real_excerpts(real_data: Path, index) -> None:
    mini = index(real_data / "gtzan_mini").summary()
    assert (mini["clips"], mini["usable"], mini["failures"]) == (100, 60, {})
    assert mini["genres"] == {
        "Blues-like": 10, "HipHop/Rap": 10, "Pop/Dance/RnB": 20, "Rock/Metal": 20,
    }  # fmt: skip
    assert "10 of 10 clips of rock are by one artist, Morphine" in mini["notes"]
    short = index(real_data / "gtzan_short", segments="all").summary()
    assert (short["clips"], short["usable"], short["failures"]) == (200, 120, {})
