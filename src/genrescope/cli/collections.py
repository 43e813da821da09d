"""Commands that ask trained models about sound files: which genre, and why."""

from pathlib import Path
from typing import Annotated

import typer

from genrescope.cli.console import say_failures, share


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
    from genrescope.collection.explaining import explain_files
    from genrescope.errors import GenrescopeError

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
