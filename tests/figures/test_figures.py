import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib import rcParams

from genrescope.errors import OutputError
from genrescope.evaluation.calibration import calibrate
from genrescope.features.mel import mel_from_hz
from genrescope.figures import (
    confusion_figure,
    drop_figure,
    explained_figure,
    faithfulness_figure,
    genre_colours,
    png_bytes,
    reliability_figure,
    save_figure,
    shap_figure,
    training_curve_figure,
)
from genrescope.figures.explained import wrapped
from genrescope.figures.maps import mel_position
from genrescope.figures.style import OKABE_ITO, number, readable

GENRES = ["Blues-like", "HipHop/Rap", "Pop/Dance/RnB", "Rock/Metal"]


def table() -> pd.DataFrame:
    return pd.DataFrame(
        [[8, 1, 0, 1], [0, 5, 5, 0], [0, 0, 0, 0], [1, 1, 1, 17]], index=GENRES, columns=GENRES
    )


def test_a_genre_keeps_its_colour_whoever_stands_beside_it():
    alone = genre_colours(["Rock/Metal"])["Rock/Metal"]
    among = genre_colours(["Jazz", "Rock/Metal", "Blues-like"])
    assert alone == among["Rock/Metal"] == OKABE_ITO["vermillion"]
    assert len(set(among.values())) == 3


def test_more_genres_than_colours_still_get_one():
    names = [f"genre {place}" for place in range(12)]
    colours = genre_colours(names)
    assert list(colours) == names
    assert set(colours.values()) == set(OKABE_ITO.values())


def test_confusion_shows_counts_and_shares_of_the_true_genre():
    axes = confusion_figure(table(), title="t").axes[0]
    texts = [text.get_text() for text in axes.texts]
    assert texts.count("17") == 1
    assert "80%" in texts and "85%" in texts
    # A genre without clips has counts of zero and no shares.
    assert len(texts) == 16 + 12
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels[2] == "Pop/Dance/RnB\nn = 0"


def test_figures_leave_matplotlib_as_they_found_it():
    before = dict(rcParams)
    png_bytes(confusion_figure(table(), title="t", subtitle="s"), dpi=40)
    assert dict(rcParams) == before
    assert plt.get_fignums() == []


def test_the_same_figure_gives_the_same_bytes():
    first, second = (png_bytes(confusion_figure(table(), title="t"), dpi=50) for _ in range(2))
    assert first == second


def test_hangul_and_unknown_characters_draw_without_warnings():
    frame = table().rename(
        index={"Blues-like": "포크/블루스"}, columns={"Blues-like": "포크/블루스"}
    )
    assert png_bytes(confusion_figure(frame, title="케이팝 \U0001fae8 $x$"), dpi=40)


def test_without_a_hangul_font_syllables_are_romanised(monkeypatch):
    from genrescope.figures import style

    monkeypatch.setattr(style, "_has_glyph", lambda character: ord(character) < 128)
    assert readable("국악 rock") == "gugag rock"


