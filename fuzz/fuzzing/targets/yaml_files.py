"""YAML that people write: configurations, taxonomies, claims, code tables."""

import functools
from pathlib import Path
from random import Random

from fuzzing.target import Target, scratch, typed_errors
from fuzzing.yaml_text import BOMB, change_yaml
from genrescope import taxonomy
from genrescope.config import load_config
from genrescope.corpora.index import index_corpus
from genrescope.corpora.korean_metadata import read_codes
from genrescope.models import MODELS, create_model, model_class
from genrescope.report.claims.claims_file import load_claims
from genrescope.study.provenance import resolved_yaml

for _kind in MODELS:
    model_class(_kind)  # with its libraries, before memory is limited
GENRES = taxonomy.load_taxonomy("meta-genre")
CONFIG = b"""name: west-to-korea
taxonomy: meta-genre
corpora:
  western: {format: folder, root: music, culture: Western, segments: all, offset_s: 1.5}
  korean: {format: korean-loops, root: loops, culture: Korean, instruments: [drums], keys: {genre: g}}
  table: {format: feature-table, root: t.csv, label: label, exclude: [length]}
sources: [western, western+korean]
targets: [western, korean]
models:
  forest: {n_estimators: 500}
  trees: {kind: boosting, seeds: 1}
audio: {sample_rate: 22050, clip_seconds: 5.0, fit: loop}
features: {n_fft: 2048, hop_length: 512}
split: {train: 0.70, validation: 0.15, test: 0.15, group: artist, seeds: [0, 1]}
shift: {stems: stems, shots: [0, 5]}
"""
CLAIMS = b"""about: The claims of a paper.
corpora: {gtzan: gtzan, korean: korean-loops}
claims:
  - {kind: order, claim: Forest first., models: [forest, cnn], source: gtzan, target: korean}
  - {kind: drop, claim: It falls., source: gtzan, target: [korean], at_least: 0.1, at_most: 0.5}
  - {kind: value, claim: It is so., source: gtzan, target: gtzan, value: 0.7, within: 0.05}
  - {kind: feature, claim: Tempo counts., feature: tempo, model: forest, source: gtzan, top: 3}
"""
CODES = b"codes:\n  GN01: [ballad, x]\n  GN02: rock\n  3: dance\n"


@functools.cache
def seeds() -> tuple[bytes, ...]:
    """One of each kind, which the first byte names, and an alias bomb."""
    folder = Path(taxonomy.__file__).parent / "taxonomies"
    genres = (folder / "meta-genre.yaml").read_bytes()
    small = b"genres: [A, B]\nlabels: {A: [a1, a2], B: [b1]}\n"
    bombs = (b"\0" + CONFIG + BOMB, b"\1" + BOMB + b"genres: *i\n", b"\3" + BOMB)
    return (b"\0" + CONFIG, b"\1" + genres, b"\1" + small, b"\2" + CLAIMS, b"\3" + CODES, *bombs)


def check(data: bytes) -> None:
    """Read a file of each kind to the point where work would begin."""
    with scratch() as folder:
        path = folder / "f.yaml"
        path.write_bytes(data[1:])
        with typed_errors():
            if data[:1] == b"\0":
                _check_config(path)
            elif data[:1] == b"\1":
                genres = taxonomy.load_taxonomy(str(path))
                genres.genre_of("rock")
                genres.to_dict()
            elif data[:1] == b"\2":
                load_claims(path)
            else:
                read_codes([path])


def _check_config(path: Path) -> None:
    config = load_config(path)
    resolved_yaml(config)
    for model in config.models.values():
        with typed_errors():
            create_model(model.kind, **model.params)
    for name, corpus in config.corpora.items():
        if corpus.format == "synthetic" or corpus.root is None:
            continue
        if not corpus.root.is_relative_to(path.parent):
            continue  # some other place of this machine
        with typed_errors():
            index_corpus(
                corpus.format, corpus.root, name=name, culture=corpus.culture,
                taxonomy=GENRES, options=corpus.options,
            )  # fmt: skip


def mutate(data: bytes, rng: Random) -> bytes:
    """Change the YAML."""
    return data[:1] + change_yaml(data[1:], rng)


TARGET = Target(check, seeds, mutate, memory=2**28, longest=2**14, examples=200)
