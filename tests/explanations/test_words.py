import re
from math import floor

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from genrescope.errors import ConfigError
from genrescope.explanations.families import FAMILIES
from genrescope.explanations.vocabulary import language_files, read_texts
from genrescope.explanations.words import Region, languages, load_language
from genrescope.features.vector import FEATURE_NAMES, extract, feature_names
from genrescope.settings import FeatureSettings

PLAIN = ("chroma_stft", "rms", "spectral_centroid", "spectral_bandwidth", "rolloff")
PLAIN += ("zero_crossing_rate", "harmony", "perceptr")
PUBLISHED = [f"{name}_{statistic}" for name in PLAIN for statistic in ("mean", "var")]
PUBLISHED += ["tempo"]
PUBLISHED += [f"mfcc{k}_{statistic}" for k in range(1, 21) for statistic in ("mean", "var")]
EXTENDED = feature_names(FeatureSettings(set="extended"))
HEARD = pd.Series({"Blues-like": 0.2, "Rock/Metal": 0.71, "HipHop/Rap": 0.09})
CONTRIBUTIONS = pd.DataFrame(
    [
        ["rms_std", 0.12, 0.414],
        ["mfcc_mean_3", -12.3, -0.3],
        ["spec_cent_mean", 2034.4, 0.2],
        ["danceability", 0.5, 0.004],
        ["tempo", 96.0, -0.1],
    ],
    columns=["feature", "value", "contribution"],
)


@pytest.fixture
def en():
    return load_language("en")


@pytest.fixture
def ko():
    return load_language("ko")


def tell(language, share, *, feature="rms_std", contribution=0.41, **options):
    """One sentence about one feature."""
    row = pd.DataFrame(
        [[feature, 0.12, contribution]], columns=["feature", "value", "contribution"]
    )
    (sentence,) = language.features(
        row,
        target="Rock/Metal",
        scale="log-odds",
        reference="Pop/Dance/RnB",
        share_below=lambda feature, value, genre: share,
        **options,
    )
    return sentence


def leaves(texts, place=()):
    if isinstance(texts, dict):
        for key, value in texts.items():
            yield from leaves(value, (*place, key))
    elif isinstance(texts, list):
        for number, value in enumerate(texts):
            yield from leaves(value, (*place, number))
    else:
        yield place, texts


# Every feature in every language


@pytest.mark.parametrize("code", languages())
@pytest.mark.parametrize("names", [EXTENDED, PUBLISHED], ids=["own", "published"])
def test_every_feature_has_words_of_its_own(code, names):
    language = load_language(code)
    labels = [language.feature(name) for name in names]
    assert all(labels) and len(set(labels)) == len(names)
    for name, label in zip(names, labels, strict=True):
        text = language.describe(name)
        assert text.name == label
        assert text.what.endswith(".")
        assert text.high and text.low and text.high != text.low
        assert text.caveats and all(caveat.endswith(".") for caveat in text.caveats)
        assert len(set(text.caveats)) == len(text.caveats)
        told = " ".join([*text.caveats, text.name, text.what, text.high, text.low])
        assert not re.search(r"[{}]|None", told + language.subject(name))


@pytest.mark.parametrize("code", languages())
def test_files_have_the_same_keys_and_no_text_is_empty(code):
    texts, english = (dict(leaves(read_texts(language_files()[name]))) for name in (code, "en"))
    assert texts.keys() == english.keys()
    for place, text in texts.items():
        assert isinstance(text, str)
        # A feature without a unit has none in any language.
        assert bool(text) == bool(english[place])
        assert text or place[-1] in ("unit", "variance_unit")


@pytest.mark.parametrize("code", languages())
def test_an_unknown_feature_stands_for_itself(code):
    language = load_language(code)
    for name in ("danceability", "chroma_mean_12", "{x}", ""):
        assert language.feature(name) == ""
        assert language.describe(name) is None
        for share in (None, float("nan"), 0.0, 0.2, 0.5, 0.8, 1.0):
            assert name in tell(language, share, feature=name, caveats=True)


