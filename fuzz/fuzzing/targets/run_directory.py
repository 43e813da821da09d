"""Run directories as the command `claims` and the audit read them, and claims of anyone."""

import functools
import json

import numpy as np
import pandas as pd

from fuzzing.folder import change_files, pack, unpack, write
from fuzzing.target import Target, scratch, typed_errors
from genrescope.corpora.audit import read_parts
from genrescope.evaluation.cells import Cell, evaluate_cell
from genrescope.report.claims.checking import check_claims
from genrescope.report.claims.claims_file import load_claims
from genrescope.report.claims.text import FORMATS, render_claims
from genrescope.report.run_directory import RunDirectory

GENRES = ["Blues-like", "Pop/Dance/RnB", "Rock/Metal"]
CLAIMS = b"""corpora: {gtzan: gtzan, korean: korean-loops}
claims:
  - {kind: order, claim: Forest first., models: [forest, linear], source: gtzan, target: korean}
  - {kind: drop, claim: It falls., source: gtzan, target: korean, scores: [macro_f1, accuracy]}
  - {kind: above_guess, claim: Better., models: forest, source: gtzan, target: gtzan}
  - {kind: best_genre, claim: Rock., genre: Rock/Metal, source: gtzan, target: korean}
  - {kind: feature, claim: Tempo., feature: tempo, model: forest, source: gtzan, top: 3}
  - {kind: steadiest_map, claim: Rock., genre: Rock/Metal, source: gtzan}
"""


def _predictions(seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    codes = np.arange(18) % 3
    shares = rng.dirichlet([1, 1, 1], 18) + 0.5 * np.eye(3)[codes]
    shares /= shares.sum(axis=1, keepdims=True)
    frame = pd.DataFrame(
        {
            "seed": 0, "part": np.where(np.arange(18) % 2, "test", "train"),
            "clip_id": [f"c{n}" for n in range(18)], "group": [f"g{n // 2}" for n in range(18)],
            "genre": np.array(GENRES)[codes], "predicted": np.array(GENRES)[shares.argmax(axis=1)],
        }
    )  # fmt: skip
    return pd.concat([frame, pd.DataFrame(shares, columns=GENRES)], axis=1)


@functools.cache
def seeds() -> tuple[bytes, ...]:
    """A run of two models and two corpora, with what explanations the claims ask for."""
    files: dict[str, bytes] = {"claims.yaml": CLAIMS}
    rows = []
    for number, (model, target) in enumerate(
        (model, target) for model in ("forest", "linear") for target in ("gtzan", "korean")
    ):
        cell, frame = Cell(model, "gtzan", target), _predictions(number)
        files[f"{cell.folder}/predictions.csv"] = frame.to_csv(index=False).encode()
        rows += evaluate_cell(frame, cell=cell, genres=GENRES, n_resamples=100)
    files["results.csv"] = pd.DataFrame(rows).to_csv(index=False).encode()
    facts = {"culture": "Western", "format": "gtzan", "synthetic": False, "clips": 18}
    info = {
        "name": "r", "genres": GENRES, "seeds": [0], "n_resamples": 100,
        "corpora": {"gtzan": facts, "korean": facts | {"format": "korean-loops", "culture": "K"}},
        "sources": ["gtzan"], "targets": ["gtzan", "korean"],
        "models": {"forest": {"kind": "forest"}, "linear": {"kind": "linear"}},
    }  # fmt: skip
    files["run.json"] = json.dumps(info).encode()
    where = "explanations/shap/forest/gtzan"
    files[f"{where}/top_features.csv"] = b"feature,mean_abs_shap\ntempo,0.2\nrms_mean,0.1\n"
    files[f"{where}/per_class.csv"] = b"feature,a,b\ntempo,0.2,0.3\nrms_mean,0.1,0.1\n"
    stable = "explanations/stability/forest/gtzan"
    files[f"{stable}/stability.csv"] = b"feature,rank_low,rank_high\ntempo,1,2\nrms_mean,1,3\n"
    files[f"{stable}/stability.json"] = b'{"n": 5, "stable": true}'
    files["explanations/quality/gtzan/table.csv"] = (
        "method,measure,genre,value,low,high,n\n"
        + "".join(f"grad_cam,sensitivity,{genre},0.2,0.1,0.3,5\n" for genre in GENRES)
    ).encode()
    files["explanations/grad_cam/gtzan/index.json"] = json.dumps(
        [{"genre": genre, "kind": "right", "empty": []} for genre in GENRES]
    ).encode()
    with scratch() as folder:
        table = pd.DataFrame({"seed": 0, "corpus": "gtzan", "clip_id": ["a", "b"], "part": "test"})
        table.to_parquet(folder / "splits.parquet")
        files["splits.parquet"] = (folder / "splits.parquet").read_bytes()
    return (pack(files),)


def check(data: bytes) -> None:
    """Hold claims against a run: verdicts in every format, or a sentence."""
    with scratch() as folder:
        write(unpack(data), folder)
        with typed_errors():
            read_parts(folder / "splits.parquet")
        with typed_errors(), np.errstate(all="ignore"):
            found = check_claims(RunDirectory.open(folder), load_claims(folder / "claims.yaml"))
            for name in FORMATS:
                assert render_claims(found, name)


TARGET = Target(check, seeds, change_files, longest=2**17, examples=30)
