"""The command that trains one model."""

from pathlib import PurePath
from typing import Annotated

import typer

from genrescope.cli.console import (
    FeatureSet,
    Group,
    Store,
    TaxonomyName,
    Workers,
    list_failures,
    out_option,
    place,
    say,
    share,
)


def train(
    corpus: Annotated[
        PurePath,
        typer.Argument(
            parser=place,
            metavar="CORPUS",
            help="A corpus table, a folder of genre folders, or the URL of either.",
        ),
    ],
    out: Annotated[
        PurePath,
        out_option("The bundle to write, or its URL."),
    ],
    model: Annotated[
        str,
        typer.Option("-m", "--model", help="forest, boosting, linear, svm, ensemble or cnn."),
    ] = "linear",
    feature_set: FeatureSet = "extended",
    taxonomy: TaxonomyName = "labels",
    group: Group = "artist",
    seed: Annotated[int, typer.Option(help="Of the split and the model.")] = 0,
    store: Store = None,
    workers: Workers = None,
) -> None:
    """Train one model and keep it as a bundle, with its scores on clips it did not learn from."""
    from genrescope.report.answers import coverage_line
    from genrescope.settings import FeatureSettings
    from genrescope.study.single import open_corpus, train_single
    from genrescope.taxonomy import load_taxonomy

    settings = FeatureSettings.parse({"set": feature_set}, where="features")
    loaded = open_corpus(corpus, taxonomy=load_taxonomy(taxonomy))
    trained = train_single(
        loaded,
        out,
        kind=model,
        taxonomy=load_taxonomy(taxonomy),
        features=settings,
        group=group,
        seed=seed,
        store=store,
        workers=workers,
        tell=say,
    )
    for warning in trained.warnings:
        say(f"note: {warning}")
    for row in trained.metrics:
        typer.echo(
            f"held-out clips: {row['n']}, macro-F1 {share(row['macro_f1'])} "
            f"[{share(row['macro_f1_low'])}, {share(row['macro_f1_high'])}], accuracy "
            f"{share(row['accuracy'])}, majority guess {share(row['majority_accuracy'])}"
        )
    if trained.coverage is not None:
        typer.echo(coverage_line(trained.coverage))
    typer.echo(f"bundle: {out}")
    list_failures(trained.failures, None)
