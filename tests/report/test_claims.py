import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import yaml
from paper_matrices import published
from paper_run import PAIRINGS, write_paper_run

from genrescope.errors import ConfigError
from genrescope.report.claims.checking import check_claims
from genrescope.report.claims.claims_file import load_claims
from genrescope.report.claims.text import claim_frame, render_claims
from genrescope.report.comparisons import verdict
from genrescope.report.paper import load_paper
from genrescope.report.run_directory import RunDirectory

PLACE = {"source": "gtzan", "target": "korean"}


@pytest.fixture(scope="session")
def paper_runs(tmp_path_factory):
    return {
        pairing: write_paper_run(tmp_path_factory.mktemp(pairing), pairing) for pairing in PAIRINGS
    }


@pytest.fixture
def check(paper_runs, tmp_path):
    """Outcomes of claims given as dictionaries, on the paper's numbers."""

    def checked(*claims, run=None, **top):
        path = tmp_path / "claims.yaml"
        path.write_text(yaml.safe_dump({"claims": [{"claim": "c"} | c for c in claims]} | top))
        return check_claims(RunDirectory.open(run or paper_runs["chance"]), load_claims(path))

    return checked


def test_matrices_have_the_papers_figures():
    paper = load_paper()
    for cell in paper["cells"]:
        counts = published()[cell["model"], cell["source"], cell["target"]]
        support, answers, right = counts.sum(axis=1), counts.sum(axis=0), np.diag(counts)
        assert support.tolist() == paper["support"][cell["target"]]
        f1 = 2 * right / (support + answers)
        precision = right / np.where(answers > 0, answers, 1)
        for name, found in (("recall", right / support), ("precision", precision), ("f1", f1)):
            np.testing.assert_allclose(found, cell[name], atol=6e-5)
        assert np.trace(counts) / counts.sum() == pytest.approx(cell["accuracy"], abs=6e-5)
        assert f1.mean() == pytest.approx(cell["macro_f1"], abs=6e-5)
        assert (f1 @ support) / cell["n"] == pytest.approx(cell["weighted_f1"], abs=6e-5)


@pytest.mark.parametrize("pairing", PAIRINGS)
def test_the_papers_false_claims_are_not_supported_by_its_own_numbers(paper_runs, pairing):
    outcomes = check_claims(RunDirectory.open(paper_runs[pairing]), load_claims())
    found = {outcome.claim.claim: outcome for outcome in outcomes}

    def of(words):
        (outcome,) = [outcome for claim, outcome in found.items() if words in claim]
        return outcome

    for words in (
        "the CNN better than the Random Forest",
        "XGBoost better than the CNN",
        "in every genre of GTZAN",
        "higher recall than precision",
        "loses most",
        "lowest recall",
        "rms_std",
    ):
        assert of(words).verdict != "supported", words
    assert of("carries over best").by_score() == {"F1": "supported", "recall": "contradicted"}
    assert of("do not carry over").verdict == "supported"
    # On which clips the two were right is not published, and it decides.
    lead = of("Within GTZAN, XGBoost is better than the Random Forest.").verdict
    assert lead == ("supported" if pairing == "most" else "not decidable")


def test_an_order_and_its_reverse_have_opposite_verdicts(check):
    models = ["forest", "boosting", "cnn"]
    order = {"kind": "order", **PLACE, "scores": ["accuracy", "kappa"]}
    there, back = check(order | {"models": models}, order | {"models": models[::-1]})
    assert len(there.comparisons) == len(back.comparisons) == 6
    opposite = {"positive": "negative", "negative": "positive", "undecided": "undecided"}
    mirrored = {
        (one.score, *sorted(one.what.split(", ")[0].split(" − "))): one for one in back.comparisons
    }
    for one in there.comparisons:
        other = mirrored[one.score, *sorted(one.what.split(", ")[0].split(" − "))]
        assert other.value == pytest.approx(-one.value)
        assert other.p_value == pytest.approx(one.p_value, abs=0.05)
        assert other.verdict == opposite[one.verdict]


def test_a_drop_is_held_against_its_bounds(check):
    drop = {"kind": "drop", **PLACE, "models": "forest", "scores": "accuracy"}
    fall = 61 / 90 - 857 / 3460
    bounds = [{}, {"at_least": 0.2}, {"at_least": 0.2, "at_most": 0.7}, {"at_most": 0.2}]
    bounds += [{"at_least": 0.6}, {"at_least": 0.42}]
    outcomes = check(*(drop | more for more in bounds))
    assert all(one.comparisons[0].value == pytest.approx(fall) for one in outcomes)
    verdicts = ["supported"] * 3 + ["contradicted"] * 2 + ["not decidable"]
    assert [outcome.verdict for outcome in outcomes] == verdicts
    assert outcomes[-1].reason == "the interval includes both"
    assert outcomes[0].comparisons[0].n == 90


