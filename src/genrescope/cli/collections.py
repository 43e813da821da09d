"""Commands that ask trained models about sound files: which genre, and why."""

from collections import Counter
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Annotated

import typer

from genrescope.cli.console import (
    Scheduler,
    Workers,
    local_path,
    out_option,
    say,
    say_failures,
    share,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from genrescope.collection.listing import Listed
    from genrescope.errors import GenrescopeError
    from genrescope.remote import UrlPath

Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="[BUNDLE...] AUDIO",
        help="Trained models first, where not the demo's; then sound files, folders, quoted "
        "patterns, playlists (.m3u), URLs of these, or - for a list on standard input.",
        show_default=False,
    ),
]


def predict(
    inputs: Inputs,
    format: Annotated[  # noqa: A002 (the word of the option)
        str, typer.Option(help="table, csv, json or jsonl.")
    ] = "table",
    out: Annotated[
        Path | None,
        out_option("A file; a run that is killed goes on.", parser=local_path),
    ] = None,
    exists: Annotated[
        str, typer.Option(help="Where -o is there: fail, skip what it answers for, or overwrite.")
    ] = "fail",
    timeline: Annotated[bool, typer.Option("--timeline", help="Say which genre when.")] = False,
    coverage: Annotated[
        float, typer.Option(help="Of the prediction sets, where a model was calibrated.")
    ] = 0.9,
    workers: Workers = None,
    scheduler: Scheduler = None,
) -> None:
    """Label sound files, with the probability of every genre."""
    from genrescope.collection.predicting import Wanted, name_models, predict_files
    from genrescope.collection.prediction_file import EXISTS, write_predictions
    from genrescope.dask_workers import open_workers
    from genrescope.errors import GenrescopeError
    from genrescope.progress import progress
    from genrescope.report.layouts import FORMATS, create_layout

    one_of(format, FORMATS)
    one_of(exists, EXISTS)
    bundles, files = models_and_files(inputs)
    models, genres = name_models(bundles)
    wanted = Wanted(timeline, coverage)
    if out is not None:
        with open_workers(scheduler, workers) as used:
            done = write_predictions(
                out,
                models,
                files,
                format=format,
                genres=genres,
                wanted=wanted,
                exists=exists,
                workers=used,
            )
        if done.kept:
            say(f"{done.kept:,} files were in {out} before and stay as they are")
        if done.resumed:
            say(f"{done.resumed:,} files were done by a run that was stopped")
        _say_counts(done.answered, done.failures)
        say_failures(done.failures, of=done.answered + len(done.failures), table=done.failures_file)
        return
    layout = create_layout(
        format,
        paths=[file for file in files if isinstance(file, str)],
        models=[model.label for model in models],
        genres=genres,
        timeline=timeline,
    )
    failures = []
    typer.echo(layout.start(), nl=False)
    with (
        open_workers(scheduler, workers) as used,
        progress(len(files), "predicting", unit="files") as bar,
    ):
        for outcome in predict_files(models, files, wanted=wanted, workers=used):
            bar.advance()
            if isinstance(outcome, GenrescopeError):
                failures.append(outcome)
            else:
                typer.echo("".join(map(layout.text, outcome)), nl=False)
    typer.echo(layout.end(), nl=False)
    _say_counts(len(files) - len(failures), failures)
    say_failures(failures, of=len(files))


def explain(
    inputs: Inputs,
    out: Annotated[
        PurePath,
        out_option("Folder or URL for pages, pictures, sounds."),
    ],
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

    bundles, files = models_and_files(inputs)
    if len(bundles) > 1:
        raise typer.BadParameter("one model at a time is explained")
    failures: list[GenrescopeError] = [file for file in files if isinstance(file, GenrescopeError)]
    answers = explain_files(
        bundles[0],
        [file for file in files if isinstance(file, str)],
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
    say_failures(failures, of=len(files))


def models_and_files(
    inputs: list[str], *, addresses: bool = True
) -> "tuple[list[Path | UrlPath], list[Listed]]":
    """Divide the arguments into models and sounds; say which model answers where none is named."""
    from genrescope.collection.bundles import choose_bundles
    from genrescope.collection.listing import list_sounds

    chosen = choose_bundles(inputs)
    if not chosen.sounds:
        raise typer.BadParameter("models are named, but no sound to ask them about")
    if chosen.note:
        say(chosen.note)
    return chosen.bundles, list_sounds(chosen.sounds, addresses=addresses)


def one_of(value: str, known: "Sequence[str]") -> None:
    """Refuse an option's value that is not known, as wrong usage."""
    if value not in known:
        raise typer.BadParameter(f"{value!r} is not one of {', '.join(known)}")


def _say_counts(answered: int, failures: "Sequence[GenrescopeError]") -> None:
    if answered + len(failures) < 2:
        return
    kinds = ", ".join(
        f"{kind} {count}" for kind, count in sorted(Counter(f.kind for f in failures).items())
    )
    failed = f", {len(failures):,} failed ({kinds})" if failures else ""
    say(f"{answered:,} files answered{failed}")
