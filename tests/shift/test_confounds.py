import pytest

from genrescope.corpora.recording import Recording
from genrescope.shift.confounds import CHANGES, Change, alterations, changes_between, instrument_of

MIXES = Recording(10, 5.0, -15.0, 9000.0, {})
LOOPS = Recording(10, 3.0, -20.0, 4000.0, {"bass": 0.25, "drums": 0.5, "strings": 0.25})


def by_name(changes):
    return {change.name: change for change in changes}


def test_corpora_alike_need_no_change():
    found = changes_between(MIXES, MIXES, fit="pad")
    assert not any(change.needed for change in found)
    assert all(change.note for change in found)


@pytest.mark.parametrize("fit", ["loop", "pad"])
def test_whichever_has_more_is_changed(fit):
    there, back = (
        by_name(changes_between(*pair, fit=fit)) for pair in ((MIXES, LOOPS), (LOOPS, MIXES))
    )
    for name in ("clip length", "band", "single instruments"):
        assert (there[name].side, back[name].side) == ("source", "target")
        assert dict(there[name].settings) == dict(back[name].settings)
    assert there["padding"].needed == (fit == "pad")
    assert there["level"].settings["gain_db"] == -back["level"].settings["gain_db"] == -5.0


def test_changes_are_cumulated():
    changes = changes_between(MIXES, LOOPS, fit="pad")
    made = alterations([str(n) for n in range(400)], changes)
    assert {one.seconds for one in made} == {3.0} and {one.how for one in made} == {"pad"}
    assert {one.highest_hz for one in made} == {4000.0} and {one.gain_db for one in made} == {-5.0}
    parts = [one.part for one in made]
    for part, share in {"bass": 0.25, "drums": 0.5, "harmonic": 0.25}.items():
        assert parts.count(part) / 400 == pytest.approx(share, abs=0.08)


def test_a_clip_keeps_its_instrument_whatever_the_others_are():
    shares = LOOPS.instruments
    drawn = [instrument_of(name, shares) for name in "abcdef"]
    assert drawn == [instrument_of(name, shares) for name in "abcdef"]
    assert alterations(["c"], [Change("x", instruments=shares)]) == [
        alterations(list("abc"), [Change("x", instruments=shares)])[2]
    ]


def test_every_change_is_named_in_order():
    assert [change.name for change in changes_between(MIXES, LOOPS, fit="pad")] == list(CHANGES)
