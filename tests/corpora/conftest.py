import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from genrescope.taxonomy import Taxonomy, load_taxonomy

RATE = 8000


@pytest.fixture(scope="session")
def meta_genre() -> Taxonomy:
    return load_taxonomy("meta-genre")


@pytest.fixture(scope="session")
def tone() -> Callable[..., Path]:
    """Write a sine of so many seconds; the suffix decides the format."""

    def write(path: Path, seconds: float = 1.0, *, rate: int = RATE) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.3 * np.sin(np.arange(round(seconds * rate)) * 0.2), rate)
        return path

    return write


@pytest.fixture
def loops(tmp_path: Path, tone: Callable[..., Path]) -> "LoopTree":
    return LoopTree(tmp_path / "loops", tone)


class LoopTree:
    """A loop collection as its publisher would lay it out, built file by file."""

    def __init__(self, root: Path, tone: Callable[..., Path]) -> None:
        self.root = root
        self._tone = tone
        root.mkdir()

    def add(
        self,
        stem: str,
        *,
        genre: Any = "GN0600",
        instrument: Any = "드럼",
        content: Any = None,
        seconds: float | None = 1.0,
        sounds: str = "",
        labels: str = "",
        midi: bool = True,
        encoding: str = "utf-8",
        **extra: Any,
    ) -> None:
        if content is None:
            content = {
                "music_type_info": {"music_genre_cd": genre, "tempo": []},
                "instrument_cd": instrument,
                "notes": [{"duration": 0.25}, {"duration": 0.5}],
                **extra,
            }
        if seconds is not None:
            self._tone(self.root / sounds / f"{stem}.wav", seconds)
        if midi:
            (self.root / sounds / f"{stem}.mid").parent.mkdir(parents=True, exist_ok=True)
            (self.root / sounds / f"{stem}.mid").write_bytes(b"MThd")
        path = self.root / labels / f"{stem}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
        path.write_bytes(text.encode(encoding))
