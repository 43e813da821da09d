"""The command that holds claims against a finished run."""

from pathlib import Path, PurePath
from typing import Annotated

import typer

from genrescope.cli.console import local_path, out_option, place


def claims(
    run: Annotated[
        PurePath,
        typer.Argument(
            parser=place, metavar="RUN", help="A run directory, from `study`, or its URL."
        ),
    ],
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[CLAIMS]", help="A YAML file of claims [the paper's]."),
    ] = None,
    format: Annotated[  # noqa: A002 (the word of the option)
        str, typer.Option(help="table, json or csv.")
    ] = "table",
    out: Annotated[Path | None, out_option("A file, not the screen.", parser=local_path)] = None,
) -> None:
    """Say of each claim whether the run supports it, contradicts it, or cannot decide."""
    from genrescope.files import write_text
    from genrescope.report.claims.checking import check_claims
    from genrescope.report.claims.claims_file import load_claims
    from genrescope.report.claims.text import FORMATS, render_claims
    from genrescope.report.run_directory import RunDirectory

    if format not in FORMATS:
        raise typer.BadParameter(f"{format!r} is not one of {', '.join(FORMATS)}")
    found = check_claims(RunDirectory.open(run), load_claims(file))
    text = render_claims(found, format)
    if out is None:
        typer.echo(text, nl=False)
    else:
        write_text(out, text)
