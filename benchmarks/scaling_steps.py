"""The steps whose cost `scaling.py` models, each a command of its own over n clips or n files.

    python benchmarks/scaling_steps.py FOLDER STEP N

does one of them and prints what it found as a line of JSON. The folder holds the built-in loops;
clips are overlapping windows of them, ten a loop, files are hard links to them.
"""

import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from genrescope.corpora.corpus import Corpus
from genrescope.corpora.index import index_corpus
from genrescope.corpora.synthetic import write_synthetic
from genrescope.corpora.table import clip_id, clips_frame
from genrescope.features.extraction import export, extract_corpus
from genrescope.files import sha256_file
from genrescope.models.bundle import load_bundle
from genrescope.settings import AudioSettings, FeatureSettings, ModelSettings, SplitSettings
from genrescope.study.material import Material, prepare_material
from genrescope.study.training import train_bundle
from genrescope.taxonomy import Taxonomy, load_taxonomy

KOREAN = "korean"
LOOPS = 10_000
WINDOWS = 10  # of a loop
WINDOW_S = 1.5
EXPLAINED = 32  # clips
N_RESAMPLES = 1000

Facts = dict[str, Any]


def taxonomy() -> Taxonomy:
    return load_taxonomy("meta-genre")


@dataclass(frozen=True)
class Folder:
    """Where the material lies."""

    path: Path

    def loops(self) -> Path:
        """The built-in loops, rendered where they are not there yet (some five minutes)."""
        return write_synthetic(self.path / KOREAN, style="korean", size=LOOPS)

    def table(self, clips: int) -> Path:
        return self.path / f"windows-{clips}.parquet"

    def store(self, clips: int, kind: str = "store") -> Path:
        return self.path / f"{kind}-{clips}"

    def bundle(self, kind: str, clips: int) -> Path:
        return self.path / f"{kind}-{clips}"

    def files(self, count: int) -> Path:
        return self.path / f"files-{count}"


def prepare(folder: Folder, sizes: list[int]) -> None:
    """Write the tables of windows and link the files, where they are not there."""
    missing = [n for n in sizes if not folder.table(n).exists() or not folder.files(n).exists()]
    if not missing:
        return
    loops = index("synthetic", folder.loops())
    for n in missing:
        if not folder.table(n).exists():
            windows(loops, n).to_parquet(folder.table(n))
        if not folder.files(n).exists():
            link(loops, folder, n)


def index(form: str, root: Path) -> Corpus:
    return index_corpus(
        form, root, name="loops", culture="Korean-style", taxonomy=taxonomy(),
        options={"instruments": "all"} if form == "korean-loops" else {},
    )  # fmt: skip