def test_families_and_labels(en, ko):
    assert [en.family(key) for key in FAMILIES] == [*FAMILIES[:-1], "everything else"]
    assert len({ko.family(key) for key in FAMILIES}) == len(FAMILIES)
    assert en.family("mood") == "mood"
    assert en.feature("mfcc_mean_0") == "overall level (MFCC 0), average"
    assert en.feature("mfcc_mean_3") == "timbre (MFCC 3), average"
    assert en.feature("mfcc4_mean") == "timbre (0-based MFCC 3), average"
    assert en.feature("tempo") == "tempo"
    assert en.feature("contrast_mean_0") == "clearness of tones (below 200 Hz), average"
    assert en.feature("tempogram_ratio_1") == "pulse at 8/3 × the tempo"
    assert en.feature("modulation_treble_4") == "pulsation near 4 Hz (treble, above 4 kHz)"
    assert en.describe("mfcc_delta_std_3").high == "MFCC 3 changes faster"
    assert ko.feature("modulation_bass_16") == "16 Hz 부근의 맥동(저음, 250 Hz 아래)"
    assert ko.feature("chroma_std_6") == "F♯음(크로마), 변화 폭"
    assert (en.name, ko.name) == ("English", "한국어")


def test_a_variance_is_not_passed_off_as_a_deviation(en):
    own, published = en.describe("spec_cent_std"), en.describe("spectral_centroid_var")
    assert (own.unit, published.unit) == ("Hz", "Hz²")
    assert own.high == published.high == "Brightness varies more"
    assert any("variance" in caveat for caveat in published.caveats)
    assert not any("variance" in caveat for caveat in own.caveats)


def noise(gain):
    """A second of noise whose spectrum in hertz is shaped by a gain."""
    spectrum = np.fft.rfft(np.random.default_rng(0).normal(size=110250))
    shaped = np.fft.irfft(spectrum * gain(np.fft.rfftfreq(110250, 1 / 22050)))
    return 0.1 * shaped / shaped.std()


@pytest.mark.parametrize(
    ("name", "more", "less", "high"),
    [
        ("spec_cent_mean", lambda f: f > 4000, lambda f: f < 1000, "It sounds brighter"),
        ("spec_roll_mean", lambda f: f > 4000, lambda f: f < 1000, "The spectrum reaches higher"),
        ("mfcc_mean_1", lambda f: f < 2000, lambda f: f > 2000, "The lows outweigh the highs more"),
        (
            "mfcc_mean_2",
            lambda f: (f < 800) | (f > 4700),
            lambda f: (f > 800) & (f < 4700),
            "Lows and highs outweigh the middle more",
        ),
        ("zcr_mean", lambda f: f > 4000, lambda f: f < 1000, "It sounds noisier or higher"),
        ("rms_mean", lambda f: 1.0, lambda f: f < 0, "It is louder"),
        (
            "chroma_mean_9",
            lambda f: (f > 437) & (f < 443),
            lambda f: (f > 490) & (f < 498),
            "Pitch class A is more present",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_what_a_high_value_means_is_so_in_sound(en, name, more, less, high):
    waves = np.nan_to_num(np.stack([noise(more), noise(less)]))
    values = extract(waves, log_mels=False).vectors[:, FEATURE_NAMES.index(name)]
    assert values[0] > values[1]
    assert en.describe(name).high == high


# Language files


def test_an_unknown_language_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"'xx': known are en, ko$"):
        load_language("xx")
    with pytest.raises(ConfigError, match=r"did you mean en\? known are en, ko"):
        load_language("eng")
    assert load_language("ko") is load_language("ko")


def change(path, edit):
    texts = yaml.safe_load(language_files()["ko"].read_text(encoding="utf-8"))
    edit(texts)
    path.write_text(yaml.safe_dump(texts, allow_unicode=True), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda t: t["quantities"]["rms"].pop("what"), "lacks quantities.rms.what, which en.yaml"),
        (lambda t: t.pop("families"), "lacks families"),
        (lambda t: t["families"].update(rhytm="x"), "unknown key families.rhytm: did you mean rh"),
        (lambda t: t["pitches"].pop(), "pitches should list 12, not 11"),
        (lambda t: t.update(label="{name}"), r"label should have the fields \{name\}, \{stat"),
        (lambda t: t.update(rather="{target:d} {against}"), "rather should have the fields"),
        (lambda t: t.update(rather="{target"), "rather has a brace that does not match"),
        (lambda t: t.update(rather=3), "rather should hold text"),
        (lambda t: t.update(pitches="C"), "pitches should hold a list"),
        (lambda t: t.update(outcome=None), "outcome should hold keys"),
        (lambda t: t["counts"].__setitem__(1, 2), "counts, number 2, should hold text"),
    ],
)
def test_a_language_file_that_lacks_something_says_what(tmp_path, edit, reason):
    path = change(tmp_path / "xx.yaml", edit)
    with pytest.raises(ConfigError, match=reason) as caught:
        read_texts(path)
    assert str(path) in str(caught.value)


