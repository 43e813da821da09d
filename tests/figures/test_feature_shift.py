import numpy as np
import pandas as pd
import pytest

from genrescope.figures import feature_shift_figure, png_bytes


@pytest.fixture
def table():
    importance = np.linspace(0.03, 0.01, 12)
    return pd.DataFrame(
        {
            "feature": [f"feature_{place}" for place in range(12)],
            "family": ["timbre", "rhythm"] * 6,
            "importance": importance,
            "distance": np.linspace(1.0, 0.1, 12),
            "floor": 0.5,
            "moved": np.linspace(1.0, 0.1, 12) > 0.5,
        }
    )


def test_every_feature_is_a_mark_and_those_that_did_not_move_are_hollow(table):
    axes = feature_shift_figure(table).axes[0]
    drawn = [marks for marks in axes.collections if len(marks.get_offsets())]
    places = np.concatenate([marks.get_offsets() for marks in drawn])
    expected = table.sort_values("family", ascending=False, kind="stable")
    assert {tuple(row) for row in places.round(9)} == {
        tuple(row) for row in expected[["distance", "importance"]].to_numpy().round(9)
    }
    filled = sum(int((marks.get_facecolors()[:, 3] > 0).sum()) for marks in drawn)
    assert filled == table["moved"].sum()
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names[:2] == ["timbre", "rhythm"]


def test_the_most_important_are_named_and_names_do_not_touch(table):
    crowded = table.assign(distance=0.5, importance=0.02 + table["importance"] / 1000)
    axes = feature_shift_figure(crowded, labelled=5).axes[0]
    assert [text.get_text() for text in axes.texts] == [f"feature_{place}" for place in range(5)]
    heights = [text.get_position()[1] for text in axes.texts]
    assert (np.diff(heights) < 0).all()
    assert np.abs(np.diff(heights)).min() > 0.02 * axes.get_ylim()[1]
    assert png_bytes(feature_shift_figure(crowded, title="t", subtitle="s"), dpi=40)


def test_a_missing_column_is_named(table):
    with pytest.raises(ValueError, match="moved"):
        feature_shift_figure(table.drop(columns="moved"))
