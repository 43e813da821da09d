from pathlib import Path

import pytest

from genrescope.corpora import index_corpus
from genrescope.corpora.corpus import Corpus
from genrescope.errors import CorpusError
from genrescope.taxonomy import Taxonomy, load_taxonomy

HEADER = "filename,length,rms,tempo,label"


@pytest.fixture
def index(tmp_path: Path, meta_genre: Taxonomy):
    def run(lines: list[str] | bytes, **options: object) -> Corpus:
        path = tmp_path / "table.csv"
        content = lines if isinstance(lines, bytes) else "\n".join([*lines, ""]).encode()
        path.write_bytes(content)
        return index_corpus(
            "feature-table", path, name="t", culture="x", taxonomy=meta_genre, options=options
        )

    return run


def test_rows_become_clips_with_features(index) -> None:
    corpus = index([HEADER, "a.wav,9,0.5,120,rock", "b.wav,9,0.25,1e2, blues "])
    assert corpus.clips["clip_id"].tolist() == ["t/a.wav@0", "t/b.wav@0"]
    assert corpus.clips["genre"].tolist() == ["Rock/Metal", "Blues-like"]
    assert corpus.clips["path"].isna().all()
    assert corpus.clips["group_kind"].tolist() == ["row", "row"]
    assert list(corpus.features.columns) == ["rms", "tempo"]
    assert corpus.features.loc["t/b.wav@0"].tolist() == [0.25, 100.0]
    assert corpus.features.index.name == "clip_id"


def test_bad_rows_are_failures_naming_line_and_column(index) -> None:
    corpus = index(
        [
            HEADER,
            "a.wav,9,0.5,120,rock",
            "b.wav,9,loud,120,rock",
            "c.wav,9,,120,rock",
            "d.wav,9,NaN,120,rock",
            "e.wav,9,0.5,inf,rock",
            "f.wav,9,0.6,120,",
            "a.wav,9,0.7,120,rock",
            "g.wav,9,0.5,120,blues",
            ",9,0.9,120,blues",
        ]
    )
    assert corpus.clips["clip_id"].tolist() == ["t/a.wav@0"]
    found = {int(row.path.rsplit(":", 1)[1]): row for row in corpus.failures.itertuples()}
    assert {line: row.kind for line, row in found.items()} == {
        3: "not-a-number", 4: "missing-value", 5: "non-finite", 6: "non-finite",
        7: "label-missing", 8: "duplicate", 9: "duplicate", 10: "name-missing",
    }  # fmt: skip
    assert "'loud' in column rms" in found[3].reason
    assert "tempo" in found[6].reason
    assert "a.wav" in found[9].reason
    assert "rock" in found[9].reason
    assert len(corpus.features) == 1


def test_kept_duplicates_stay_in_one_group(index) -> None:
    rows = [HEADER, "a,9,0.5,120,rock", "b,9,0.5,120,rock", "c,9,0.6,120,rock"]
    corpus = index(rows, duplicates="keep")
    assert corpus.clips["group"].tolist() == ["a", "a", "c"]
    assert len(corpus.notes) == 1
    assert corpus.failures.empty


def test_columns_can_be_named(index) -> None:
    rows = ["rms,genre,song,singer,comment", "0.5,rock,s1,Anna,x", "0.6,rock,s1,,y"]
    named = {"label": "genre", "group": "song", "artist": "singer", "exclude": ["comment"]}
    corpus = index(rows, **named)
    assert corpus.clips["clip_id"].tolist() == ["t/row-000001@0", "t/row-000002@0"]
    assert corpus.clips["track"].tolist() == ["s1", "s1"]
    assert corpus.clips["group"].tolist() == ["Anna", "s1"]
    assert corpus.clips["group_kind"].tolist() == ["artist", "track"]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["a,b,lable", "1,2,rock"], "no column 'label' among its 3; did you mean lable"),
        (["filename,label", "x,rock"], "no column of features"),
        (["rms,comment,label", "1,loud,rock"], "'comment' holds no number.*exclude"),
        (["rms,label"], "no rows"),
        (["rms,label", "1,rock", "2,rock,3,4"], "not a CSV table"),
        (["rms,label", "1,2,rock", "1,2,rock"], "longer than its header"),
        (b"", "is empty"),
        (b"\xff\xfe\x00\x81\xff", "neither UTF-8 nor CP949"),
        (["rms,label", "1,polka"], "polka"),
        (["rms,label", "x,rock", "1,"], "all 2 candidates failed"),
    ],
)
def test_tables_that_cannot_be_used_are_refused(index, lines, reason: str) -> None:
    with pytest.raises(CorpusError, match=reason):
        index(lines)


def test_korean_encodings_are_read(index) -> None:
    for encoding in ("utf-8-sig", "cp949"):
        corpus = index("rms,label\n0.5,록/메탈\n".encode(encoding))
        assert corpus.usable["genre"].tolist() == ["Rock/Metal"]


def test_a_folder_or_no_file_is_refused(tmp_path: Path, meta_genre: Taxonomy) -> None:
    for path, reason in ((tmp_path, "is a folder"), (tmp_path / "no.csv", "does not exist")):
        with pytest.raises(CorpusError, match=reason):
            index_corpus("feature-table", path, name="t", culture="x", taxonomy=meta_genre)


def test_gtzan_names_give_artists_only_where_the_whole_table_is_gtzan(index) -> None:
    gtzan = [HEADER, "rock.00000.wav,9,1,1,rock", "disco.00051.3.wav,9,2,1,disco"]
    clips = index(gtzan).clips
    assert clips["group"].tolist()[0] == "Morphine"
    assert clips["track"].tolist() == ["rock.00000", "disco.00050"]
    assert index(gtzan, gtzan_names=False).clips["artist"].isna().all()
    mixed = [*gtzan, "mine.wav,9,3,1,rock"]
    assert index(mixed).clips["artist"].isna().all()
    assert index(mixed, gtzan_names=True).clips["artist"].notna().sum() == 2
    other = [HEADER, "Rock.00000.wav,9,1,1,Rock"]
    assert index(other).clips["artist"].isna().all()


def test_published_tables(real_data: Path) -> None:
    taxonomy = load_taxonomy("folk-as-blues")
    for name, usable, dropped in (("gtzan", 600, 14), ("banglabeats", 987, 6)):
        path = real_data / "features_tables" / f"{name}_features_30_sec.csv"
        about = {"name": name, "culture": "x", "taxonomy": taxonomy}
        kept = index_corpus("feature-table", path, options={"duplicates": "keep"}, **about)
        assert len(kept.usable) == usable
        assert kept.features.shape[1] == 57
        lean = index_corpus("feature-table", path, **about).summary()
        assert lean["failures"] == {"duplicate": dropped}
        assert lean["clips"] == len(kept.clips) - dropped
        assert bool(kept.clips["artist"].notna().any()) == (name == "gtzan")