def test_a_new_language_is_one_file(tmp_path, monkeypatch):
    change(tmp_path / "xx.yaml", lambda texts: texts.update(language="Xish"))
    monkeypatch.setattr("genrescope.explanations.vocabulary.FOLDER", tmp_path)
    load_language.cache_clear()
    try:
        assert languages() == ("xx",)
        assert load_language("xx").name == "Xish"
    finally:
        load_language.cache_clear()


# Sentences


def test_outcome(en, ko):
    assert en.outcome("Rock/Metal", HEARD) == (
        "Heard as Rock/Metal with probability .71; next comes Blues-like with .20."
    )
    assert en.outcome("Blues-like", HEARD) == (
        "Asked about Blues-like (probability .20); the model hears Rock/Metal (.71)."
    )
    assert ko.outcome("Rock/Metal", HEARD) == (
        "Rock/Metal 장르로 들립니다(확률 .71). 그다음은 Blues-like입니다(확률 .20)."
    )
    even = pd.Series({"a": 0.5, "b": 0.5})
    assert en.outcome("b", even) == "Heard as b with probability .50; next comes a with .50."
    assert en.outcome("a", even[:1]) == "Heard as a with probability .50."
    with pytest.raises(ValueError, match="Jazz is not among Blues-like, Rock/Metal"):
        en.outcome("Jazz", HEARD)


def test_features_in_english(en):
    shares = {"rms_std": 0.929, "mfcc_mean_3": 0.08, "spec_cent_mean": 0.5, "danceability": 1.0}
    asked = []

    def share_below(feature, value, genre):
        asked.append((feature, value, genre))
        return shares.get(feature)

    sentences = en.features(
        CONTRIBUTIONS,
        target="Rock/Metal",
        against="Blues-like",
        scale="log-odds",
        reference="Blues-like",
        share_below=share_below,
        most=5,
    )
    learned, rather = "Blues-like clips the model learned from", "Rock/Metal rather than Blues-like"
    assert sentences == [
        f"Loudness varies more than in 92% of the {learned}; that speaks most for {rather} "
        "(+0.41 log-odds).",
        f"MFCC 3 is lower than in 92% of the {learned}; that speaks most against {rather} "
        "(−0.30 log-odds).",
        f"The average of brightness (spectral centroid) is as in the middle of the {learned}; "
        f"that speaks next for {rather} (+0.20 log-odds).",
        f"danceability is higher than in all of the {learned}; that speaks next for {rather} "
        "(+0.004 log-odds).",
        f"The tempo is 96.0 BPM; that speaks next against {rather} (−0.10 log-odds).",
    ]
    rows = CONTRIBUTIONS[["feature", "value"]].itertuples(index=False)
    assert asked == [(feature, value, "Blues-like") for feature, value in rows]


def test_features_in_korean(ko):
    assert tell(ko, 0.92) == (
        "모델이 학습한 Pop/Dance/RnB 클립의 92%보다 음량의 변화가 더 큽니다. "
        "이 점이 Rock/Metal 판정을 가장 크게 뒷받침합니다(로그 오즈 +0.41)."
    )
    assert tell(ko, None, contribution=-0.2, feature="tempo", against="Blues-like") == (
        "템포 값은 0.120 BPM입니다. "
        "이 점이 Blues-like 대신 Rock/Metal 판정에 가장 불리하게 작용합니다(로그 오즈 −0.20)."
    )


