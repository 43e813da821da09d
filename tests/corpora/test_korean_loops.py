import json
import unicodedata
from pathlib import Path

import pytest

from genrescope.corpora import index_corpus
from genrescope.corpora.corpus import Corpus
from genrescope.errors import ConfigError, CorpusError
from genrescope.settings import AudioSettings
from genrescope.taxonomy import Taxonomy, load_taxonomy

SOUNDS = "01.데이터/1.Training/원천데이터"
LABELS = "01.데이터/1.Training/라벨링데이터"


@pytest.fixture
def index(loops, meta_genre: Taxonomy):
    def run(taxonomy: Taxonomy = meta_genre, **options: object) -> Corpus:
        return index_corpus(
            "korean-loops", loops.root, name="korean", culture="Korean", taxonomy=taxonomy,
            options=options,
        )  # fmt: skip

    return run


def _kinds(corpus: Corpus) -> dict[str, str]:
    return {Path(row.path).name: row.kind for row in corpus.failures.itertuples()}


@pytest.mark.parametrize(
    ("sounds", "labels"),
    [
        ("", ""),
        (SOUNDS, LABELS),
        (f"{SOUNDS}/[원천]록", f"{LABELS}/[라벨]록"),
        ("wav/TS_1", "json/TL_1"),
    ],
)
def test_one_folder_and_parallel_trees(loops, index, sounds: str, labels: str) -> None:
    loops.add("곡1_드럼_01", sounds=sounds, labels=labels, song_id="S1")
    loops.add("곡1_베이스_02", instrument="Bass", sounds=sounds, labels=labels, song_id="S1")
    corpus = index()
    clips = corpus.clips
    assert clips["instrument"].tolist() == ["drums", "bass"]
    assert clips["genre"].tolist() == ["Rock/Metal"] * 2
    assert clips["label"].tolist() == ["록/메탈"] * 2
    assert clips["group"].tolist() == clips["track"].tolist() == ["S1", "S1"]
    assert clips["group_kind"].tolist() == ["song", "song"]
    assert [Path(path).suffix for path in clips["midi_path"]] == [".mid", ".mid"]
    assert clips["clip_id"].iloc[0] == "/".join(
        filter(None, ["korean", sounds, "곡1_드럼_01.wav@0"])
    )
    assert clips["artist"].isna().all()
    assert corpus.failures.empty
    assert corpus.notes == ()


def test_every_defect_is_a_failure_of_its_kind(loops, index, tone) -> None:
    loops.add("good")
    loops.add("no-sound", seconds=None, midi=False)
    tone(loops.root / "no-metadata.wav")
    loops.add("broken-json", content='{"genre": ')
    loops.add("empty-json", content="")
    loops.add("no-genre", content={"info": {"곡명": "x", "bpm": 90}, "instrument": "drum"})
    loops.add("no-instrument", content={"genre": "rock", "instrument": []})
    loops.add("long", duration=2.0)
    loops.add("rate", sample_rate=44100)
    loops.add("two", genre=["록/메탈", "댄스"])
    loops.add("text")
    (loops.root / "text.wav").write_text("not a sound")
    loops.add("zero")
    (loops.root / "zero.wav").write_bytes(b"")
    corpus = index()
    assert corpus.clips["clip_id"].tolist() == ["korean/good.wav@0"]
    assert _kinds(corpus) == {
        "no-sound.json": "audio-missing",
        "no-metadata.wav": "metadata-missing",
        "broken-json.json": "metadata-unreadable",
        "empty-json.json": "metadata-unreadable",
        "no-genre.json": "metadata-key",
        "no-instrument.json": "metadata-key",
        "long.wav": "metadata-mismatch",
        "rate.wav": "metadata-mismatch",
        "two.json": "metadata-ambiguous",
        "text.wav": "unreadable",
        "zero.wav": "unreadable",
    }
    reasons = {Path(row.path).name: row.reason for row in corpus.failures.itertuples()}
    assert "info.곡명, info.bpm, instrument" in reasons["no-genre.json"]
    assert "keys.genre" in reasons["no-genre.json"]
    assert "2.0 for the duration" in reasons["long.wav"]
    assert "44100 Hz, the sound has 8000 Hz" in reasons["rate.wav"]
    assert corpus.summary()["failures"]["metadata-unreadable"] == 2


