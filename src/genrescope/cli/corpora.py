"""Commands about corpora and their features."""

from pathlib import Path, PurePath
from typing import Annotated, Any

import typer

from genrescope.cli.console import (
    FeatureSet,
    Scheduler,
    Store,
    TaxonomyName,
    Workers,
    list_failures,
    local_path,
    out_option,
    place,
    say,
)


def index(
    format: Annotated[  # noqa: A002 (the word of the configuration)
        str, typer.Argument(help="gtzan, korean-loops, folder, feature-table or synthetic.")
    ],
    root: Annotated[
        PurePath,
        typer.Argument(
            parser=place,
            metavar="ROOT",
            help="The corpus's folder, a feature table's CSV, or the URL of either.",
        ),
    ],
    out: Annotated[
        PurePath,
        out_option("The corpus table (.parquet), or its URL."),
    ],
    name: Annotated[str | None, typer.Option(help="Name of the corpus [the file's].")] = None,
    culture: Annotated[str, typer.Option(help="Its musical culture.")] = "unknown",
    taxonomy: TaxonomyName = "meta-genre",
    option: Annotated[
        list[str] | None, typer.Option(help="A setting of the format, as KEY=VALUE; repeatable.")
    ] = None,
) -> None:
    """List the clips of a corpus in one table, and what could not be used beside it."""
    from genrescope.corpora.index import index_corpus
    from genrescope.taxonomy import load_taxonomy

    corpus = index_corpus(
        format,
        root,
        name=name or out.stem,
        culture=culture,
        taxonomy=load_taxonomy(taxonomy),
        options=_options(option or []),
    )
    corpus.to_parquet(out)
    summary = corpus.summary()
    typer.echo(
        f"{summary['name']}: {summary['usable']} clips with a genre of {summary['clips']}, "
        f"{summary['tracks']} tracks, {summary['groups']} groups"
    )
    for title in ("genres", "group_kinds", "unmapped", "failures"):
        if summary[title]:
            counts = ", ".join(f"{key} {count}" for key, count in summary[title].items())
            typer.echo(f"  {title.replace('_', ' ')}: {counts}")
    for note in corpus.notes:
        say(f"note: {note}")
    typer.echo(f"table: {out}")
    list_failures(corpus.failures, out.with_name(f"{out.stem}.failures.csv"))


def _options(pairs: list[str]) -> dict[str, Any]:
    import yaml

    from genrescope.errors import ConfigError

    options = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise ConfigError(f"the option {pair!r} is not of the form KEY=VALUE")
        options[key] = yaml.safe_load(value)
    return options


def audit(
    tables: Annotated[
        list[PurePath],
        typer.Argument(
            parser=place, metavar="CORPUS...", help="Tables, from `corpus index`, or their URLs."
        ),
    ],
    out: Annotated[
        Path | None,
        out_option("Folder for the tables of what was found.", parser=local_path),
    ] = None,
    split: Annotated[
        Path | None, typer.Option(help="A run's splits.parquet: its first split is checked too.")
    ] = None,
    workers: Workers = None,
) -> None:
    """Listen to corpora: duplicates, leaks, faults, and what tells genres apart but is no music."""
    from genrescope.corpora.audit import audit, read_parts
    from genrescope.corpora.corpus import Corpus

    corpora = [Corpus.from_parquet(table) for table in tables]
    parts = None if split is None else read_parts(split)
    found = audit(corpora, parts=parts, workers=workers)
    typer.echo(found.text())
    if out is not None:
        for written in found.write(out):
            typer.echo(f"table: {written}")
    list_failures(found.failures, None)


def synth(
    folder: Annotated[
        Path,
        typer.Argument(parser=local_path, metavar="DIR", help="Gets western/ and korean/."),
    ],
    western: Annotated[int | None, typer.Option(min=6, help="Tracks of 30 s.")] = None,
    korean: Annotated[int | None, typer.Option(min=6, help="Loops of about 3 s.")] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same files.")] = 0,
    workers: Workers = None,
) -> None:
    """Write the two built-in corpora, which are synthetic, as files."""
    from genrescope.corpora.synthetic import write_synthetic

    typer.echo(
        write_synthetic(
            folder / "western", style="western", size=western, seed=seed, workers=workers
        )
    )
    typer.echo(
        write_synthetic(folder / "korean", style="korean", size=korean, seed=seed, workers=workers)
    )


def features(
    corpus: Annotated[
        PurePath,
        typer.Argument(
            parser=place, metavar="CORPUS", help="A corpus table, from `corpus index`, or its URL."
        ),
    ],
    out: Annotated[
        PurePath,
        out_option("Folder or URL for the CSV and the .npy."),
    ],
    feature_set: FeatureSet = "paper",
    store: Store = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
) -> None:
    """Write a corpus's features (CSV) and its log-mel spectrograms (.npy)."""
    from genrescope.corpora.corpus import Corpus
    from genrescope.dask_workers import open_workers
    from genrescope.settings import FeatureSettings
    from genrescope.study.single import write_features

    settings = FeatureSettings.parse({"set": feature_set}, where="features")
    loaded = Corpus.from_parquet(corpus)
    with open_workers(scheduler, workers) as used:
        extracted = write_features(loaded, out, features=settings, store=store, workers=used)
    typer.echo(f"{len(extracted.clip_ids)} clips: {out / loaded.name}.csv")
    list_failures(extracted.failures, None)