def test_without_statistics_only_the_value_is_told(en):
    sentences = en.features(CONTRIBUTIONS, target="Rock/Metal", scale="probability")
    assert sentences == [
        "The variation of loudness (RMS) is 0.120 of full scale; that speaks most for Rock/Metal "
        "(+0.41 in probability).",
        "The average of timbre (MFCC 3) is −12.3; that speaks most against Rock/Metal "
        "(−0.30 in probability).",
        "The average of brightness (spectral centroid) is 2,034 Hz; that speaks next for "
        "Rock/Metal (+0.20 in probability).",
    ]


@given(st.floats(0, 1))
def test_a_share_is_rounded_down_on_the_side_it_lies(share):
    language = load_language("en")
    sentence = tell(language, share)
    if 0.45 < share < 0.55:
        assert sentence.startswith("The variation of loudness (RMS) is as in the middle of the")
        return
    word, beyond = ("more", share) if share > 0.5 else ("less", 1 - share)
    assert sentence.startswith(f"Loudness varies {word} than in ")
    if beyond == 1:
        assert "than in all of the Pop/Dance/RnB clips" in sentence
        assert "%" not in sentence
    else:
        told = int(re.search(r"(\d+)%", sentence)[1])
        assert told == min(99, floor(100 * beyond + 1e-9))
        assert told <= 99
        assert told / 100 <= beyond + 1e-9


@pytest.mark.parametrize("hundredths", [*range(55, 100), *range(1, 46)])
def test_whole_percents_are_told_as_they_are(en, hundredths):
    told = hundredths if hundredths >= 55 else 100 - hundredths
    assert f" {told}% of" in tell(en, hundredths / 100)


@given(st.floats(-20, 20).filter(lambda amount: abs(amount) >= 1e-4))
def test_the_amount_agrees_with_the_contribution(amount):
    sentence = tell(load_language("en"), 0.9, contribution=amount)
    told = re.search(r"\(([+−])([0-9.]+) log-odds\)", sentence)
    assert (told[1] == "+") == (amount > 0)
    assert (" for Rock" in sentence) == (amount > 0)
    assert (" against Rock" in sentence) == (amount < 0)
    assert float(told[2]) == pytest.approx(abs(amount), abs=0.0051)
    assert float(told[2]) > 0


def test_most_is_said_of_the_strongest_of_the_whole_table_only(en):
    sentences = en.features(CONTRIBUTIONS.iloc[::-1], target="Rock/Metal", scale="log-odds", most=5)
    said = [re.search(r"that (speaks .*) Rock/Metal", sentence)[1] for sentence in sentences]
    assert said == [
        "speaks against",
        "speaks for",
        "speaks for",
        "speaks most against",
        "speaks most for",
    ]
    equal = CONTRIBUTIONS.assign(contribution=0.2)
    sentences = en.features(equal, target="Rock/Metal", scale="log-odds", most=2)
    assert "speaks most for" in sentences[0] and "speaks next for" in sentences[1]


def test_what_contributes_nothing_is_not_told(en):
    table = CONTRIBUTIONS.assign(contribution=[0.0, float("nan"), 0.00001, -0.00001, 0.2])
    (sentence,) = en.features(table, target="Rock/Metal", scale="log-odds")
    assert sentence.startswith("The tempo is")
    assert en.features(table[:4], target="Rock/Metal", scale="log-odds") == []
    with pytest.raises(ValueError, match="not margin"):
        en.features(table, target="Rock/Metal", scale="margin")


def test_a_caveat_is_told_once_and_only_where_asked_for(en):
    names = ["rms_std", "rms_mean", "tempo", "danceability"]
    table = pd.DataFrame({"feature": names, "value": 1.0, "contribution": [4.0, 3.0, 2.0, 1.0]})
    plain = en.features(table, target="Rock/Metal", scale="log-odds", most=4)
    told = en.features(table, target="Rock/Metal", scale="log-odds", most=4, caveats=True)
    first, second = en.describe("rms_std").caveats, en.describe("tempo").caveats
    assert told[0] == " ".join([plain[0], *first])
    assert told[1] == plain[1]
    assert told[2] == " ".join([plain[2], *second])
    assert told[3] == plain[3]