def test_a_value_is_supported_only_where_the_interval_is_inside(check):
    value = {"kind": "value", **PLACE, "models": "cnn", "scores": "accuracy"}
    claims = [(0.205, 0.05), (0.205, 0.001), (0.5, 0.05), (0.15, 0.045)]
    outcomes = check(*(value | {"value": v, "within": w} for v, w in claims))
    verdicts = [outcome.verdict for outcome in outcomes]
    assert verdicts == ["supported", "not decidable", "contradicted", "not decidable"]
    # A share of 3,460 independent clips: the interval is the binomial's.
    one = outcomes[0].comparisons[0]
    assert one.value == pytest.approx(710 / 3460)
    spread = 1.96 * np.sqrt(one.value * (1 - one.value) / 3460)
    assert (one.low, one.high) == pytest.approx((one.value - spread, one.value + spread), abs=2e-3)


def test_equality_needs_a_margin_and_enough_clips(check):
    equal = {"kind": "equal", "models": ["forest", "boosting"], "scores": "accuracy"}
    away = equal | PLACE
    home = equal | {"source": "gtzan", "target": "gtzan"}
    outcomes = check(
        away | {"margin": 0.05}, away | {"margin": 0.01}, home | {"margin": 0.05},
        {"kind": "equal", **PLACE, "models": ["cnn"], "scores": "accuracy", "margin": 0.1,
         "home": {"source": "gtzan", "target": "gtzan"}},
    )  # fmt: skip
    verdicts = [outcome.verdict for outcome in outcomes]
    assert verdicts == ["supported", "not decidable", "not decidable", "contradicted"]


def test_guessing_beats_the_papers_models_abroad(check):
    above = {"kind": "above_guess", "source": "gtzan", "scores": ["accuracy", "macro_f1"]}
    abroad, at_home, one = check(
        above | {"target": "korean"},
        above | {"target": "gtzan"},
        above | {"target": "korean", "guess": "uniform", "scores": "kappa", "models": "boosting"},
    )
    assert abroad.by_score() == {"accuracy": "contradicted", "macro-F1": "contradicted"}
    assert at_home.verdict == "supported"
    majority = next(c for c in abroad.comparisons if "forest" in c.what and "majority" in c.what)
    assert majority.value == pytest.approx(857 / 3460 - 1932 / 3460)
    # Kappa of any guess is 0.
    counts = published()["boosting", "gtzan", "korean"]
    chance = (counts.sum(axis=0) @ counts.sum(axis=1)) / 3460**2
    expected = (np.trace(counts) / 3460 - chance) / (1 - chance)
    assert one.comparisons[0].value == pytest.approx(expected)


def test_scores_of_genres_and_within_a_cell(check):
    outcomes = check(
        {"kind": "higher", **PLACE, "models": "cnn", "score": "recall", "than": "precision",
         "genres": ["Blues-like", "Pop/Dance/RnB"]},
        {"kind": "best_genre", **PLACE, "models": "cnn", "genre": "Blues-like", "scores": "recall"},
        {"kind": "worst_genre", **PLACE, "models": "boosting", "genre": "Rock/Metal"},
        {"kind": "value", **PLACE, "models": "boosting", "scores": "recall",
         "genres": "Pop/Dance/RnB", "value": 0.0, "within": 0.01},
    )  # fmt: skip
    assert outcomes[0].by_score() == {
        "recall of Blues-like − precision of Blues-like": "supported",
        "recall of Pop/Dance/RnB − precision of Pop/Dance/RnB": "contradicted",
    }
    verdicts = [outcome.verdict for outcome in outcomes[1:]]
    assert verdicts == ["supported", "contradicted", "supported"]
    assert len(outcomes[1].comparisons) == 3


