import pandas as pd
import pytest

from genrescope.report.ladders import ladder_sentences, largest_taken_apart

COLUMNS = ["name", "score", "drop", "drop_low", "drop_high"]


def ladder(total, *, rest=(0.1, -0.1, 0.3), padding=(0.3, 0.2, 0.4)):
    rows = [("artists never seen", 0.8, None, None, None), ("padding", 0.5, *padding)]
    rows += [("what remains", 0.4, *rest), ("in all", 0.4, *total)]
    return pd.DataFrame(rows, columns=COLUMNS)


def test_a_drop_that_may_be_chance_is_not_shared_out():
    (said,) = ladder_sentences(ladder((0.4, -0.1, 0.9)))
    assert "not beyond chance" in said


@pytest.mark.parametrize(
    ("padding", "word"),
    [((0.3, 0.2, 0.4), "Beyond chance: padding"), ((0.3, -0.1, 0.4), "No step by itself")],
)
def test_only_steps_beyond_chance_are_named(padding, word):
    said = ladder_sentences(ladder((0.4, 0.3, 0.5), padding=padding))
    assert any(word in sentence for sentence in said)


def test_a_step_against_the_drop_is_named_as_such():
    said = ladder_sentences(ladder((0.4, 0.3, 0.5), padding=(-0.2, -0.3, -0.1)))
    assert any("Against the drop: padding" in sentence for sentence in said)


def test_what_remains_says_whether_it_could_be_nothing():
    unsure, sure = (
        ladder_sentences(ladder((0.4, 0.3, 0.5), rest=rest))[-1]
        for rest in ((0.1, -0.1, 0.3), (0.1, 0.05, 0.3))
    )
    assert "could be nothing" in unsure and "could be nothing" not in sure


def test_the_lead_is_of_the_largest_drop():
    names = {"model": ["forest", "cnn"], "source": "a", "target": "b"}
    drops = pd.DataFrame({**names, "drop": [0.1, 0.3], "verdict": "positive"})
    exhibits = [
        {"model": model, "source": "a", "target": "b", "sentences": [model], "rows": [{"n": 7}]}
        for model in ("forest", "cnn")
    ]
    assert largest_taken_apart(exhibits, drops) == "Step by step, on 7 clips of a: cnn"
    assert largest_taken_apart(exhibits[:1], drops) == ""
    assert largest_taken_apart(exhibits, drops.assign(verdict="untested")) == ""