@pytest.mark.parametrize(
    ("field", "value", "fits"),
    [
        ("duration", 1.09, True),
        ("duration", 1.11, False),
        ("duration", "1.0 sec", True),
        ("duration", 1000, True),
        ("duration", "00:01", True),
        ("duration", "0:00:03.5", False),
        ("duration", "unknown", True),
        ("duration", None, True),
        ("재생시간", "3.0", False),
        ("sample_rate", "8 kHz", True),
        ("sample_rate", "8,000", True),
        ("sampling_rate", 22050, False),
    ],
)
def test_duration_and_rate_are_compared_in_their_units(
    loops, index, field: str, value: object, fits: bool
) -> None:
    loops.add("good")
    loops.add("other", **{field: value})
    assert len(index().clips) == (2 if fits else 1)


def test_five_second_tolerance_grows_with_the_duration(loops, index) -> None:
    loops.add("long", seconds=10.0, duration=10.4)
    corpus = index()
    assert corpus.clips["duration_s"].tolist() == [5.0]


def test_other_instruments_are_counted_and_all_can_be_kept(loops, index) -> None:
    for number, word in enumerate(
        ["E. Guitar", "기타", "통기타", "보컬", "태평소", "신디사이저", "현악"]
    ):
        loops.add(f"loop{number}", instrument=word)
    corpus = index()
    assert corpus.clips["instrument"].tolist() == ["electric guitar", "synth/keys", "strings"]
    assert corpus.failures.empty
    (note,) = corpus.notes
    assert note.startswith("4 loops of other instruments are left out: ")
    assert "acoustic guitar 1" in note
    assert "태평소 1" in note
    assert len(index(instruments="all").clips) == 7
    assert index(instruments=["보컬"]).clips["instrument"].tolist() == ["vocals"]
    with pytest.raises(ConfigError, match="did you mean strings"):
        index(instruments=["stirngs"])


def test_a_loop_of_several_instruments_needs_all_of_them_kept(loops, index) -> None:
    loops.add("a", instrument=["drums", "bass"])
    loops.add("b", instrument=["drums", "vocal"])
    loops.add("c", instrument=["drums", "percussion"])
    assert index().clips["instrument"].tolist() == ["bass + drums", "drums"]


def test_only_other_instruments_says_so(loops, index) -> None:
    loops.add("a", instrument="vocal")
    with pytest.raises(CorpusError, match="1 loops of other instruments are left out: vocals 1"):
        index()


def test_keys_by_dotted_path(loops, index) -> None:
    content = {"meta": [{"종류": {"큰갈래": "힙합"}}], "genre": "rock", "part": {"name": "drum"}}
    loops.add("a", content=content)
    assert _kinds_of_error(index)["a.json"] == "metadata-key"
    corpus = index(keys={"genre": "종류.큰갈래", "instrument": ["nothing", "part.name"]})
    assert corpus.clips["genre"].tolist() == ["HipHop/Rap"]
    with pytest.raises(ConfigError, match="keys"):
        index(keys={"genres": "x"})


def _kinds_of_error(index) -> dict[str, str]:
    with pytest.raises(CorpusError, match="all 1 candidates failed"):
        index()
    corpus = index(instruments="all")
    assert corpus.clips["instrument"].isna().all()
    return {"a.json": "metadata-key"}


def test_codes_are_read_through_tables(loops, index, tmp_path: Path) -> None:
    loops.add("a", genre="07", instrument="07")
    loops.add("b", genre="GN0612", instrument="IN01")
    genre, instrument = tmp_path / "genre.json", loops.root / "codes" / "악기.csv"
    genre.write_text(json.dumps({"codes": {"07": ["댄스", "dance"]}}), "utf-8")
    instrument.parent.mkdir()
    instrument.write_bytes("코드,이름\n07,드럼\nIN01,일렉기타\n".encode("cp949"))
    corpus = index(codes={"genre": str(genre), "instrument": ["codes/악기.csv"]})
    assert corpus.clips["label"].tolist() == ["댄스", "록/메탈"]
    assert corpus.clips["genre"].tolist() == ["Pop/Dance/RnB", "Rock/Metal"]
    assert corpus.clips["instrument"].tolist() == ["drums", "electric guitar"]
    assert corpus.failures.empty


