import numpy as np
import pytest

from genrescope.corpora.synthesis.artists import BORROWED, SIDES, draw_artist
from genrescope.corpora.synthesis.figures import BASS, COMPS, DRUMS, LEADS
from genrescope.corpora.synthesis.harmony import PROGRESSIONS, SCALES
from genrescope.corpora.synthesis.loops import (
    CORE,
    EXTRA,
    SHARES,
    Loop,
    plan_loops,
    render_loop,
    song_label,
)
from genrescope.corpora.synthesis.score import Groove
from genrescope.corpora.synthesis.styles import style_table
from genrescope.corpora.synthesis.tones import TONES
from genrescope.corpora.synthesis.tracks import LABELS, render_track
from genrescope.corpora.synthesis.waves import SAMPLE_RATE, hertz, string
from genrescope.settings import AudioSettings
from genrescope.taxonomy import load_taxonomy


def test_style_tables_name_only_what_exists():
    for name in ("western", "korean"):
        assert 0.0 < BORROWED[name] < 0.5
        for style in style_table(name).values():
            assert set(style.drums) <= set(DRUMS)
            assert set(style.bass) <= set(BASS)
            assert set(style.basses) <= set(TONES)
            assert set(style.progressions) <= set(PROGRESSIONS)
            assert set(style.scales) <= set(SCALES)
            for part in ("guitar", "keys", "strings", "lead"):
                figures = LEADS if part == "lead" else COMPS
                for figure, tone in getattr(style, part):
                    assert figure in figures
                    assert tone in TONES


def test_figures_fill_whole_bars():
    for table in (BASS, COMPS):
        assert {len(figure) for figure in table.values()} == {16}
    assert {len(text) % 16 for kit in DRUMS.values() for text in kit.values()} == {0}


def test_every_style_can_be_an_artist():
    rng = np.random.default_rng(0)
    for name in ("western", "korean"):
        for label in style_table(name):
            assert set(draw_artist(name, label, rng).sides) == set(SIDES)


def test_shuffle_turns_off_beats_into_triplets():
    groove = Groove(tempo_bpm=60.0, shuffle=1.0)
    assert groove.time(2) == pytest.approx(2 / 3)
    assert groove.time(4) == 1.0
    assert Groove(tempo_bpm=60.0).time(2) == 0.5


@pytest.mark.parametrize("pitch", [28, 45, 57, 69, 81])
def test_a_plucked_string_is_in_tune(pitch: int):
    rng = np.random.default_rng(0)
    sound = string(hertz(pitch), SAMPLE_RATE, rng, decay_s=3.0, brightness=0.5)
    padded = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 8 * SAMPLE_RATE))
    near = np.arange(len(padded)) / 8.0
    window = (near > 0.9 * hertz(pitch)) & (near < 1.1 * hertz(pitch))
    found = near[window][np.argmax(padded[window])]
    assert abs(1200.0 * np.log2(found / hertz(pitch))) < 12.0  # cents


def test_labels_of_songs_follow_the_shares():
    labels = [song_label(song) for song in range(sum(SHARES.values()) * 3)]
    assert {label: labels.count(label) for label in SHARES} == {
        label: 3 * share for label, share in SHARES.items()
    }


def test_a_larger_corpus_begins_with_a_smaller_one():
    small, large = list(plan_loops(20, seed=3)), list(plan_loops(60, seed=3))
    assert large[: len(small)] == small
    assert sum(loop.instrument in CORE for loop in large) == 60
    assert {loop.instrument for loop in large} - set(CORE) <= set(EXTRA)
    assert np.array_equal(render_loop(small[0], seed=3).sound, render_loop(large[0], seed=3).sound)


def test_loops_are_whole_bars_of_about_three_seconds():
    planned = list(plan_loops(300, seed=1))
    lengths = np.array([loop.duration_s for loop in planned])
    assert lengths.min() >= 2.2
    assert lengths.max() <= 4.0
    share = np.mean([loop.label in ("Dance", "RnB & Soul") for loop in planned])
    assert 0.35 < share < 0.5
    songs = {}
    for loop in planned:
        songs.setdefault(loop.song, []).append(loop)
    assert all(len({loop.label for loop in loops}) == 1 for loops in songs.values())
    assert np.mean([len(loops) for loops in songs.values()]) > 2.5


def test_no_loop_is_silent():
    for loop in plan_loops(60, seed=2):
        recording = render_loop(loop, seed=2)
        assert recording.notes
        assert np.sqrt(np.mean(recording.sound**2)) > 0.01
        assert np.max(np.abs(recording.sound)) <= 0.95


def test_seeds_differ_and_repeat():
    loop = Loop(song=0, phrase=0, label=song_label(0), instrument="bass", tempo_bpm=120.0, bars=2)
    first = render_loop(loop, seed=0)
    assert np.array_equal(first.sound, render_loop(loop, seed=0).sound)
    assert not np.array_equal(first.sound, render_loop(loop, seed=1).sound)
    track = render_track("disco", 3, seed=0, duration_s=4.0)
    assert np.array_equal(track, render_track("disco", 3, seed=0, duration_s=4.0))
    assert not np.array_equal(track, render_track("disco", 3, seed=1, duration_s=4.0))


@pytest.mark.slow
def test_the_corpora_are_hard_but_not_hopeless():
    """A forest learns each culture, never wholly, and does far worse on the other."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.metrics import f1_score
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

    from genrescope.features.vector import extract

    taxonomy = load_taxonomy("meta-genre")
    samples = AudioSettings().clip_samples

    def features(sounds: list[np.ndarray]) -> np.ndarray:
        looped = [np.resize(sound, samples).astype(np.float32) for sound in sounds]
        return extract(np.stack(looped), log_mels=False).vectors

    named = [(label, number) for number in range(16) for label in LABELS]
    planned = [loop for loop in plan_loops(240, seed=0) if loop.instrument in CORE]
    data = {
        "western": (
            features([render_track(*one, seed=0, duration_s=5.0) for one in named]),
            np.array([taxonomy.genre_of(label) for label, _ in named]),
            np.array([f"{label} {number // 2}" for label, number in named]),
        ),
        "korean": (
            features([render_loop(loop, seed=0).sound for loop in planned]),
            np.array([taxonomy.genre_of(loop.label) for loop in planned]),
            np.array([str(loop.song) for loop in planned]),
        ),
    }
    forest = RandomForestClassifier(200, random_state=0, n_jobs=1)
    within = {}
    for name, (vectors, genres, groups) in data.items():
        folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
        predicted = cross_val_predict(forest, vectors, genres, groups=groups, cv=folds)
        within[name] = f1_score(genres, predicted, average="macro")
        assert 0.55 < within[name] < 0.97
    vectors, genres, _ = data["western"]
    other, others, _ = data["korean"]
    across = f1_score(others, forest.fit(vectors, genres).predict(other), average="macro")
    assert across < within["western"] - 0.15
    assert across < within["korean"] - 0.1