def test_what_a_run_lacks_is_said_with_the_nearest_name(check):
    order = {"kind": "order", **PLACE, "models": ["forest", "bosting"]}
    reasons = check(
        order,
        {"kind": "drop", "source": "gtzan", "target": "corea"},
        {"kind": "drop", "source": "korean", "target": "gtzan", "models": "cnn"},
        {"kind": "best_genre", **PLACE, "genre": "Jazz"},
        {"kind": "value", **PLACE, "value": 0, "within": 1, "genres": ["rock"], "scores": "f1"},
        {"kind": "feature", "feature": "tempo", "model": "svm", "source": "gtzan"},
        {"kind": "feature", "feature": "tempo", "model": "forest", "source": "gtzan"},
    )
    assert {outcome.verdict for outcome in reasons} == {"not decidable"}
    assert all(outcome.reason.startswith("not tested in this run: ") for outcome in reasons)
    expected = ["did you mean boosting?", "did you mean korean?", "no cell cnn, korean → korean"]
    expected += ["no genre Jazz", "no genre rock", "no model svm", "no model forest of gtzan"]
    for outcome, words in zip(reasons, expected, strict=True):
        assert words in outcome.reason


def test_names_stand_for_formats_and_kinds_where_the_file_says_so(make_run, tmp_path):
    run = RunDirectory.open(make_run(models=["forest", "cnn"], names=["west", "east"]))
    outcomes = check_claims(run, load_claims())
    transfer = next(o for o in outcomes if "do not carry over" in o.claim.claim)
    assert {one.what for one in transfer.comparisons} >= {"cnn, (west → west) − (west → east)"}
    assert "no model boosting" in transfer.reason


def test_models_with_more_seeds_are_compared_on_the_common_ones(make_run, tmp_path):
    folder = make_run(models=["forest", "cnn"], seeds=[0, 1, 2])
    for path in [folder / "results.csv", *folder.glob("cells/cnn/*/predictions.csv")]:
        table = pd.read_csv(path)
        kept = (table["seed"] < 2) | (table.get("model", "cnn") != "cnn")
        table[kept].to_csv(path, index=False)
    path = tmp_path / "c.yaml"
    place = {"source": "gtzan", "target": "gtzan", "scores": "macro_f1", "claim": "c"}
    claims = [
        {"kind": "order", "models": ["forest", "cnn"], **place},
        {"kind": "value", "models": "forest", "value": 0.5, "within": 0.1, **place},
    ]
    path.write_text(yaml.safe_dump({"claims": claims}))
    lead, alone = check_claims(RunDirectory.open(folder), load_claims(path))
    means = pd.read_csv(folder / "results.csv").query("source == 'gtzan' and target == 'gtzan'")
    by_seed = means.pivot_table(index="seed", columns="model", values="macro_f1")
    by_seed = by_seed[["forest", "cnn"]]
    expected = (by_seed["forest"] - by_seed["cnn"]).dropna().mean()
    assert lead.comparisons[0].value == pytest.approx(expected)
    assert alone.comparisons[0].value == pytest.approx(by_seed["forest"].mean())
    assert alone.comparisons[0].n == 24  # the same clips, not three times as many


@pytest.mark.parametrize(
    ("low", "high", "top", "expected"),
    [
        (1, 1, 1, "supported"),
        (1, 3, 1, "not decidable"),
        (2, 3, 1, "contradicted"),
        (2, 3, 5, "supported"),
    ],
)
def test_a_rank_is_tested_over_splits(make_run, check, low, high, top, expected):
    run = make_run(models=["boosting"], exhibits=True)
    place = run / "explanations" / "stability" / "boosting" / "gtzan" / "stability.csv"
    table = pd.read_csv(place)
    table.loc[0, ["feature", "rank_low", "rank_high"]] = ["rms_std", low, high]
    table.to_csv(place, index=False)
    claim = {"kind": "feature", "feature": "rms_std", "model": "boosting", "source": "gtzan"}
    (outcome,) = check(claim | {"top": top}, run=run)
    assert outcome.verdict == expected
    assert f"over 5 splits its rank is {low} to {high} (95%)" in outcome.remark
    (absent,) = check(claim | {"feature": "none_such", "top": 10}, run=run)
    assert absent.verdict == "contradicted"
    (unknown,) = check(claim | {"feature": "none_such", "top": 11}, run=run)
    assert unknown.verdict == "not decidable"


