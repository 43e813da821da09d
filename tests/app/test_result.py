import itertools
import re
from dataclasses import replace
from importlib import resources

import numpy as np
import pandas as pd
import pytest
from contrast import contrast, mixed

from genrescope.app.result import render_result, shown_runs
from genrescope.app.texts import page_texts
from genrescope.app.view import ExplanationView, FeatureRow, InWords
from genrescope.explanations.words import Region, languages
from genrescope.figures.style import OKABE_ITO
from genrescope.models.doubt import Doubt
from genrescope.models.predictor import FilePrediction
from genrescope.report.templating import palette

GENRES = ("Blues-like", "HipHop/Rap", "Rock/Metal")
HOSTILE = '<script>alert("x")</script>&\'{{ 7*7 }}'


def answered(*rows, starts=None, duration_s=None, doubt=None):
    windows = pd.DataFrame(rows, columns=list(GENRES))
    mean = windows.mean()
    windows.insert(0, "genre", windows.idxmax(axis=1))
    windows.insert(0, "start_s", starts or [5.0 * k for k in range(len(rows))])
    return FilePrediction(
        path="x", duration_s=duration_s or 5.0 * len(rows), windows=windows, probabilities=mean,
        genre=str(mean.idxmax()), doubt=doubt,
    )  # fmt: skip


@pytest.fixture
def answers():
    doubt = Doubt(("Blues-like", "Rock/Metal"), 0.9, 0.4, False)
    return {
        "forest": answered([0.2, 0.1, 0.7], [0.5, 0.1, 0.4], [0.1, 0.1, 0.8], doubt=doubt),
        "cnn": answered([0.6, 0.3, 0.1], duration_s=15.0),
    }


@pytest.fixture
def view():
    said = {
        code: InWords(
            sentences=(f"{code} outcome.", HOSTILE),
            bars=(("timbre", 0.75), ("rhythm", -0.25)),
            features=(FeatureRow("tempo", 120.0, "BPM", -0.25),),
        )
        for code in languages()
    }
    return ExplanationView(
        target="Rock/Metal", start_s=10.0, end_s=15.0, short=False, seconds=5.0,
        hertz={250: 0.9, 8000: 0.1}, shape=(128, 128), spectrogram=b"png", has_map=True,
        overlay=b"map", contour="M0 0L1 1", regions=(Region(1.0, 2.0, 250, 700, 0.539),),
        sounds={"clip": b"a", "kept": b"b", "left_out": b"c"}, unit="log-odds", words=said,
    )  # fmt: skip


def words(html):
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def render(answers, model="forest", view=None, *, name="a.wav", language="en", **options):
    return render_result(answers, model, view, name=name, language=language, **options)


@pytest.mark.parametrize("language", languages())
def test_everything_is_said_in_every_language(answers, view, language):
    html = render(answers, view=view, language=language, synthetic=True)
    assert f'lang="{language}"' in html
    text = words(html)
    assert f"{language} outcome." in text
    assert not re.search(r"\{\w*\}|None|nan", text)
    other = page_texts("ko" if language == "en" else "en")
    for place in ("doubt", "why", "when", "models"):
        assert other[place]["title"] not in text
    for number in (".27", ".10", ".63", "+0.75", "−0.25", "120 BPM", "53%", "250–700"):
        assert number in text, number


def test_every_picture_has_words_and_every_table_a_name(answers, view):
    html = render(answers, view=view)
    alts = re.findall(r'<img [^>]*alt="([^"]*)"', html)
    assert len(alts) == 2 and len(alts[0]) > 60 and alts[1] == ""  # one is laid over the other
    assert "en outcome." in alts[0]
    for table in re.split("<table", html)[1:]:
        assert "aria-label" in table.split(">")[0] or "<caption>" in table
    assert re.search(r'<svg [^>]*role="img" aria-label="[^"]{40,}"', html)
    assert len(re.findall("<audio", html)) == 3


def test_what_came_from_outside_is_text(answers, view):
    hostile = {HOSTILE: answers["forest"], "cnn": answers["cnn"]}
    html = render(hostile, model=HOSTILE, view=view, name=HOSTILE)
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 4
    assert "{{ 7*7 }}" in html


