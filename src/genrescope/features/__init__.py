"""The 75 features and the log-mel spectrogram of clips, all from one spectrum per clip.

`genrescope.features.vector` has `extract` for waveforms in memory, `genrescope.features.store`
has `extract_corpus` for whole corpora; the other modules hold one musical quantity each. The
numbers are those of librosa with its defaults at 22,050 Hz.
"""
