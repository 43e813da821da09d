import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrescope.errors import ConfigError
from genrescope.taxonomy import Taxonomy, load_taxonomy, normalise_label


@given(st.text())
def test_normalising_twice_changes_nothing_more(label):
    once = normalise_label(label)
    assert normalise_label(once) in (once, "")


@pytest.mark.parametrize(
    ("label", "genre"),
    [
        ("blues", "Blues-like"),
        ("Folk & Blues", "Blues-like"),
        ("rock", "Rock/Metal"),
        ("METAL", "Rock/Metal"),
        ("Rock and Metal", "Rock/Metal"),
        ("hip-hop", "HipHop/Rap"),
        ("Rap & Hiphop", "HipHop/Rap"),
        ("disco", "Pop/Dance/RnB"),
        ("Dance", "Pop/Dance/RnB"),
        ("RnB & Soul", "Pop/Dance/RnB"),
        ("R&B/Soul", "Pop/Dance/RnB"),
        ("록/메탈", "Rock/Metal"),
        ("랩/힙합", "HipHop/Rap"),
        ("GN0200", "Pop/Dance/RnB"),
        ("Rock/Metal", "Rock/Metal"),
        ("jazz", None),
        ("국악", None),
        ("", None),
    ],
)
def test_the_papers_mapping(label, genre):
    assert load_taxonomy("meta-genre").genre_of(label) == genre


def test_the_open_taxonomy_keeps_labels():
    taxonomy = load_taxonomy("labels")
    assert taxonomy.is_open
    assert taxonomy.genre_of(" Trot ") == "Trot"
    assert taxonomy.order(["b", "a", "b"]) == ["a", "b"]


def test_a_label_of_two_genres_is_refused():
    with pytest.raises(ConfigError, match="maps the label 'X' to a and to b"):
        Taxonomy("t", ("a", "b"), {"a": ("x",), "b": ("X",)})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("genres: []\n", "lists no genres"),
        ("genres: [a]\nlabels: {b: [x]}\n", "'b', which is not among the genres"),
        ("genres: [a]\nlabels: {a: x}\n", "are a list"),
        ("genre: [a]\n", "genres and labels"),
    ],
)
def test_a_broken_taxonomy_file_is_refused(tmp_path, text, reason):
    path = tmp_path / "t.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=reason):
        load_taxonomy(str(path))


def test_an_unknown_name_gets_a_hint():
    with pytest.raises(ConfigError, match="did you mean meta-genre"):
        load_taxonomy("metagenre")


def test_it_survives_being_data():
    taxonomy = load_taxonomy("folk-as-blues")
    again = Taxonomy.from_dict(taxonomy.to_dict())
    assert again.genre_of("Folk") == "Blues-like"
    assert again.to_dict() == taxonomy.to_dict()