def test_families(en, ko):
    series = pd.Series({"harmony": -0.2, "dynamics": 0.8, "rhythm": 0.1, "timbre": -0.1})
    options = {"target": "Rock/Metal", "scale": "log-odds"}
    assert en.families(series, **options) == (
        "Taken together, dynamics speaks most for Rock/Metal (+0.80 log-odds), harmony most "
        "against it (−0.20)."
    )
    assert en.families(series.clip(lower=0), **options | {"against": "Blues-like"}) == (
        "Taken together, dynamics speaks most for Rock/Metal rather than Blues-like "
        "(+0.80 log-odds); no family speaks against it."
    )
    assert en.families(series.clip(upper=0), **options) == (
        "Taken together, harmony speaks most against Rock/Metal (−0.20 log-odds); no family "
        "speaks for it."
    )
    assert en.families(series[:0], **options) == (
        "Taken together, no family speaks for or against Rock/Metal."
    )
    assert ko.families(series, **options) == (
        "묶어서 보면 Rock/Metal 판정을 가장 크게 뒷받침하는 것은 셈여림 쪽이고(로그 오즈 +0.80), "
        "가장 불리하게 작용하는 것은 화성 쪽입니다(−0.20)."
    )


def test_regions(en, ko):
    regions = [Region(1.2, 2.0, 250, 700, 0.41), Region(3.0, 3.54, 2000, 11025, 0.129)]
    options = {"target": "Rock/Metal", "strength": 1.3, "unit": "logit"}
    assert en.regions(regions, **options) == [
        "What speaks most for Rock/Metal lies between 1.2 and 2.0 s, from 250 to 700 Hz; it holds "
        "41% of the map.",
        "Next comes 3.0 to 3.5 s, from 2,000 to 11,025 Hz, with 12% of the map.",
        "At its strongest the map reaches 1.30 in the logit.",
    ]
    assert en.regions([], **options | {"unit": "dB"}) == [
        "No region of the map stands out for Rock/Metal.",
        "At its strongest the map reaches 1.30 dB.",
    ]
    assert en.regions([], **options, empty=True, against="Blues-like") == [
        "Nothing in the clip speaks for Rock/Metal rather than Blues-like according to this map; "
        "the map is empty."
    ]
    assert ko.regions(regions[:1], **options)[0] == (
        "Rock/Metal 판정을 가장 크게 뒷받침하는 부분은 1.2~2.0초, 250~700 Hz에 있으며 맵의 41%를 "
        "차지합니다."
    )


def test_moments(en, ko):
    moments = [(35, 40, 0.97), (3599.98, 3605, 0.9), (70, 75.5, 0.845)]
    assert en.moments(moments, target="Rock/Metal") == (
        "The three most telling moments for Rock/Metal: 0:35 to 0:40 (.97), 1:00:00 to 1:00:05 "
        "(.90), 1:10 to 1:15.5 (.84)."
    )
    assert en.moments(moments[:1], target="Rock/Metal") == (
        "The most telling moment for Rock/Metal: 0:35 to 0:40 (.97)."
    )
    assert en.moments([], target="Rock/Metal") == ""
    assert en.moments(moments[:1] * 11, target="a").startswith("The 11 most telling moments for a:")
    assert ko.moments(moments[:2], target="Rock/Metal") == (
        "Rock/Metal 장르가 가장 뚜렷한 두 순간: 0:35~0:40(확률 .97), 1:00:00~1:00:05(확률 .90)."
    )


@pytest.mark.parametrize("code", languages())
def test_names_with_braces_are_told_as_they_are(code):
    language = load_language(code)
    odd = pd.Series({"{0}": 0.7, "{x": 0.3})
    assert "{0}" in language.outcome("{0}", odd)
    assert "{x" in language.families(
        pd.Series({"rhythm": 1.0}), target="{0}", against="{x", scale="log-odds"
    )
