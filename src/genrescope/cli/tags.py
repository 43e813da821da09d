"""Commands that hold genre tags against a model, write them, and put them back."""

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from genrescope.cli.collections import Inputs, models_and_files, one_of
from genrescope.cli.console import Workers, say, say_failures, share

if TYPE_CHECKING:
    from genrescope.collection.tag_checking import TagCheck
    from genrescope.collection.tag_writing import Outcome

LISTED_VALUES = 10
Write = Annotated[bool, typer.Option("--write", help="Write; without it nothing is touched.")]


def check(
    inputs: Inputs,
    format: Annotated[  # noqa: A002 (the word of the option)
        str, typer.Option(help="table, csv, json or jsonl.")
    ] = "table",
    workers: Workers = None,
) -> None:
    """List files whose genre tag is not what a model hears, those it is surest of first."""
    from genrescope.collection.tag_checking import check_tags
    from genrescope.report.disagreements import FORMATS, render_disagreements

    one_of(format, FORMATS)
    bundles, files = models_and_files(inputs, addresses=False)
    if len(bundles) > 1:
        raise typer.BadParameter("tags are held against one model at a time")
    found = check_tags(bundles[0], files, workers=workers)
    typer.echo(render_disagreements(found.disagreements(), format), nl=False)
    _say_summary(found)
    say_failures(found.failures, of=len(files))


def write(
    inputs: Inputs,
    really: Write = False,
    at_least: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="Probability that is sure [a prediction set of one genre, else .9]."
        ),
    ] = None,
    only_missing: Annotated[
        bool, typer.Option("--only-missing", help="Leave files that have a genre.")
    ] = False,
    genre: Annotated[
        str | None, typer.Option(help="Write this genre into all files, and ask no model.")
    ] = None,
    workers: Workers = None,
) -> None:
    """Write the genre a model is sure of into files that say another; the old one is kept."""
    from genrescope.collection.listing import list_sounds
    from genrescope.collection.tag_writing import write_given, write_heard

    if genre is not None:
        if at_least is not None or only_missing:
            raise typer.BadParameter("--genre asks no model: it takes none of the other choices")
        if not genre.strip():
            raise typer.BadParameter("the genre is empty")
        files = list_sounds(inputs, addresses=False)
        _tell(write_given(files, [genre], write=really), of=len(files), written=really)
        return
    bundles, files = models_and_files(inputs, addresses=False)
    if len(bundles) > 1:
        raise typer.BadParameter("tags are written by one model at a time")
    outcomes = write_heard(
        bundles[0],
        files,
        write=really,
        at_least=at_least,
        only_missing=only_missing,
        workers=workers,
    )
    _tell(outcomes, of=len(files), written=really)


def restore(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="AUDIO...", help="As of `tags write`.", show_default=False),
    ],
    really: Write = False,
) -> None:
    """Put back the genres that were there before `tags write`."""
    from genrescope.collection.listing import list_sounds
    from genrescope.collection.tag_writing import restore_kept

    files = list_sounds(inputs, addresses=False)
    _tell(restore_kept(files, write=really), of=len(files), written=really)


def _say_summary(found: "TagCheck") -> None:
    agreement = found.agreement()
    if agreement.n:
        say(
            f"{agreement.agreeing:,} of {agreement.n:,} files agree with their tag: "
            f"{share(agreement.share)} [{share(agreement.low)}, {share(agreement.high)}], over "
            f"{agreement.n_artists:,} artists, a file without one as its own"
        )
    different = found.disagreements()
    outside = int((different["outside_set"] == True).sum())  # noqa: E712 (None where unknown)
    if len(different):
        sure = f"; {outside:,} of the {len(different):,} tags lie outside the prediction set"
        known = different["outside_set"].notna().any()
        say(f"a disagreement is a lead, not a verdict: listen first{sure if known else ''}")
    if found.untagged:
        say(f"not compared, no genre tag: {len(found.untagged):,}")
    if found.unmapped:
        values = found.unmapped_values
        named = [f"{value} {count}" for value, count in values.most_common(LISTED_VALUES)]
        others = len(values) - len(named)
        listed = ", ".join(named) + (f" and {others} other values" if others else "")
        say(f"not compared, no genre of the model: {len(found.unmapped):,} ({listed})")
    kinds = Counter(failure.kind for failure in found.failures)
    if kinds:
        counts = ", ".join(f"{kind} {count:,}" for kind, count in sorted(kinds.items()))
        say(f"not compared, cannot be read: {kinds.total():,} ({counts})")


def _tell(outcomes: "Iterable[Outcome]", *, of: int, written: bool) -> None:
    """A line for each file that changes; how many were left, and why; what failed."""
    from genrescope.errors import GenrescopeError
    from genrescope.report.layouts import printable

    failures, changed, left = [], 0, Counter[str]()
    for outcome in outcomes:
        if isinstance(outcome, GenrescopeError):
            failures.append(outcome)
        elif outcome.left is not None:
            left[outcome.left] += 1
        else:
            changed += 1
            old, new = ("; ".join(genres) or "no genre" for genres in (outcome.old, outcome.new))
            sure = "" if outcome.probability is None else f" {share(outcome.probability)}"
            typer.echo(printable(f"{outcome.path}  {old} → {new}{sure}"))
    if written:
        say(f"files changed: {changed:,}")
    else:
        say(f"files that would change: {changed:,}; nothing was written (--write does it)")
    for reason, count in left.most_common():
        say(f"left as they are: {count:,} ({reason})")
    say_failures(failures, of=of)
