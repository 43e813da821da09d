import os

import psutil
import soundfile
from tones import RATE, pitch_bundle, tone

from genrescope.collection.predicting import cut_shards, name_models, predict_files

FILES = 800
GROWTH_MB = 8.0  # 10 KB a file; its sound has 50, the clip made of it 430


def test_neither_memory_nor_open_files_grow_with_the_files_that_are_read(tmp_path):
    """A short version of `benchmarks/long_run.py`."""
    bundle = pitch_bundle(tmp_path / "pitch")
    first = tmp_path / "00000.wav"
    soundfile.write(first, tone(110, 0.6), RATE)
    files = [str(first)]
    for n in range(1, FILES):
        os.link(first, path := str(tmp_path / f"{n:05}.wav"))
        files.append(path)
    models, _ = name_models([bundle])
    a_shard = len(cut_shards(models, files)[0].files)
    looks: dict[int, list[tuple[int, float]]] = {}
    main = psutil.Process()
    for done, _ in enumerate(predict_files(models, files, workers=1), start=1):
        if done % a_shard:
            continue
        for process in [main, *main.children(recursive=True)]:
            look = process.num_fds(), process.memory_info().rss / 2**20
            looks.setdefault(process.pid, []).append(look)
    assert done == FILES
    long_lived = {pid: of for pid, of in looks.items() if len(of) > 0.8 * FILES / a_shard}
    assert len(long_lived) >= 2  # this process and a worker
    for of in long_lived.values():
        warm = of[len(of) // 5 :]
        assert {files for files, _ in warm} == {warm[0][0]}
        assert warm[-1][1] - warm[0][1] < GROWTH_MB
