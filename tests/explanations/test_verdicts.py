from functools import partial
from itertools import product

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

torch = pytest.importorskip("torch")

from genrescope.evaluation.paired import grouped_mean  # noqa: E402
from genrescope.evaluation.significance import holm  # noqa: E402
from genrescope.explanations.faithfulness import (  # noqa: E402
    MEASURES,
    deletion_insertion,
    faithfulness,
)
from genrescope.explanations.maps import explain_maps, reference_maps  # noqa: E402
from genrescope.explanations.sanity import LAYERS, randomisation  # noqa: E402
from genrescope.explanations.verdicts import (  # noqa: E402
    MapQuality,
    compare_maps,
    measure,
    quality_table,
    verdicts,
)
from genrescope.models.network import GenreNetwork  # noqa: E402

REFERENCES = ["random", "centre", "energy"]
NAMES = ["occlusion", "grad_cam", *REFERENCES]
HALF, GOOD = ({"deletion": deletion, "insertion": 1 - deletion} for deletion in (0.5, 0.2))


def quality(n_groups=12, *, per_group=2, correlation=0.05, **figures):
    """Figures of 0.5 where not given, and a ripple over groups that evens out within genres."""
    n = n_groups * per_group
    who = pd.DataFrame({"clip_id": [f"clip {i}" for i in range(n)]})
    who["group"] = [f"group {i // per_group}" for i in range(n)]
    who["genre"] = ["Jazz", "Rock"] * (n // 2) + ["Jazz"] * (n % 2)
    ripple = np.where(np.arange(n) // per_group // 2 % 2, 0.01, -0.01)
    clips, randomised = [], []
    for name in NAMES:
        table = who.assign(method=name, **dict.fromkeys(MEASURES, 0.1))
        for figure, mean in {**HALF, **figures.get(name, {})}.items():
            table[figure] = mean + ripple * (1 if name in REFERENCES else 2)
        clips.append(table.assign(sensitivity=np.nan if name in REFERENCES else 0.2))
    for name, layer, draw in product(NAMES[:2], LAYERS, range(2)):
        value = 0.9 if layer != LAYERS[-1] else correlation + 0.01 * (2 * draw - 1)
        randomised.append(who.assign(method=name, layer=layer, draw=draw, correlation=value))
    tables = (pd.concat(rows, ignore_index=True) for rows in (clips, randomised))
    return MapQuality(*tables, pd.DataFrame())


def said(found, method="occlusion", genres=()):
    table = verdicts(quality_table(found, genres), compare_maps(found, genres))
    (row,) = table[(table["genre"] == "all") & (table["method"] == method)].to_dict("records")
    return row["verdict"], row["sentence"]


LEARNED = "it rests on what the network learned (rank correlation 0.05 with the maps of random"
LEARNED += " networks) (24 clips of 12 groups)."


def test_better_than_every_reference_holds():
    words = "Better than random, centre and energy maps in deletion and in insertion; "
    assert said(quality(occlusion=GOOD)) == ("holds", words + LEARNED)
    for n_groups in (8, 30):  # the fewest that can decide; flips drawn rather than counted
        assert said(quality(n_groups, per_group=1, occlusion=GOOD))[0] == "holds"
    words = "Not shown to be better than any map that knows nothing of the model; "
    assert said(quality(occlusion=GOOD), method="grad_cam") == ("fails", words + LEARNED)


ALL = "random ({0}), centre ({0}) and energy ({0})"
BOTH = "(deletion, insertion)"


@pytest.mark.parametrize(
    ("verdict", "figures", "words"),
    [
        (
            "partly",
            {"occlusion": {"deletion": 0.2}},
            f"Better than {ALL.format('deletion')}; not shown to be better than "
            f"{ALL.format('insertion')}; ",
        ),
        (
            "partly",
            {"occlusion": GOOD, "energy": GOOD},
            f"Better than random {BOTH} and centre {BOTH}; "
            f"not shown to be better than energy {BOTH}; ",
        ),
        (
            "fails",
            {"occlusion": GOOD, "centre": {"deletion": 0.2, "insertion": 0.9}},
            f"Better than random {BOTH} and energy {BOTH}; not shown to be better than centre "
            "(deletion); worse than centre (insertion); ",
        ),
        (
            "fails",
            {"random": {"insertion": 0.4}, "centre": {"deletion": 0.3}, "energy": GOOD},
            "Better than random (insertion); not shown to be better than random (deletion) and "
            f"centre (insertion); worse than centre (deletion) and energy {BOTH}; ",
        ),
        (
            "fails",
            {"occlusion": {"deletion": 0.8, "insertion": 0.2}},
            "Not shown to be better than any map that knows nothing of the model; worse than "
            f"{ALL.format('deletion, insertion')}; ",
        ),
    ],
)
def test_the_sentence_names_what_the_method_beat_and_what_it_did_not(verdict, figures, words):
    assert said(quality(**figures)) == (verdict, words + LEARNED)


@pytest.mark.parametrize(
    ("correlation", "verdict"), [(-0.19, "holds"), (0.19, "holds"), (0.21, "partly"), (1, "partly")]
)
def test_a_map_that_random_networks_give_too_does_not_hold(correlation, verdict):
    found, sentence = said(quality(correlation=correlation, occlusion=GOOD))
    assert found == verdict and f"(rank correlation {correlation:.2f}" in sentence
    assert ("shows the clip as well as the model" in sentence) == (verdict == "partly")
    assert ("rests on what the network learned" in sentence) == (verdict == "holds")
    assert said(quality(correlation=correlation))[0] == "fails"


def test_few_groups_decide_nothing_however_many_clips():
    for n, many, who in ((5, 20, "100 clips of 5 groups"), (1, 1, "1 clip of 1 group")):
        words = f"{who}: too few to tell it from a map that knows nothing."
        assert said(quality(n, per_group=many, occlusion=GOOD)) == ("undecided", words)


@pytest.mark.parametrize("n_groups", [6, 7])
def test_a_method_cannot_fail_where_no_method_could_hold(n_groups):
    assert said(quality(n_groups, per_group=1, occlusion=GOOD))[0] != "fails"


def test_every_genre_has_its_verdict_in_display_order():
    found = quality(n_groups=24, per_group=1, occlusion=GOOD)
    theirs = (found.clips["genre"] == "Rock") & (found.clips["method"] == "occlusion")
    found.clips.loc[theirs, ["deletion", "insertion"]] += [0.3, -0.3]  # as the references
    genres = ["Rock", "Folk", "Jazz"]  # no clip is explained for Folk
    table = verdicts(quality_table(found, genres), compare_maps(found, genres))
    keys = list(zip(table["genre"], table["method"], strict=True))
    assert keys == list(product(["all", "Rock", "Jazz"], ["occlusion", "grad_cam"]))
    assert table["verdict"].tolist() == ["holds", "fails", "fails", "fails", "holds", "fails"]
    ends = [f"({n} clips of {n} groups)." for n in (24, 24, 12, 12, 12, 12)]
    assert all(map(str.endswith, table["sentence"], ends))


def drawn():
    found, rng = quality(), np.random.default_rng(0)
    found.clips[MEASURES] = rng.normal(size=(len(found.clips), len(MEASURES)))
    found.randomised["correlation"] = rng.normal(size=len(found.randomised))
    return found


def rows_of(table, method, genre="all"):
    found = table[(table["method"] == method) & ((genre == "all") | (table["genre"] == genre))]
    return found.set_index("clip_id")


def test_figures_are_means_over_clips_with_intervals_over_groups():
    clips = (found := drawn()).clips
    holes = (clips["method"] == "occlusion") & clips["group"].isin(["group 0", "group 3"])
    clips.loc[holes, "complexity"] = np.nan
    table = quality_table(found, ["Rock", "Jazz"], seed=4)
    plain = table[~table["measure"].str.startswith("randomised")]
    assert len(plain) == 3 * (5 * len(MEASURES) + 2)  # references have no sensitivity
    for row in plain.itertuples():
        own = rows_of(clips, row.method, row.genre).dropna(subset=[row.measure])
        expected = grouped_mean(own[row.measure], own["group"], seed=4)
        assert row.value == pytest.approx(own[row.measure].mean())
        assert (row.low, row.high) == (expected.low, expected.high)
        assert (row.n, row.n_groups) == (len(own), own["group"].nunique())
    few = plain.query("genre == 'all' and n < 24")[["method", "measure", "n", "n_groups"]]
    assert few.to_numpy().tolist() == [["occlusion", "complexity", 20, 10]]


def test_a_clip_counts_once_however_many_networks_were_drawn():
    found = drawn()
    rows = found.randomised.query("clip_id != 'clip 1' or draw == 0")
    found = MapQuality(found.clips, rows, found.curves)
    table = quality_table(found, []).set_index(["method", "measure"])
    for (name, layer), own in rows.groupby(["method", "layer"]):
        means = own.groupby("clip_id")["correlation"].mean()
        value, low, high, *n = table.loc[(name, f"randomised_{layer}"), "value":]
        assert value == pytest.approx(means.mean()) and low < value < high and n == [24, 12]


def test_comparisons_are_of_the_same_clips_and_above_0_in_the_methods_favour():
    found = drawn()
    clips = found.clips.sample(frac=1, random_state=0)  # rows in any order
    table = compare_maps(MapQuality(clips, found.randomised, found.curves), ["Jazz"], seed=2)
    assert len(table.drop_duplicates(["genre", "method", "reference", "measure"])) == 2 * 2 * 3 * 2
    for row in table.itertuples():
        own, other = (rows_of(found.clips, name, row.genre) for name in (row.method, row.reference))
        gains = (own[row.measure] - other[row.measure]) * (-1 if row.measure == "deletion" else 1)
        expected = grouped_mean(gains, own["group"], seed=2)
        assert (row.value, row.p_value) == pytest.approx((gains.mean(), expected.p_value))
        assert (row.low, row.high) == pytest.approx((expected.low, expected.high))
        assert (row.n, row.n_groups) == (len(own), 12)
    for _, family in table.groupby(["genre", "method"]):
        assert family["p_adjusted"].tolist() == holm(family["p_value"]).tolist()


class Model:
    kind = "cnn"
    classes_ = np.array(["Jazz", "Rock"])

    def __init__(self, x):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.network_ = GenreNetwork(2, n_mels=16).eval()
        self.network_.mean -= 40.0
        self.network_.output.bias.data -= self.network_(torch.from_numpy(x)).detach().mean(dim=0)

    def predict(self, x):
        return self.classes_[self.network_(torch.from_numpy(x)).argmax(dim=1).numpy()]


@threadpool_limits.wrap(limits=1)  # small pictures: threads would only wait for each other
def test_measuring_puts_each_figure_beside_its_clip():
    x = np.random.default_rng(3).normal(-40, 12, (4, 16, 16)).astype(np.float32)
    model, done = Model(x), []
    clips = pd.DataFrame({"group": list("baac")}, index=pd.Index(list("wxyz"), name="clip_id"))
    who = clips.assign(genre=model.predict(x).astype(object))
    predicted = who["genre"].tolist()
    assert len(set(predicted)) == 2, "the case needs clips of both genres"
    found = measure(model, x, clips, seed=1, on_maps=done.append)
    assert done == [4] * 5
    maps = reference_maps(x, seed=1)
    maps |= {name: explain_maps(name, model, x, target=predicted) for name in NAMES[:2]}
    for name in NAMES:
        own = rows_of(found.clips, name)
        pd.testing.assert_frame_equal(own[["group", "genre"]], who)
        curves = deletion_insertion(model, x, maps[name], target=predicted, seed=1)
        expected = faithfulness(model, x, maps[name], target=predicted, curves=curves)
        np.testing.assert_allclose(own[MEASURES], expected)
        assert own["sensitivity"].isna().all() == (name in REFERENCES)
        means = np.stack([curves.share, *(curve.mean(axis=0) for curve in curves[1:])], axis=1)
        own = found.curves[found.curves["method"] == name]
        np.testing.assert_allclose(own[["share", "deletion", "insertion"]], means)
    for name in NAMES[:2]:
        own = rows_of(found.randomised, name)
        random = randomisation(model, x, partial(explain_maps, name, target=predicted), seed=1)
        pd.testing.assert_frame_equal(own[["group", "genre"]], who.iloc[random["clip"]])
        np.testing.assert_allclose(own["correlation"], random["correlation"])
