import os
import subprocess
import sys
import time

import psutil
import pytest
import soundfile
from tones import RATE, pitch_bundle, tone

FILES = 300
GROWTH_MB = 8.0  # 10 KB a file; its sound has 50, the clip made of it 430


@pytest.mark.slow
def test_neither_memory_nor_open_files_grow_with_the_files_that_are_read(tmp_path):
    """A short version of `benchmarks/long_run.py`."""
    bundle, music = pitch_bundle(tmp_path / "pitch"), tmp_path / "music"
    music.mkdir()
    soundfile.write(music / "00000.wav", tone(110, 0.6), RATE)
    for n in range(1, FILES):
        os.link(music / "00000.wav", music / f"{n:05}.wav")
    command = [sys.executable, "-m", "genrescope", "predict", str(bundle), str(music)]
    looks: dict[int, list[tuple[int, float]]] = {}
    with psutil.Popen(
        [*command, "--workers", "1", "--format", "csv"], stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout.readline().startswith("path,")
        for done, _ in enumerate(run.stdout, start=1):
            if done % 5 or done > FILES - 50:  # the end is no part of the run
                continue
            for process in [run, *run.children(recursive=True)]:
                look = process.num_fds(), process.memory_info().rss / 2**20
                looks.setdefault(process.pid, []).append(look)
            time.sleep(0.001)
    assert run.returncode == 0 and done == FILES
    most = max(len(of) for of in looks.values())
    long_lived = [of[most // 3 :] for of in looks.values() if len(of) == most]
    assert len(long_lived) >= 2  # the command and a worker
    for of in long_lived:
        counts = [count for count, _ in of]
        assert max(counts) - min(counts) <= 2  # a sound may be open
        assert of[-1][1] - of[0][1] < GROWTH_MB
