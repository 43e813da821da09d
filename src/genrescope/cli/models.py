"""Commands that train one model, and that ask it which genre and why."""

from pathlib import Path
from typing import Annotated

import typer

from genrescope.cli.console import (
    FeatureSet,
    Group,
    Store,
    TaxonomyName,
    Workers,
    list_failures,
    say,
    say_failures,
    share,
)


def train(
    corpus: Annotated[Path, typer.Argument(help="A corpus table, or a folder of genre folders.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The bundle to write.")],
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
    """Train one model and keep it as a bundle, with its score on held-out clips."""
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
    )
    for warning in trained.warnings:
        say(f"note: {warning}")
    for row in trained.metrics:
        typer.echo(
            f"held-out clips: {row['n']}, macro-F1 {share(row['macro_f1'])} "
            f"[{share(row['macro_f1_low'])}, {share(row['macro_f1_high'])}], accuracy "
            f"{share(row['accuracy'])}, majority guess {share(row['majority_accuracy'])}"
        )
    typer.echo(f"bundle: {out}")
    list_failures(trained.failures, None)


def predict(
    bundle: Annotated[Path, typer.Argument(help="A trained model.")],
    audio: Annotated[list[Path], typer.Argument(help="Sound files.")],
    format: Annotated[  # noqa: A002 (the word of the option)
        str, typer.Option(help="table, csv or json.")
    ] = "table",
    out: Annotated[Path | None, typer.Option("-o", "--out", help="A file, not the screen.")] = None,
) -> None:
    """Label sound files, with the probability of every genre."""
    from genrescope.errors import GenrescopeError
    from genrescope.files import write_text
    from genrescope.models.predictor import Predictor
    from genrescope.report.answers import FORMATS, render

    if format not in FORMATS:
        raise typer.BadParameter(f"{format!r} is not one of {', '.join(FORMATS)}")
    predictor = Predictor.load(bundle)
    answers = list(predictor.from_files(audio))
    failures = [answer for answer in answers if isinstance(answer, GenrescopeError)]
    text = render([answer for answer in answers if not isinstance(answer, GenrescopeError)], format)
    if out is None:
        typer.echo(text, nl=False)
    else:
        write_text(out, text)
    say_failures(failures, of=len(answers))


def explain(
    bundle: Annotated[Path, typer.Argument(help="A trained model.")],
    audio: Annotated[list[Path], typer.Argument(help="Sound files.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for pages, pictures, sounds.")],
    target: Annotated[
        str | None, typer.Option(help="The genre to ask about [the one that is heard].")
    ] = None,
    against: Annotated[
        str | None, typer.Option(help="Ask why the target rather than this genre.")
    ] = None,
    method: Annotated[
        str | None, typer.Option(help="cnn: occlusion or grad_cam; others have one each.")
    ] = None,
    moments: Annotated[int, typer.Option(min=1, help="Telling moments shown of each file.")] = 3,
    language: Annotated[str, typer.Option(help="Of the sentences: en or ko.")] = "en",
) -> None:
    """Say why: what decided in each file, in pictures, words and sound."""
    from genrescope.errors import GenrescopeError
    from genrescope.study.explain_files import explain_files

    failures = []
    answers = explain_files(
        bundle,
        audio,
        out,
        target=target,
        against=against,
        method=method,
        moments=moments,
        language=language,
    )
    for answer in answers:
        if isinstance(answer, GenrescopeError):
            failures.append(answer)
            continue
        typer.echo(f"{answer.path}  {answer.genre} {share(answer.probability)}  {answer.page}")
        for sentence in answer.sentences:
            typer.echo(f"  {sentence}")
    say_failures(failures, of=len(audio))