def windows(loops: Corpus, n: int) -> Corpus:
    """The first n overlapping windows of loops; those of a song are a group."""
    # In an order of their own: sorted by path, the first are all of one genre.
    table = loops.clips.sample(frac=1, random_state=0).head(-(-n // WINDOWS))
    if len(table) * WINDOWS < n:
        raise ValueError(f"{len(table)} loops have fewer than {n} windows of {WINDOW_S} s")
    rows = table.loc[table.index.repeat(WINDOWS)].reset_index(drop=True)
    places = np.tile(np.linspace(0, 1, WINDOWS), len(table))
    rows["start_s"] = ((rows["duration_s"] - WINDOW_S) * places).round(3)
    rows["duration_s"] = WINDOW_S
    names = zip(rows["path"], rows["start_s"], strict=True)
    rows["clip_id"] = [clip_id("loops", Path(path).name, start_s) for path, start_s in names]
    return replace(loops, clips=clips_frame(rows.head(n)))


def link(loops: Corpus, folder: Folder, n: int) -> None:
    """Make n loops with their metadata out of those there are, in copies of the tree."""
    root = str(folder.path / KOREAN)
    partial = folder.files(n).with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    sounds = [str(path).removesuffix(".wav") for path in loops.clips["path"]]
    labels = [sound.replace("원천데이터", "라벨링데이터") for sound in sounds]
    made: set[str] = set()
    for k in range(n):
        sound, label = sounds[k % len(sounds)], labels[k % len(sounds)]
        for path in (f"{sound}.wav", f"{label}.mid", f"{label}.json"):
            target = f"{partial}/{k // len(sounds):02}{path.removeprefix(root)}"
            parent = target.rpartition("/")[0]
            if parent not in made:
                Path(parent).mkdir(parents=True, exist_ok=True)
                made.add(parent)
            os.link(path, target)
    partial.rename(folder.files(n))


def size_of(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(one.stat().st_size for one in path.rglob("*") if one.is_file())


def do_index(folder: Folder, n: int) -> Facts:
    corpus = index("korean-loops", folder.files(n))
    out = folder.path / f"indexed-{n}.parquet"
    corpus.to_parquet(out)
    return {"clips": len(corpus.clips), "failures": len(corpus.failures), "bytes": size_of(out)}


def do_digest(folder: Folder, n: int) -> Facts:
    paths = sorted(folder.files(n).rglob("*.wav"))
    together = hashlib.sha256()
    for path in paths:
        together.update(sha256_file(path).encode())
    return {"files": len(paths), "bytes": sum(path.stat().st_size for path in paths)}


def _extract(folder: Folder, n: int, *, kind: str, fresh: bool) -> Facts:
    store = folder.store(n, kind)
    if fresh:
        shutil.rmtree(store, ignore_errors=True)
    corpus = Corpus.from_parquet(folder.table(n))
    found = extract_corpus(corpus, store, workers=2, log_mels=kind == "maps")
    failures = len(found.failures)
    if failures > n / 100:  # some windows are silent
        raise RuntimeError(f"{failures} clips failed: {found.failures.iloc[0].tolist()}")
    return {
        "extracted": found.extracted, "clips": len(found.clip_ids),
        "failures": failures, "bytes": size_of(store),
    }  # fmt: skip


def do_extract(folder: Folder, n: int) -> Facts:
    return _extract(folder, n, kind="store", fresh=True)


def do_extract_with_maps(folder: Folder, n: int) -> Facts:
    return _extract(folder, n, kind="maps", fresh=True)


def do_found_again(folder: Folder, n: int) -> Facts:
    facts = _extract(folder, n, kind="store", fresh=False)
    if facts["extracted"]:
        raise RuntimeError("the store does not hold the features yet")
    return facts


def do_export(folder: Folder, n: int) -> Facts:
    corpus = Corpus.from_parquet(folder.table(n))
    features = extract_corpus(corpus, folder.store(n), log_mels=False)
    out = folder.path / f"features-{n}.csv"
    begun = time.process_time()
    export(features, corpus, out)
    return {"bytes": size_of(out), "alone_s": time.process_time() - begun}


def material(folder: Folder, n: int) -> Material:
    return prepare_material(
        Corpus.from_parquet(folder.table(n)), store=folder.store(n), audio=AudioSettings(),
        features=FeatureSettings(), split=SplitSettings(), workers=1, log_mels=False,
    )  # fmt: skip


def _train(folder: Folder, n: int, kind: str) -> Facts:
    ready = material(folder, n)
    out = folder.bundle(kind, n)
    begun = time.process_time()
    found = train_bundle(
        out, ModelSettings(kind=kind), [ready], name=kind, source="loops",
        genres=taxonomy().order(ready.clips["genre"]), taxonomy=taxonomy(),
        audio=AudioSettings(), features=FeatureSettings(), seed=0, n_resamples=N_RESAMPLES,
    )  # fmt: skip
    row = found["metrics"][0]
    return {
        "bytes": size_of(out), "alone_s": time.process_time() - begun,
        "trained": int((ready.parts[0] == "train").sum()), "held_out": row["n"],
        "macro_f1": row["macro_f1"],
    }  # fmt: skip


def do_train_forest(folder: Folder, n: int) -> Facts:
    return _train(folder, n, "forest")


def do_train_boosting(folder: Folder, n: int) -> Facts:
    return _train(folder, n, "boosting")


def _ask(folder: Folder, n: int, kind: str) -> Facts:
    """Answers to all n clips, from their features."""
    begun = time.process_time()
    model = load_bundle(folder.bundle(kind, n)).model
    loaded_s = time.process_time() - begun
    X = material(folder, n).features.vectors
    begun = time.process_time()
    answers = model.predict_proba(X)
    facts: Facts = {"clips": len(answers), "loaded_s": loaded_s}
    facts["alone_s"] = time.process_time() - begun
    if kind == "forest":
        trees = model.forest_.estimators_
        facts["leaves"] = int(np.mean([tree.get_n_leaves() for tree in trees]))
        facts["depth"] = int(max(tree.get_depth() for tree in trees))
    return facts


def do_ask_forest(folder: Folder, n: int) -> Facts:
    return _ask(folder, n, "forest")


def do_ask_boosting(folder: Folder, n: int) -> Facts:
    return _ask(folder, n, "boosting")


def _explain(folder: Folder, n: int, kind: str) -> Facts:
    from genrescope.explanations.shapley import shap_values

    model = load_bundle(folder.bundle(kind, n)).model
    X = material(folder, n).features.vectors
    few = X.iloc[np.linspace(0, len(X) - 1, EXPLAINED).astype(int)]
    begun = time.process_time()
    values = shap_values(model, few)
    taken_s = time.process_time() - begun
    return {"explained": EXPLAINED, "alone_s": taken_s, "residual": values.residual}


def do_explain_forest(folder: Folder, n: int) -> Facts:
    return _explain(folder, n, "forest")


def do_explain_boosting(folder: Folder, n: int) -> Facts:
    return _explain(folder, n, "boosting")


STEPS: dict[str, Callable[[Folder, int], Facts]] = {
    name.removeprefix("do_"): step for name, step in list(globals().items()) if name[:3] == "do_"
}


def main() -> None:
    folder, step, n = Folder(Path(sys.argv[1])), sys.argv[2], int(sys.argv[3])
    print(json.dumps(STEPS[step](folder, n)))


if __name__ == "__main__":
    main()
