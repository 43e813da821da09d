import numpy as np
import pandas as pd
import pytest

from genrescope.figures import png_bytes, waterfall_figure
from genrescope.figures.decomposition import GAINED, LOST, PALE, STEP_COLUMNS


def steps(*rows):
    return pd.DataFrame(rows, columns=list(STEP_COLUMNS))


@pytest.fixture
def three():
    nan = np.nan
    return steps(
        ("start", 0.8, 0.7, 0.9, nan, nan, nan),
        ("worse", 0.6, 0.5, 0.7, 0.2, 0.1, 0.3),
        ("better", 0.65, nan, nan, -0.05, -0.15, 0.05),
        ("end", 0.65, 0.6, 0.7, nan, nan, nan),
    )


def test_bars_run_from_the_score_before_to_the_score_after(three):
    bars = waterfall_figure(three).axes[0].patches
    spans = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in bars]
    np.testing.assert_allclose(spans, [(0.8, 0.6), (0.6, 0.65)])
    assert [bar.get_facecolor()[3] for bar in bars] == [1, PALE]


def test_losses_and_gains_differ_in_sign_and_colour(three):
    from matplotlib.colors import to_rgb

    axes = waterfall_figure(three).axes[0]
    assert [bar.get_facecolor()[:3] for bar in axes.patches] == [to_rgb(LOST), to_rgb(GAINED)]
    texts = [text.get_text() for text in axes.texts]
    assert texts == [".80 [.70, .90]", "−.20 [−.30, −.10]", "+.05 [−.05, .15]", ".65 [.60, .70]"]
    assert [label.get_text() for label in axes.get_yticklabels()] == three["name"].tolist()


def test_the_axis_shows_every_interval_and_never_less_than_a_tenth(three):
    low, high = waterfall_figure(three).axes[0].get_xlim()
    assert low < 0.5 and high > 0.9
    small = three.iloc[:1].assign(low=0.8, high=0.8)
    low, high = waterfall_figure(small).axes[0].get_xlim()
    assert high - low >= 0.1
    assert png_bytes(waterfall_figure(three, title="t", subtitle="s"), dpi=40)


def test_a_start_is_needed(three):
    with pytest.raises(ValueError, match="start"):
        waterfall_figure(three.iloc[1:])
    with pytest.raises(ValueError, match="drop_low"):
        waterfall_figure(three.drop(columns="drop_low"))
