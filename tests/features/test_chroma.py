import numpy as np
import pytest

from genrescope.features.chroma import PITCH_CLASSES, chroma, chroma_weights, estimate_tuning
from genrescope.features.frames import spectrum


@pytest.mark.parametrize("semitone", range(12))
def test_each_pitch_class(tone, semitone):
    strength = chroma(spectrum(tone(440 * 2 ** ((semitone - 9) / 12))))
    assert len(strength) == 12
    assert (strength[:, 4:-4].argmax(axis=0) == semitone).all()
    np.testing.assert_array_equal(strength.max(axis=0), 1)
    assert strength.min() >= 0


def test_octaves_are_one_pitch_class(tone):
    for hertz in (220, 440, 880, 1760):
        assert PITCH_CLASSES[chroma(spectrum(tone(hertz)))[:, 20].argmax()] == "A"


@pytest.mark.parametrize("semitones", [-0.4, -0.2, 0.0, 0.1, 0.3])
def test_tuning_of_a_detuned_chord(tone, semitones):
    notes = 440 * 2 ** ((np.array([24, 28, 31, 36]) + semitones) / 12)
    y = sum(tone(hertz, 5.0) for hertz in notes)
    assert estimate_tuning(spectrum(y)) == pytest.approx(semitones, abs=0.02)


def test_tuning_moves_the_filters(tone):
    y = sum(tone(440 * 2 ** ((k + 0.4) / 12), 5.0) for k in (12, 24))
    assert PITCH_CLASSES[chroma(spectrum(y))[:, 50].argmax()] == "A"
    sharp, plain = chroma_weights(22050, 2048, 0.4), chroma_weights(22050, 2048, 0.0)
    assert np.abs(sharp - plain).max() > 0.1


def test_silence_has_neither_pitch_nor_tuning():
    clip = spectrum(np.zeros(22050, np.float32))
    assert estimate_tuning(clip) == 0
    assert not chroma(clip).any()


def test_low_sample_rate(tone):
    clip = spectrum(tone(440), sample_rate=8000)
    assert -0.5 <= estimate_tuning(clip) < 0.5
    assert np.isfinite(chroma(clip)).all()
