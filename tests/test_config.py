from pathlib import Path

import pytest

from genrescope.config import StudyConfig, load_config
from genrescope.errors import ConfigError
from genrescope.settings import nearest

MINIMAL = "name: a\ncorpora:\n  one: {format: folder, root: music}\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "study.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults_are_those_of_the_design(tmp_path):
    config = load_config(write(tmp_path, MINIMAL))
    assert list(config.models) == ["forest", "boosting", "cnn"]
    assert config.audio.fit == "loop"
    assert config.split.group == "artist"
    assert config.sources == config.targets == ("one",)


def test_several_corpora_are_also_joined(tmp_path):
    config = load_config(write(tmp_path, MINIMAL + "  two: {format: folder, root: ~/x}\n"))
    assert config.sources == ("one", "two", "one+two")
    assert config.corpora["one"].root == tmp_path / "music"
    assert config.corpora["two"].root == Path.home() / "x"


def test_options_of_a_format_are_kept_for_the_format(tmp_path):
    text = "name: a\ncorpora:\n  one: {format: gtzan, root: /m, segments: all, culture: Western}\n"
    corpus = load_config(write(tmp_path, text)).corpora["one"]
    assert corpus.options == {"segments": "all"}
    assert corpus.culture == "Western"


def test_environment_variables_in_paths(tmp_path, monkeypatch):
    text = MINIMAL.replace("root: music", "root: $SOME_MUSIC/x")
    monkeypatch.setenv("SOME_MUSIC", "/srv")
    assert load_config(write(tmp_path, text)).corpora["one"].root == Path("/srv/x")
    monkeypatch.delenv("SOME_MUSIC")
    with pytest.raises(ConfigError, match=r"\$SOME_MUSIC, which is not set"):
        load_config(write(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (MINIMAL + "modles: {}\n", "unknown key 'modles': did you mean models"),
        (MINIMAL + "audio: {fitt: loop}\n", "audio: unknown key 'fitt': did you mean fit"),
        (MINIMAL + "audio: {fit: stretch}\n", "audio.fit: .*loop"),
        (MINIMAL + "split: {train: 0.9}\n", "sum to"),
        (MINIMAL + "split: {seeds: [1, 1]}\n", "seeds repeat"),
        (MINIMAL + "models: {cnn: {seeds: 2}}\n", "models.cnn.seeds is 2, and split.seeds has 1"),
        (MINIMAL + "models: {cnn: {seeds: 0}}\n", "models.cnn.seeds"),
        (MINIMAL + "sources: [ane]\n", "'ane', which is no corpus: did you mean one"),
        (MINIMAL + "sources: [one+one]\n", "join a corpus to itself"),
        (MINIMAL + "  one: {format: gtzan}\n", "'one' is given twice in line 4"),
        ("name: a\ncorpora: {}\n", "corpora"),
        ("name: a/b\ncorpora:\n  one: {format: folder}\n", "name"),
        ("name: a\ncorpora:\n  on+e: {format: folder}\n", r"on\+e"),
        ("- 1\n", "not a mapping"),
        ("a: [\n", "line"),
        ("", "not a mapping"),
        (MINIMAL + "models: [forest]\n", "models"),
        (MINIMAL + "models: {forest: 5}\n", "models.forest"),
        ("name: !!python/object/apply:os.system [ls]\n", "constructor"),
        ("? [a]\n: 1\n", "not a plain word"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path, text, reason):
    path = write(tmp_path, text)
    with pytest.raises(ConfigError, match=reason) as caught:
        load_config(path)
    assert caught.value.path == str(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        load_config(tmp_path / "none.yaml")


def test_a_model_can_stand_twice_under_other_names():
    config = StudyConfig.parse(
        {
            "name": "a",
            "corpora": {"one": {"format": "folder"}},
            "models": {"forest": None, "small": {"kind": "forest", "n_estimators": 5}},
        }
    )
    assert {name: model.kind for name, model in config.models.items()} == {
        "forest": "forest",
        "small": "forest",
    }
    assert config.models["small"].params == {"n_estimators": 5}


def test_seeds_of_a_model_are_the_first_of_the_splits(tmp_path):
    text = MINIMAL + "models: {forest: , cnn: {epochs: 3, seeds: 2}}\nsplit: {seeds: [5, 1, 7]}\n"
    config = load_config(write(tmp_path, text))
    assert config.seeds_of("forest") == (5, 1, 7) and config.seeds_of("cnn") == (5, 1)
    assert config.models["cnn"].params == {"epochs": 3}


def test_nothing_known_is_said():
    assert nearest("x", []) == "known are none"