def test_maps_are_compared_where_they_were_measured(make_run, check):
    run = make_run(models=["cnn"], exhibits=True)
    claim = {"kind": "steadiest_map", "genre": "Blues-like", "source": "gtzan"}
    (outcome,) = check(claim, run=run)
    assert "no map of Pop/Dance/RnB and Rock/Metal" in outcome.reason
    assert "Blues-like 1 of 2" in outcome.remark and "Rock/Metal not shown" in outcome.remark
    place = run / "explanations" / "quality" / "gtzan" / "table.csv"
    table = pd.read_csv(place).query("measure == 'sensitivity' and method == 'grad_cam'")
    row = table.iloc[0].to_dict()
    genres = ["Blues-like", "HipHop/Rap", "Pop/Dance/RnB", "Rock/Metal"]
    values = [(0.1, 0.05, 0.15), *[(0.5, 0.4, 0.6)] * 3]
    rows = [
        row | {"genre": genre, "value": value, "low": low, "high": high}
        for genre, (value, low, high) in zip(genres, values, strict=True)
    ]
    pd.DataFrame(rows).to_csv(place, index=False)
    steady, not_steady = check(claim, claim | {"genre": "Rock/Metal"}, run=run)
    assert (steady.verdict, not_steady.verdict) == ("supported", "contradicted")


GOOD = "claims:\n  - {claim: c, kind: order, models: [a, b], source: x, target: y}\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (GOOD.replace("models", "modles"), r"claims.1: unknown key 'modles': did you mean models"),
        (GOOD.replace("order", "ordr"), r"claims.1: unknown kind 'ordr': did you mean order"),
        (GOOD.replace("kind: order, ", ""), r"claims.1: has no kind: one of order, drop"),
        (GOOD.replace("[a, b]", "[a]"), r"claims.1.models"),
        (GOOD.replace("claims:", "claimz:"), r"unknown key 'claimz': did you mean claims"),
        (GOOD.replace("target: y", "target: y, scores: f2"), r"claims.1.scores"),
        (
            GOOD.replace("target: y", "target: y, genres: a"),
            r"macro_f1 is no score of a genre: precision, recall or f1",
        ),
        (
            "claims: [{claim: c, kind: drop, source: a, target: b, at_least: .3, at_most: .2}]",
            "at_most is not above at_least",
        ),
        (
            "claims: [{claim: c, kind: equal, source: a, target: b, margin: .1}]",
            "names neither two models nor a home",
        ),
        ("claims: []", "claims"),
        ("claims: [3]", r"claims.1: is not a mapping"),
        ("- 1", "is not a mapping"),
    ],
)
def test_a_wrong_claims_file_is_one_sentence(tmp_path, text, reason):
    path = tmp_path / "claims.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=reason) as caught:
        load_claims(path)
    assert caught.value.path == str(path) and "\n" not in str(caught.value)


def test_verdicts_between_bounds():
    assert verdict(0.1, 0.2, 0.01, above=0.05, below=0.3) == "positive"
    assert verdict(0.1, 0.2, 0.01, above=0.15, below=0.3) == "undecided"
    assert verdict(0.1, 0.2, 0.01, above=-0.1, below=0.05) == "negative"
    assert verdict(0.1, 0.2, 0.01, above=0.3) == "negative"
    assert verdict(0.1, 0.2, 0.06, above=0.3) == "undecided"


def test_texts_say_the_same(check):
    outcomes = check(
        {"kind": "drop", **PLACE, "models": "forest", "scores": "accuracy", "at_least": 0.1},
        {"kind": "order", **PLACE, "models": ["forest", "svm"]},
    )
    table = render_claims(outcomes, "table")
    one = outcomes[0].comparisons[0]
    assert f"{one.value:.3f}".removeprefix("0") in table
    assert "claimed above .100" in table
    first, second = json.loads(render_claims(outcomes, "json"))
    assert first["verdict"] == "supported" and first["comparisons"][0]["value"] == one.value
    assert first["comparisons"][0]["below"] is None
    assert second["comparisons"] == [] and "no model svm" in second["reason"]
    frame = claim_frame(outcomes)
    assert frame["claim_verdict"].tolist() == ["supported", "not decidable"]
    assert frame["value"].iloc[0] == one.value and np.isnan(frame["value"].iloc[1])
    assert render_claims(outcomes, "csv").count("\n") == 3


def test_the_command(paper_runs, tmp_path):
    command = [sys.executable, "-m", "genrescope", "claims", str(paper_runs["least"])]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    verdicts = [line.split("  ")[0] for line in done.stdout.splitlines() if line[:1].strip()]
    assert set(verdicts[:-1]) == {"supported", "contradicted", "not decidable"}
    out = tmp_path / "claims.json"
    done = subprocess.run([*command, "--format", "json", "-o", str(out)], capture_output=True)
    assert done.returncode == 0 and not done.stdout
    assert len(json.loads(out.read_text())) == len(load_claims().claims)
    assert subprocess.run([*command, "--format", "xml"], capture_output=True).returncode == 2