def test_save_figure_names_a_folder_that_cannot_be_written(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(OutputError):
        save_figure(confusion_figure(table()), blocked / "figure.png", dpi=20)


def test_mel_axis_agrees_with_the_bands_of_a_filterbank():
    # Band k of 128 is centred at the (k + 1)-th of 130 points equally spaced in mels.
    mels = np.linspace(0, float(mel_from_hz(11025)), 130)
    knee, step = 1000.0, np.log(6.4) / 27
    hertz = np.where(mels < 15, mels * 200 / 3, knee * np.exp(step * (mels - 15)))
    places = mel_position(hertz[1:-1], n_mels=128, sample_rate=22050)
    np.testing.assert_allclose(places, np.arange(128), atol=1e-9)


def drawn(log_mel, maps, **changes):
    arguments = {
        "waveform": np.sin(np.arange(110250) / 50),
        "beats_s": np.array([0.5, 1.5, 7.0]),
        "bars": pd.Series({"timbre": 0.4, "dynamics": -0.2}, name="log-odds"),
        "probabilities": pd.Series([0.1, 0.2, 0.0, 0.7], index=GENRES),
        "target": "Rock/Metal",
    }
    return explained_figure(log_mel, maps, **(arguments | changes))


def test_an_explained_clip_shows_its_bars_beats_and_probabilities():
    figure = drawn(np.zeros((128, 128)), {}, title="song.mp3", sentences=["Heard.", "Why."])
    spectrogram, wave, bars, chances = figure.axes
    assert [text.get_text() for text in figure.texts] == ["song.mp3", "Heard. Why."]
    assert len(spectrogram.images) == 1
    assert sorted(line.get_xdata()[0] for line in wave.lines) == [0.5, 1.5]
    assert [bar.get_width() for bar in bars.patches] == [0.4, -0.2]
    assert [text.get_text() for text in bars.texts] == ["+0.40", "−0.20"]
    assert bars.patches[0].get_facecolor() != bars.patches[1].get_facecolor()
    assert [text.get_text() for text in chances.texts] == [".10", ".20", ".00", ".70"]
    weights = [label.get_fontweight() for label in chances.get_yticklabels()]
    assert weights == ["normal"] * 3 + ["bold"]


def test_a_clip_without_a_pulse_has_no_beats():
    figure = drawn(np.zeros((128, 128)), {}, beats_s=np.array([]))
    assert figure.axes[1].get_title(loc="left") == "waveform (no clear beat)"
    assert not figure.axes[1].lines


@pytest.mark.parametrize("hangul", [True, False])
def test_wide_and_romanised_words_are_wrapped_by_what_is_drawn(monkeypatch, hangul):
    has_glyph = lambda c: hangul or not "가" <= c <= "힣"  # noqa: E731
    monkeypatch.setattr("genrescope.figures.style._has_glyph", has_glyph)
    assert wrapped("하나 둘 셋", 8) == ["하나 둘", "셋"]
    assert wrapped("뒷받침하는 것은", 15) == (
        ["뒷받침하는 것은"] if hangul else ["뒷받침하는", "것은"]
    )


def test_faithfulness_curves_are_those_of_the_table():
    share = np.linspace(0, 1, 5)
    table = pd.concat(
        pd.DataFrame({"method": name, "share": share, "deletion": 1 - share, "insertion": share**2})
        for name in ("occlusion", "random")
    )
    deletion, insertion = faithfulness_figure(table).axes
    for line in deletion.lines:
        np.testing.assert_allclose(line.get_ydata(), 1 - share)
    assert [text.get_text() for text in insertion.get_legend().get_texts()] == [
        "occlusion",
        "random",
    ]


def test_a_map_draws_a_contour_only_where_there_is_a_map():
    log_mel = np.random.default_rng(0).normal(-40, 5, (128, 128))
    cam = np.zeros((128, 128))
    empty = drawn(log_mel, {"Grad-CAM": cam, "occlusion": cam - 1}).axes[1]
    assert "no positive evidence" in empty.texts[0].get_text()
    against = drawn(log_mel, {"Grad-CAM": cam, "occlusion": cam - 1}).axes[2]
    assert "occlusion" in against.get_title("left")
    assert "no positive evidence" in against.texts[0].get_text()
    assert len(empty.images) == 1
    cam[40:60, 30:70] = 0.02
    full = drawn(log_mel, {"Grad-CAM": cam}).axes[1]
    assert not full.texts
    assert len(full.images) == 3 and len(full.collections) == 1
    assert full.get_xlim() == (0, 5)
    veil, hue = (image.get_array() for image in full.images[1:])
    assert hue[50, 50, 3] > 0 and hue[0, 0, 3] == 0
    assert veil[0, 0, 3] > veil[50, 50, 3] == 0


def test_a_map_refuses_shapes_that_differ():
    with pytest.raises(ValueError, match="differ in shape"):
        drawn(np.zeros((128, 128)), {"Grad-CAM": np.zeros((16, 16))})


def test_shap_orders_features_and_keeps_the_strongest():
    values = np.arange(300.0).reshape(75, 4)
    names = [f"mfcc_mean_{place}" for place in range(75)]
    frame = pd.DataFrame(values, index=pd.Index(names, name="feature"), columns=GENRES)
    every = shap_figure(frame)
    assert len(every.axes[0].patches) == 75
    top = shap_figure(frame, top=3, scale="probability")
    assert [label.get_text() for label in top.axes[0].get_yticklabels()] == names[:-4:-1]
    assert [bar.get_width() for bar in top.axes[4].patches] == [299, 295, 291]
    titles = [axes.get_title(loc="left") for axes in top.axes[:5]]
    assert titles == ["all genres", *GENRES]


def test_shap_prints_words_beside_the_features_that_have_some():
    frame = pd.DataFrame({"feature": ["tempo", "x", "rms_std"], "Blues-like": [0.3, 0.2, 0.1]})

    def right(words):
        secondary = shap_figure(frame, words=words).axes[-1].child_axes
        return [label.get_text() for axes in secondary for label in axes.get_yticklabels()]

    assert right({"rms_std": "loudness", "tempo": "speed", "zcr": "noise"}) == [
        "speed",
        "",
        "loudness",
    ]
    assert right(None) == right({}) == right({"zcr": "noise"}) == []


def test_training_curve_marks_the_lowest_validation_loss():
    curve = pd.DataFrame(
        {
            "epoch": [1, 2, 3, 4],
            "train_loss": [1.0, 0.8, 0.6, 0.4],
            "validation_loss": [1.1, 0.9, 0.95, 1.2],
            "train_accuracy": [np.nan] * 4,
            "validation_accuracy": [0.3, 0.5, 0.5, 0.4],
        }
    )
    loss, accuracy = training_curve_figure(curve).axes
    assert loss.texts[0].get_text() == "lowest at epoch 2"
    assert len(accuracy.get_legend().get_texts()) == 1


def test_training_curve_without_validation_or_without_steps():
    only = pd.DataFrame(
        {"round": [1, 2], "train_loss": [1.0, 0.5], "validation_loss": [np.nan] * 2}
    )
    assert len(training_curve_figure(only).axes) == 1
    with pytest.raises(ValueError, match="epoch or round"):
        training_curve_figure(pd.DataFrame({"train_loss": [1.0]}))
    with pytest.raises(ValueError, match="train_loss"):
        training_curve_figure(pd.DataFrame({"epoch": [1]}))


def test_drop_figure_draws_a_row_per_model_in_a_panel_per_direction():
    row = {"in_domain": 0.8, "in_domain_low": 0.7, "in_domain_high": 0.9}
    row |= {"cross": 0.4, "cross_low": 0.3, "cross_high": 0.5, "guess": 0.25}
    pairs = [("a", "b"), ("b", "a")]
    drops = pd.DataFrame(
        [row | {"model": m, "source": s, "target": t} for s, t in pairs for m in ("forest", "cnn")]
    )
    figure = drop_figure(drops)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["a → b", "b → a"]
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["forest", "cnn"]


def test_reliability_shows_each_bin_with_its_clips_and_which_way_it_errs():
    frame = pd.DataFrame(
        {"seed": 0, "clip_id": list("abcdefgh"), "group": list("aabbccdd"), "predicted": "x",
         "genre": list("xxxxyyyx"), "x": [0.6] * 4 + [0.9] * 4}
    )  # fmt: skip
    frame["y"] = 1 - frame["x"]
    found = calibrate(frame, ["x", "y"], n_resamples=50)
    figure = reliability_figure({("→ a", "forest"): found, ("→ b", "cnn"): found})
    # A panel and its counts for each cell, none for the two pairs that are not there.
    assert len(figure.axes) == 4
    curve, counts = figure.axes[:2]
    assert curve.get_title(loc="left") == "forest → a"
    marks = {line.get_marker(): line for line in curve.lines if line.get_marker() in ("^", "v")}
    assert marks["^"].get_xydata().tolist() == [[pytest.approx(0.6), 1.0]]
    assert marks["v"].get_xydata().tolist() == [[pytest.approx(0.9), 0.25]]
    assert [text.get_text() for text in counts.texts] == ["4", "4"]
    assert f"ECE {number(found.ece)}" in curve.texts[0].get_text()
    assert "n = 8" in curve.texts[0].get_text()
