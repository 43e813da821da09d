"""What the commands share: their common options, how they speak, how they end."""

from collections.abc import Callable, Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import pandas as pd

    from genrescope.errors import GenrescopeError

FAILED, SOME_FAILED = 1, 3
LISTED_FAILURES = 20

Workers = Annotated[int | None, typer.Option(min=1, help="Processes; all usable cores if unset.")]
Scheduler = Annotated[
    str | None,
    typer.Option(
        help="Dask scheduler to work on, tcp://... or tls://...; or dask, started on this machine."
    ),
]
TaxonomyName = Annotated[
    str, typer.Option(help="meta-genre, labels (each label a genre), another name, or a .yaml.")
]
Store = Annotated[
    str | None, typer.Option(help="Folder or URL of a feature store that other commands share.")
]
FeatureSet = Annotated[
    str, typer.Option("--features", help="paper (75 features) or extended (182).")
]
Group = Annotated[str, typer.Option(help="What never crosses a split: artist, track or none.")]


def place(text: str) -> PurePath:
    """A path of this machine or a URL, from the command line."""
    from genrescope.remote import place_of

    return place_of(text)


def local_path(text: str) -> Path:
    """A path of this machine, from the command line; a URL is wrong usage."""
    found = place(text)
    if not isinstance(found, Path):
        raise typer.BadParameter(f"{text} is an address; a path of this machine is needed")
    return found


def out_option(help: str, *, parser: Callable[[str], PurePath] = place) -> Any:  # noqa: A002
    """The option that says where a command writes: a path or a URL, or a path alone."""
    return typer.Option("-o", "--out", parser=parser, metavar="PATH", help=help)


def share(value: Any) -> str:
    """A share between 0 and 1 in two digits, without the zero before the point.

    Examples
    --------
    >>> share(0.8149), share(1.0)
    ('.81', '1.00')
    """
    return "–" if value != value else f"{value:.2f}".replace("0.", ".", 1)


def say_failures(
    failures: "Sequence[GenrescopeError]", *, of: int, table: Path | None = None
) -> None:
    """Name the failures among so many inputs and leave with exit code 3, or 1 if all failed.

    All of them, unless a table lists them.
    """
    named = failures if table is None else failures[:LISTED_FAILURES]
    for failure in named:
        say(f"failed: {failure}")
    if len(failures) > len(named):
        say(f"and {len(failures) - len(named)} more")
    if failures and table is not None:
        say(f"all of them, by kind: {table}")
    if failures:
        raise typer.Exit(SOME_FAILED if len(failures) < of else FAILED)


def list_failures(failures: "pd.DataFrame", table: PurePath | None) -> None:
    """Name what failed on standard error and leave with exit code 3; return where all is well."""
    if failures.empty:
        return
    say(f"{len(failures)} inputs could not be used:")
    for row in failures.head(LISTED_FAILURES).itertuples():
        say(f"  {row.path}: {row.reason}")
    if len(failures) > LISTED_FAILURES:
        say(f"  and {len(failures) - LISTED_FAILURES} more")
    if table is not None:
        say(f"all of them, by kind: {table}")
    raise typer.Exit(SOME_FAILED)


def say(text: str) -> None:
    """Print a line on standard error."""
    typer.echo(text, err=True)
