import tempfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from genrescope.audio.fingerprint import HOP, HOP_S, RATE, agreement, fingerprint
from genrescope.audio.matches import comparable, find_matches

SR = 22050


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=round(seconds * SR)) * 0.1


def tune(seconds: float, seed: int, *, notes: int = 200) -> np.ndarray:
    """Struck notes of random pitch, time and colour."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(0.8 * SR)) / SR
    y = np.zeros(round(seconds * SR) + len(t))
    for start in rng.integers(0, round(seconds * SR), round(notes * seconds / 10)):
        hertz = 110 * 2 ** (rng.integers(0, 36) / 12)
        partials = [rng.uniform() / k * np.sin(2 * np.pi * hertz * k * t) for k in range(1, 6)]
        y[start : start + len(t)] += np.sum(partials, axis=0) * np.exp(-t * rng.uniform(3, 15))
    y += 1e-3 * rng.normal(size=len(y))
    return 0.5 * y[: round(seconds * SR)] / np.abs(y).max()


def coded(y: np.ndarray, container: str, level: float = 0.8) -> np.ndarray:
    subtype = {"MP3": "MPEG_LAYER_III", "OGG": "VORBIS"}[container]
    with tempfile.TemporaryDirectory() as folder:  # libsndfile reads MP3 well from files only
        file = Path(folder) / "coded"
        soundfile.write(file, y, SR, format=container, subtype=subtype, compression_level=level)
        return soundfile.read(file)[0]


@settings(deadline=None, max_examples=20)
@given(st.floats(-60, 20), st.integers(0, 5))
def test_gain_changes_no_bit(gain_db: float, seed: int) -> None:
    y = tune(2.0, seed)
    one, other = fingerprint(y), fingerprint(y * 10 ** (gain_db / 20))
    np.testing.assert_array_equal(one.reliable, other.reliable)
    assert agreement(one, other, 0).share > 0.999  # float32 rounds


@pytest.mark.parametrize("hop_share", [0.25, 0.5])
def test_a_shift_by_part_of_a_hop_changes_few_bits(hop_share: float) -> None:
    y = tune(4.0, 1)
    shift = round(hop_share * HOP * SR / RATE)
    assert agreement(fingerprint(y), fingerprint(y[shift:]), 0).share > 0.95


@pytest.mark.parametrize("container", ["MP3", "OGG"])
def test_lossy_coding_changes_few_bits(container: str) -> None:
    y = tune(4.0, 2)
    (match,) = find_matches([fingerprint(y), fingerprint(coded(y, container))])
    assert match.agreement.share > 0.85 and abs(match.offset_s) < 0.1


def test_what_is_not_there_has_no_bits() -> None:
    assert fingerprint(np.zeros(2 * SR)).richness == 0
    tone = fingerprint(np.sin(2 * np.pi * 440 * np.arange(2 * SR) / SR))
    assert tone.richness < 8 and not comparable(tone)
    padded = fingerprint(np.concatenate([noise(2.0), np.zeros(2 * SR)]))
    assert not padded.reliable[-100:].any() and padded.reliable[:100].all()
    assert len(fingerprint(noise(0.38))) == 0 == fingerprint(np.zeros(0)).duration_s
    assert len(fingerprint(noise(0.4))) > 0
    with pytest.raises(ValueError, match="one dimension"):
        fingerprint(np.zeros((2, 100)))


def test_the_length_is_that_of_the_sound() -> None:
    for seconds in (1.0, 2.345, 30.0):
        assert fingerprint(noise(seconds)).duration_s == pytest.approx(seconds, abs=2 * HOP_S)
    doubled = np.repeat(noise(2.0), 2)
    assert fingerprint(doubled, sample_rate=2 * SR).duration_s == pytest.approx(2, abs=2 * HOP_S)


def test_scores_of_unrelated_sounds_are_standard_normal() -> None:
    scores = []
    for seed in range(6):
        one, other = fingerprint(tune(5.0, seed)), fingerprint(tune(5.0, seed + 100))
        scores += [agreement(one, other, offset).score for offset in range(-200, 200, 7)]
    assert abs(np.mean(scores)) < 0.5
    assert 0.5 < np.std(scores) < 1.5
    assert max(scores) < 5


def test_offsets_count_from_the_first_sound() -> None:
    y = tune(6.0, 3)
    whole, part = fingerprint(y), fingerprint(y[2 * SR : 5 * SR])
    (one,) = find_matches([whole, part])
    (other,) = find_matches([part, whole])
    assert one.offset_s == pytest.approx(2, abs=2 * HOP_S)
    assert other.offset_s == pytest.approx(-2, abs=2 * HOP_S)
    assert one.agreement.overlap_s == pytest.approx(3, abs=2 * HOP_S)
    nothing = agreement(whole, part, 10_000)
    assert nothing.frames == nothing.bits == 0 == nothing.overlap_s


def test_parts_that_overlap_are_found_and_parts_that_do_not_are_not() -> None:
    y = tune(12.0, 4)
    a, b, c = fingerprint(y[: 8 * SR]), fingerprint(y[4 * SR :]), fingerprint(y[10 * SR :])
    matches = find_matches([a, b, c])
    assert [(match.first, match.second) for match in matches] == [(0, 1), (1, 2)]
    assert matches[0].agreement.overlap_s == pytest.approx(4, abs=0.05)


def test_every_copy_is_found_among_many_and_nothing_else() -> None:
    originals = [tune(6.0, seed) for seed in range(30)]
    rng = np.random.default_rng(0)
    copies, of = [], []
    for number, y in enumerate(originals[:20]):
        start = round(rng.uniform(0, 3) * SR)
        part = y[start : start + 3 * SR] * rng.uniform(0.25, 2)
        copies.append(coded(part, "MP3") if number % 2 else coded(part, "OGG"))
        of.append(number)
    sounds = [fingerprint(y) for y in [*originals, *copies]]
    found = [(match.first, match.second) for match in find_matches(sounds)]
    assert found == [(number, 30 + position) for position, number in enumerate(of)]


def test_a_shared_drum_loop_is_no_duplicate() -> None:
    rng = np.random.default_rng(5)
    hit = rng.normal(size=SR // 4) * np.exp(-np.arange(SR // 4) / 1500)
    loop = np.tile(np.concatenate([hit, 0.4 * hit]), 12)
    one, other = (0.15 * loop + tune(6.0, seed)[: len(loop)] for seed in (6, 7))
    assert find_matches([fingerprint(one), fingerprint(other)]) == []
    drums = fingerprint(loop)
    assert len(find_matches([drums, fingerprint(loop / 3)])) == 1


def test_none_or_one_sound_has_no_match() -> None:
    assert find_matches([]) == []
    assert find_matches([fingerprint(noise(2.0)), fingerprint(np.zeros(0))]) == []
