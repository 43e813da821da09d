from genrescope.report.model_card import model_card

GENRES = ["Blues-like", "Rock/Metal"]


def card(**facts) -> str:
    return model_card({"kind": "forest", "genres": GENRES} | facts)


def row(**scores) -> dict:
    return {
        "target": "gtzan", "part": "test", "n": 90, "accuracy": 0.789, "accuracy_low": 0.7,
        "accuracy_high": 0.86, "macro_f1": 0.757, "macro_f1_low": 0.66, "macro_f1_high": 0.84,
        "majority_accuracy": 0.333,
    } | scores  # fmt: skip


def test_scores_come_with_their_intervals_and_the_majority_guess():
    text = card(metrics=[row()])
    assert "| gtzan, held-out clips | 90 | .789 [.700, .860] | .757 [.660, .840] | .333 |" in text


def test_an_undefined_interval_is_left_out():
    text = card(metrics=[row(macro_f1_low=float("nan"), macro_f1_high=float("nan"))])
    assert "| .757 |" in text and "nan" not in text


def test_a_bundle_without_scores_says_so():
    assert "nothing is known of it" in card()


def test_synthetic_corpora_are_called_so():
    corpus = {"name": "western", "culture": "Western", "synthetic": True, "clips": 144}
    text = card(corpora=[corpus])
    assert "western (**synthetic**)" in text
    assert "good for trying out the software only" in " ".join(text.split())
    assert "synthetic" not in card(corpora=[corpus | {"synthetic": False}])


def test_names_cannot_become_markup():
    text = card(corpora=[{"name": "a|b\n# <b>x</b>", "culture": "c", "clips": 1}])
    (line,) = [line for line in text.splitlines() if "b\\>x" in line]
    assert line.startswith("| a\\|b \\# \\<b")


def test_settings_and_loading_are_told():
    text = card(audio={"sample_rate": 22050, "fit": "loop"})
    assert "- audio: `sample_rate` 22050, `fit` loop" in text
    assert "genrescope predict BUNDLE AUDIO" in text


def test_the_coverage_of_its_sets_is_told_with_counts():
    coverage = {
        "asked": 0.9, "calibrated_on": 1140, "recordings": 28, "covered": 26, "low": 0.774,
        "high": 0.98, "mean_size": 1.25, "unlike": 1,
    }  # fmt: skip
    text = card(coverage=coverage)
    assert "calibrated on 1,140 recordings" in text
    assert "the true genre in 26 of 28 held-out recordings (.93 [.77, .98])" in text
    assert "1 of the 28 was called unlike" in text
    assert "were not tested" in card()
