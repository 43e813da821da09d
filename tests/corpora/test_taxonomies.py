import csv
import json
from pathlib import Path

import pytest

from genrescope.corpora.gtzan_facts import GENRES
from genrescope.corpora.korean_metadata import melon_codes, plain
from genrescope.taxonomy import Taxonomy, load_taxonomy

PAPER_ORDER = ("Blues-like", "HipHop/Rap", "Pop/Dance/RnB", "Rock/Metal")


@pytest.mark.parametrize(
    ("genre", "labels"),
    [
        ("Blues-like", ["blues", "Folk & Blues", "포크/블루스", "블루스", "GN0800", "gn0800"]),
        (
            "HipHop/Rap",
            ["hiphop", "Hip-Hop", "Rap & Hiphop", "랩/힙합", "힙합", "GN0300", "GN1200"],
        ),
        (
            "Pop/Dance/RnB",
            ["disco", "pop", "POP", "Dance", "RnB & Soul", "R&B/Soul", "댄스", "GN0200"],
        ),
        ("Pop/Dance/RnB", ["GN0400", "GN0900", "GN1300", "알앤비/소울"]),
        (
            "Rock/Metal",
            ["rock", "metal", "Rock & Metal", "록/메탈", "락 / 메탈", "GN0600", "GN1000"],
        ),
        (
            None,
            ["ballad", "발라드", "GN0100", "indie", "인디음악", "GN1400", "jazz", "country", "EDM"],
        ),
    ],
)
def test_labels_in_every_spelling(meta_genre: Taxonomy, genre: str, labels: list[str]) -> None:
    assert {label: meta_genre.genre_of(label) for label in labels} == dict.fromkeys(labels, genre)


def test_genres_stand_in_the_papers_order(meta_genre: Taxonomy) -> None:
    assert meta_genre.genres == PAPER_ORDER
    assert load_taxonomy("folk-as-blues").genres == PAPER_ORDER


def test_codes_and_their_names_never_contradict_each_other(meta_genre: Taxonomy) -> None:
    for code, name in melon_codes().items():
        by_name, by_code = meta_genre.genre_of(name), meta_genre.genre_of(code)
        assert by_name == by_code, (code, name)


def test_every_published_korean_code_is_known(real_data: Path) -> None:
    table = json.loads((real_data / "korean" / "melon_top_level.json").read_text("utf-8"))
    assert {plain(code): names[0] for code, names in table["codes"].items()} == melon_codes()


def test_gtzan_maps_to_the_papers_counts(meta_genre: Taxonomy) -> None:
    mapped = [meta_genre.genre_of(genre) for genre in GENRES]
    assert {genre: mapped.count(genre) for genre in PAPER_ORDER} == {
        "Blues-like": 1, "HipHop/Rap": 1, "Pop/Dance/RnB": 2, "Rock/Metal": 2,
    }  # fmt: skip


def test_folk_as_blues_maps_the_bangla_table_as_the_baseline_does(real_data: Path) -> None:
    taxonomy = load_taxonomy("folk-as-blues")
    path = real_data / "features_tables" / "banglabeats_features_30_sec.csv"
    with path.open(encoding="utf-8", newline="") as file:
        genres = [taxonomy.genre_of(row["label"]) for row in csv.DictReader(file)]
    assert {genre: genres.count(genre) for genre in PAPER_ORDER} == {
        "Blues-like": 235, "HipHop/Rap": 173, "Pop/Dance/RnB": 196, "Rock/Metal": 383,
    }  # fmt: skip
