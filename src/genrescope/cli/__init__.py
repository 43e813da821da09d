"""The command line: parse, call, print. Results go to standard output, all else to standard error.

Each command imports what it needs when it runs, so that `--help` answers at once.
"""

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from genrescope.cli import claims, collections, corpora, models, serve, studies
from genrescope.cli.console import FAILED, say

app = typer.Typer(
    name="genrescope",
    help="Which genre is this, why, and does the answer survive another musical culture?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
corpus_app = typer.Typer(no_args_is_help=True, help="Index, render and look at corpora.")
app.add_typer(corpus_app, name="corpus")
COMMANDS: dict[typer.Typer, tuple[Callable[..., None], ...]] = {
    app: (
        studies.demo,
        studies.study,
        studies.shift,
        claims.claims,
        corpora.features,
        models.train,
        collections.predict,
        collections.explain,
        serve.serve,
    ),
    corpus_app: (corpora.index, corpora.audit, corpora.synth),
}
for place, commands in COMMANDS.items():
    for command in commands:
        place.command()(command)


@app.callback()
def _common(
    debug: Annotated[bool, typer.Option(help="Show the traceback of an error.")] = False,
) -> None:
    _State.debug = debug


class _State:
    debug = False


def main() -> None:
    """Run the command line; typed errors become one sentence and exit code 1."""
    from genrescope.errors import GenrescopeError

    try:
        app()
    except GenrescopeError as error:
        if _State.debug:
            raise
        say(f"error: {error}")
        sys.exit(FAILED)