@pytest.mark.parametrize(
    ("doubt", "said", "unsaid"),
    [
        (None, "without figures", "like it"),
        (Doubt(("Rock/Metal",), 0.9, 0.4, False), "One genre: Rock/Metal. Of", "could be Blues"),
        (Doubt(GENRES, 0.9, 0.4, False), "any of its genres", "One genre"),
        (Doubt(GENRES[:2], 0.9, 0.4, False), "could be Blues-like or HipHop/Rap.", "any of"),
        (Doubt(GENRES[:2], 0.8, 0.4, False), "80 in 100", "90 in 100"),
        (Doubt(GENRES[:1], 0.9, 0.999, True), "do not rely on the label", "One genre"),
        (Doubt(GENRES[:1], 0.9, 0.999, True), "99% of the recordings", "100%"),
        (Doubt(GENRES, 0.9, 0.4, False, enough=False), "Too few recordings", "any of"),
        (Doubt(GENRES[:1], 0.9, 0.9, False, features=("tempo",)), "most in: tempo.", "rely"),
    ],
)
def test_doubt_in_words(answers, doubt, said, unsaid):
    one = {"forest": replace(answers["forest"], doubt=doubt)}
    text = words(render(one))
    assert said in text and unsaid not in text


def test_a_set_of_one_is_not_called_sure_where_the_model_is_undecided():
    doubt = Doubt(("Rock/Metal",), 0.9, 0.4, False)
    assert "undecided all the same" in words(
        render({"cnn": answered([0.3, 0.3, 0.4], doubt=doubt)}, "cnn")
    )
    assert "undecided" not in words(render({"cnn": answered([0.2, 0.2, 0.6], doubt=doubt)}, "cnn"))


def test_stretches_of_one_genre_are_brought_together():
    rows = [[0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.1, 0.1, 0.8], [0.8, 0.1, 0.1]]
    runs = shown_runs(answered(*rows, starts=[0, 5, 10, 20], duration_s=27.0))
    assert [(run["start_s"], run["end_s"], run["genre"]) for run in runs] == [
        (0, 10, "Blues-like"), (10, 15, "Rock/Metal"), (20, 25, "Blues-like"),
    ]  # fmt: skip
    assert runs[0]["probability"] == pytest.approx(0.65)


def test_the_timeline_covers_a_long_sound_in_columns_that_add_up_to_one():
    rows = np.random.default_rng(0).dirichlet([1, 1, 1], size=700)
    html = render({"forest": answered(*rows.tolist())})
    columns = re.findall(r'<rect x="([\d.]+)" width="([\d.]+)" y="[\d.]+" height="([\d.]+)"', html)
    assert len(columns) == 3 * 120
    found = pd.DataFrame(columns, dtype=float, columns=["x", "width", "height"])
    np.testing.assert_allclose(found.groupby("x")["height"].sum(), 1, atol=0.003)
    ends = found.drop_duplicates("x")
    np.testing.assert_allclose((ends["x"] + ends["width"])[:-1], ends["x"][1:], atol=0.01)
    assert "<rect" not in render({"forest": answered(rows[0])})


def colours():
    for block in re.findall(r":root \{([^}]*)\}", palette()):
        found = dict(re.findall(r"--([\w-]+): #(\w+)", block))
        yield {k: f"#{v if len(v) == 6 else ''.join(2 * c for c in v)}" for k, v in found.items()}


def test_text_stands_out_from_every_ground_by_light_and_by_dark():
    light, dark = colours()
    assert contrast("#000", "#fff") == 21
    css = resources.files("genrescope.app").joinpath("templates", "page.css").read_text()
    share = int(re.search(r"var\(--c\) (\d+)%", css)[1]) / 100
    for shades in (light, dark):
        inks, grounds = ("ink", "muted", "accent"), ("paper", "card", "soft", "warn")
        for ink, ground in itertools.product(inks, grounds):
            assert contrast(shades[ink], shades[ground]) >= 4.5, (ink, ground)
        for genre in OKABE_ITO.values():
            assert contrast(shades["ink"], mixed(share, genre, shades["card"])) >= 4.5
        assert contrast("#1a1d21", shades["warn-edge"]) >= 4.5  # the word SYNTHETIC
