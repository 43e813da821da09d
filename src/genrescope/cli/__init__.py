"""The command line: parse, call, print. Results go to standard output, all else to standard error.

Each command imports what it needs when it runs, so that `--help` answers at once.
"""

import errno
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from genrescope import __version__
from genrescope.cli import claims, collections, corpora, hub, models, serve, studies, tags
from genrescope.cli.console import FAILED, say

MACHINE_FAILS = {
    errno.EIO, errno.ESTALE, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM,
    errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOLCK, errno.ETIMEDOUT, errno.ELOOP,
}  # fmt: skip
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
tags_app = typer.Typer(no_args_is_help=True, help="Check genre tags by a model; write them.")
app.add_typer(tags_app, name="tags")
hub_app = typer.Typer(no_args_is_help=True, help="Bundles to and from the Hugging Face Hub.")
app.add_typer(hub_app, name="hub")
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
    tags_app: (tags.check, tags.write, tags.restore),
    hub_app: (hub.upload, hub.download),
}
for place, commands in COMMANDS.items():
    for command in commands:
        place.command()(command)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"genrescope {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    debug: Annotated[bool, typer.Option(help="Show the traceback of an error.")] = False,
    version: Annotated[  # noqa: ARG001 (its callback answers)
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which this is.")
    ] = False,
) -> None:
    _State.debug = debug


class _State:
    debug = False


def main() -> None:
    """Run the command line; typed errors become one sentence and exit code 1."""
    from genrescope.errors import GenrescopeError

    try:
        app()
    except (GenrescopeError, OSError) as error:
        sentence = str(error) if isinstance(error, GenrescopeError) else _of_the_machine(error)
        if _State.debug or sentence is None:
            raise
        say(f"error: {sentence}")
        sys.exit(FAILED)


def _of_the_machine(error: OSError) -> str | None:
    """What to say of a disk, a server or a limit that fails; nothing of our own mistakes."""
    from genrescope.errors import GenrescopeError

    if error.errno not in MACHINE_FAILS:
        return None
    reason = f"cannot be used ({(error.strerror or str(error)).lower()})"
    path = error.filename if isinstance(error.filename, str) else None
    return str(GenrescopeError(reason if path else f"a file {reason}", path=path))
