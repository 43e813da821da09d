"""The feature vector and the log-mel spectrogram of clips, all from one spectrum per clip.

`extract` computes them for waveforms in memory, `genrescope.features.store` keeps those of whole
corpora; the other modules hold one musical quantity each. The numbers are those of librosa with its
defaults at 22,050 Hz.
"""

from genrescope.features.vector import FEATURE_NAMES, Features, extract, feature_names

__all__ = ["FEATURE_NAMES", "Features", "extract", "feature_names"]