def test_bad_code_tables_are_refused(loops, index) -> None:
    loops.add("a")
    for name, content in (("x.json", "[1]"), ("x.yaml", "a: {b: c}"), ("x.csv", "only\n")):
        (loops.root / name).write_text(content)
        with pytest.raises(ConfigError, match="code table"):
            index(codes=name)
    with pytest.raises(ConfigError, match="code table cannot be read"):
        index(codes="missing.json")


def test_the_publishers_tables_are_code_tables(real_data: Path) -> None:
    from genrescope.corpora.korean_metadata import read_codes

    folder = real_data / "korean" / "sibling_code_tables"
    tables = sorted(folder.glob("*.json"))
    assert len(tables) == 13
    names = read_codes([folder / "instCode2Name.json"])
    assert names["sp01"] == "가야금"
    for path in tables:
        assert read_codes([path])
    assert read_codes([real_data / "korean" / "melon_top_level.json"])["gn0600"] == "록/메탈"


def test_unmapped_genres_stay_in_the_table(loops, index) -> None:
    loops.add("a", genre="GN0100")
    loops.add("b", genre="GN0600")
    corpus = index()
    assert corpus.summary()["unmapped"] == {"발라드": 1}
    assert len(corpus.usable) == 1
    assert index(load_taxonomy("labels")).usable["genre"].tolist() == ["발라드", "록/메탈"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949"])
def test_encodings(loops, index, encoding: str) -> None:
    loops.add("a", genre="포크/블루스", encoding=encoding)
    assert index().clips["genre"].tolist() == ["Blues-like"]


def test_composed_and_decomposed_names_belong_together(loops, index, tone) -> None:
    stem = "드럼_록_01"
    loops.add(unicodedata.normalize("NFC", stem), seconds=None, midi=False)
    tone(loops.root / f"{unicodedata.normalize('NFD', stem)}.wav")
    assert index().clips["clip_id"].tolist() == [f"korean/{stem}.wav@0"]


def test_numbering_that_starts_again_in_each_folder(loops, index) -> None:
    for split in ("1.Training", "2.Validation"):
        for genre, code in (("록", "GN0600"), ("댄스", "GN0200")):
            loops.add(
                "0001",
                genre=code,
                sounds=f"{split}/원천데이터/{genre}",
                labels=f"{split}/라벨링데이터/{genre}",
            )
    loops.add("0002", sounds="1.Training/원천데이터/록", labels="2.Validation/라벨링데이터/록")
    corpus = index()
    assert len(corpus.clips) == 4
    for row in corpus.clips.itertuples():
        assert ("/록/" in row.path) == (row.genre == "Rock/Metal")
    assert sorted(corpus.failures["kind"]) == ["audio-missing", "metadata-missing"]


def test_stems_that_cannot_be_told_apart_are_failures(loops, index, tone) -> None:
    loops.add("good")
    loops.add("x", sounds="wav/a", labels="labels")
    tone(loops.root / "wav" / "b" / "x.wav")
    corpus = index()
    assert corpus.clips["clip_id"].tolist() == ["korean/good.wav@0"]
    assert corpus.failures["kind"].tolist() == ["ambiguous"] * 3


def test_a_missing_or_empty_root(tmp_path: Path, loops, index, meta_genre: Taxonomy) -> None:
    with pytest.raises(CorpusError, match="WAV and JSON files that share a stem"):
        index()
    with pytest.raises(CorpusError, match="does not exist"):
        index_corpus("korean-loops", tmp_path / "x", name="k", culture="K", taxonomy=meta_genre)


def test_midi_without_a_loop_is_noted_and_loops_do_without_midi(loops, index) -> None:
    loops.add("a", midi=False)
    (loops.root / "b.mid").write_bytes(b"MThd")
    corpus = index()
    assert corpus.clips["midi_path"].isna().all()
    assert corpus.notes == ("1 MIDI files belong to no loop that has sound and metadata",)


def test_clip_length_is_a_setting(loops, meta_genre: Taxonomy) -> None:
    loops.add("a", seconds=4.0)
    corpus = index_corpus(
        "korean-loops", loops.root, name="k", culture="K", taxonomy=meta_genre,
        audio=AudioSettings(clip_seconds=3.0),
    )  # fmt: skip
    assert corpus.clips["duration_s"].tolist() == [3.0]
