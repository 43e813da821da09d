"""Features of a 5 s clip: genrescope against librosa, CPU time on one core, in one run.

Each contender runs in a process of its own, pinned to one core with one thread, over the same 200
clips. A round runs all of them in turn, so that the machine's drift hits all alike, and gives one
ratio. A process first does five clips, since librosa compiles on its first. "Warm heap" lets the C
library keep freed memory, which spares librosa the page faults of its many large arrays.

    python benchmarks/features.py [--clips 200] [--rounds 3] [--core 0]
"""

import argparse
import os
import resource
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from machine import ONE_THREAD, describe_machine, real_clips

WARM_UP = 5  # clips
WARM_HEAP = {"MALLOC_MMAP_THRESHOLD_": "2000000000", "MALLOC_TRIM_THRESHOLD_": "2000000000"}
RATE = 22050
OBVIOUS, WARM, SHARED, ESSENTIA, OURS, FALLBACK, EXTENDED = (
    "librosa, called the obvious way",
    "the same, warm heap",
    "librosa, one shared spectrogram",
    "essentia, a subset",
    "genrescope",
    "genrescope without a compiler",
    "genrescope, extended set",
)


def librosa_obvious() -> Callable[[np.ndarray], object]:
    import librosa

    feature = librosa.feature

    def one(y: np.ndarray) -> object:
        courses = [
            feature.mfcc(y=y, sr=RATE, n_mfcc=20),
            feature.chroma_stft(y=y, sr=RATE),
            feature.spectral_centroid(y=y, sr=RATE),
            feature.spectral_bandwidth(y=y, sr=RATE),
            feature.spectral_rolloff(y=y, sr=RATE),
            feature.zero_crossing_rate(y),
            feature.rms(y=y),
        ]
        vector = [v for c in courses for v in (c.mean(axis=1), c.std(axis=1))]
        vector.append(feature.tempo(y=y, sr=RATE))
        mel = feature.melspectrogram(y=y, sr=RATE)
        return np.concatenate(vector), librosa.power_to_db(mel, ref=np.max)

    return one


def librosa_shared() -> Callable[[np.ndarray], object]:
    import librosa

    feature = librosa.feature

    def one(y: np.ndarray) -> object:
        magnitude = np.abs(librosa.stft(y))
        power = magnitude**2
        decibels = librosa.power_to_db(feature.melspectrogram(S=power, sr=RATE))
        courses = [
            feature.mfcc(S=decibels, n_mfcc=20),
            feature.chroma_stft(S=power, sr=RATE),
            feature.spectral_centroid(S=magnitude, sr=RATE),
            feature.spectral_bandwidth(S=magnitude, sr=RATE),
            feature.spectral_rolloff(S=magnitude, sr=RATE),
            feature.zero_crossing_rate(y),
            feature.rms(y=y),
        ]
        vector = [v for c in courses for v in (c.mean(axis=1), c.std(axis=1))]
        onsets = librosa.onset.onset_strength(S=decibels, sr=RATE)
        vector.append(feature.tempo(onset_envelope=onsets, sr=RATE))
        return np.concatenate(vector), decibels - decibels.max()

    return one


def essentia_frames() -> Callable[[np.ndarray], object]:
    from essentia import standard  # not a dependency: its licence is the AGPL

    window, transform = standard.Windowing(type="hann"), standard.Spectrum()
    mfcc, centroid = standard.MFCC(numberCoefficients=20), standard.Centroid(range=RATE / 2)
    rolloff, zcr, rms = standard.RollOff(), standard.ZeroCrossingRate(), standard.RMS()

    def one(y: np.ndarray) -> object:
        rows = []
        for frame in standard.FrameGenerator(y, frameSize=2048, hopSize=512):
            spectrum = transform(window(frame))
            scalars = [centroid(spectrum), rolloff(spectrum), zcr(frame), rms(frame)]
            rows.append([*mfcc(spectrum)[1], *scalars])
        courses = np.array(rows)
        return courses.mean(axis=0), courses.std(axis=0)

    return one


def genrescope_engine(
    *, compiled: bool = True, features: str = "paper"
) -> Callable[[np.ndarray], object]:
    from genrescope.features import extract, kernels
    from genrescope.settings import FeatureSettings

    if not compiled:
        kernels.library = lambda: None
    elif kernels.library() is None:
        raise ImportError("genrescope was installed without a compiler")
    settings = FeatureSettings.parse({"set": features})
    return lambda y: extract(y[np.newaxis], features=settings)


CONTENDERS: dict[str, tuple[Callable[[], Callable[[np.ndarray], object]], dict[str, str]]] = {
    OBVIOUS: (librosa_obvious, {}),
    WARM: (librosa_obvious, WARM_HEAP),
    SHARED: (librosa_shared, {}),
    ESSENTIA: (essentia_frames, {}),
    OURS: (genrescope_engine, {}),
    FALLBACK: (lambda: genrescope_engine(compiled=False), {}),
    EXTENDED: (lambda: genrescope_engine(features="extended"), {}),
}


def work(name: str, file: Path, core: int) -> None:
    """In the child: milliseconds of CPU time per clip, this process's and the kernel's for it."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})
    warnings.simplefilter("ignore")
    one, clips = CONTENDERS[name][0](), np.load(file)
    for y in clips[:WARM_UP]:
        one(y)
    before = resource.getrusage(resource.RUSAGE_SELF)
    for y in clips:
        one(y)
    after = resource.getrusage(resource.RUSAGE_SELF)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(1000 * seconds / len(clips))


def measure(name: str, file: Path, core: int) -> float | None:
    command = [sys.executable, __file__, "--work", name, str(file), "--core", str(core)]
    environment = {**os.environ, **ONE_THREAD, **CONTENDERS[name][1]}
    ran = subprocess.run(command, capture_output=True, text=True, env=environment)
    if ran.returncode:
        print(f"  {name}: left out ({ran.stderr.strip().splitlines()[-1]})")
        return None
    return float(ran.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--work", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        work(arguments.work[0], Path(arguments.work[1]), arguments.core)
        return
    print(describe_machine("numpy", "scipy", "librosa"))
    clips, what = real_clips(arguments.clips)
    print(f"{len(clips)} clips of {what}; milliseconds of CPU time per clip, one core\n")
    times: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    with TemporaryDirectory() as folder:
        file = Path(folder) / "clips.npy"
        np.save(file, clips)
        for _ in range(arguments.rounds):
            for name in list(times):
                taken = measure(name, file, arguments.core)
                if taken is None:
                    del times[name]
                else:
                    times[name].append(taken)
    print(f"\n{'':<34}{'median':>8}{'lowest':>8}{'highest':>9}   times genrescope's [rounds]")
    for name, values in times.items():
        ratios = np.array(values) / np.array(times[OURS])
        print(
            f"{name:<34}{np.median(values):8.2f}{min(values):8.2f}{max(values):9.2f}   "
            f"{np.median(ratios):5.1f} [{ratios.min():.1f}, {ratios.max():.1f}]"
        )


if __name__ == "__main__":
    main()
