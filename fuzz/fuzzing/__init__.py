"""Fuzzing of everything that reads foreign bytes: targets, how inputs are changed, two engines."""
