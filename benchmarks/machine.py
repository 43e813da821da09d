"""What the benchmarks share: the machine in a line, one thread per process, clips to work on."""

import os
import platform
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from genrescope import __version__
from genrescope.audio.fit import load_clip
from genrescope.corpora.synthetic import write_synthetic
from genrescope.features import kernels
from genrescope.parallel import cpu_count

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
CLIP_S = 5.0


def describe_machine(*libraries: str) -> str:
    """Date, processor, versions: what a figure is worth nothing without."""
    processor = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        processor = names[0].split(":", 1)[1].strip() if names else processor
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in libraries)
    loops = "compiled" if kernels.library() else "numpy's"
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {processor}, {cpu_count()} cores, Python "
        f"{platform.python_version()}, genrescope {__version__} ({loops} loops), {versions}"
    )


def real_clips(count: int) -> tuple[np.ndarray, str]:
    """Clips of 5 s from `$GENRESCOPE_DATA/gtzan_mini`, or from the built-in corpus without it."""
    data = os.environ.get("GENRESCOPE_DATA")
    with TemporaryDirectory() as made:
        if data:
            root, what = Path(data) / "gtzan_mini", "gtzan_mini"
        else:
            root, what = write_synthetic(made, style="western", size=36), "the built-in corpus"
        paths = sorted(p for p in root.rglob("*") if p.suffix in (".flac", ".wav"))
        places = [(path, k * CLIP_S) for k in range(6) for path in paths][:count]
        clips = np.stack([load_clip(path, start_s=start_s) for path, start_s in places])
    return clips, what
