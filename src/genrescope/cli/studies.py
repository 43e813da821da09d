"""Commands that run a whole study."""

from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Annotated

import typer

from genrescope.cli.console import Scheduler, Workers, list_failures, out_option, say, share

if TYPE_CHECKING:
    from genrescope.study.run import StudyResult


def demo(
    out: Annotated[
        PurePath,
        out_option("The run directory, a folder or a URL."),
    ] = Path("runs/demo"),
    workers: Workers = None,
) -> None:
    """Run the whole study on the two built-in corpora, which are synthetic."""
    from importlib import resources

    with resources.as_file(resources.files("genrescope") / "configs" / "demo.yaml") as config:
        _study(config, out=out, fresh=False, workers=workers)
    say("next: genrescope predict SONG, genrescope explain SONG -o why, genrescope serve")


def study(
    config: Annotated[Path, typer.Argument(help="The study's YAML file.")],
    out: Annotated[
        PurePath | None,
        out_option("The run directory, a folder or a URL [runs/NAME]."),
    ] = None,
    fresh: Annotated[
        bool, typer.Option(help="Take every step again; features in the store stay.")
    ] = False,
    workers: Workers = None,
    scheduler: Scheduler = None,
) -> None:
    """Train and test every model on every pairing of corpora, explain, and write the report."""
    _study(config, out=out, fresh=fresh, workers=workers, scheduler=scheduler)


def shift(
    config: Annotated[Path, typer.Argument(help="The study's YAML file.")],
    out: Annotated[
        PurePath | None,
        out_option("The run directory, a folder or a URL [runs/NAME-shift]."),
    ] = None,
    fresh: Annotated[
        bool, typer.Option(help="Take every step again; features in the store stay.")
    ] = False,
    workers: Workers = None,
    scheduler: Scheduler = None,
) -> None:
    """Say why a source does not carry over to a target, step by step, and what helps."""
    from genrescope.config import load_config
    from genrescope.dask_workers import open_workers
    from genrescope.report.ladders import ladder_sentences
    from genrescope.study.shifting import run_shift

    loaded = load_config(config)
    folder = out or Path("runs") / f"{loaded.name}-shift"
    with open_workers(scheduler, workers) as used:
        result = run_shift(loaded, out=folder, fresh=fresh, workers=used)
    keys = ["model", "source", "target"]
    for (model, source, target), ladder in result.ladders.groupby(keys, sort=False):
        typer.echo(f"{model}, {source} → {target}:")
        for sentence in ladder_sentences(ladder):
            typer.echo(f"  {sentence}")
    for item in result.skipped:
        say(f"left out: {item['reason']}")
    typer.echo(f"page: {result.page}")
    list_failures(result.failures, result.folder / "failures.csv")


def _study(
    config: Path,
    *,
    out: PurePath | None,
    fresh: bool,
    workers: int | None,
    scheduler: str | None = None,
) -> None:
    from genrescope.config import load_config
    from genrescope.dask_workers import open_workers
    from genrescope.study.run import run_study

    loaded = load_config(config)
    folder = out or Path("runs") / loaded.name
    with open_workers(scheduler, workers) as used:
        result = run_study(loaded, out=folder, fresh=fresh, workers=used)
    _print_results(result)
    list_failures(result.failures, result.folder / "failures.csv")


def _print_results(result: "StudyResult") -> None:
    from genrescope.report.run_directory import RunDirectory

    run = RunDirectory.open(result.folder)
    rows = list(run.rows())
    width = max(len(f"{row['source']} → {row['target']}") for row in rows)
    typer.echo(
        f"{'model':<10} {'source → target':<{width}}  part     n  macro-F1 [95%]    majority"
    )
    for row in rows:
        pair = f"{row['source']} → {row['target']}"
        interval = f"[{share(row['macro_f1_low'])}, {share(row['macro_f1_high'])}]"
        typer.echo(
            f"{row['model']:<10} {pair:<{width}}  {row['part']:<4} {row['n']:>5}  "
            f"{share(row['macro_f1']):>4} {interval:<12}  acc {share(row['accuracy'])} / "
            f"{share(row['majority_accuracy'])}"
        )
    n_seeds = int(run.results["seed"].nunique())
    if n_seeds > 1:
        say(f"scores are means over {n_seeds} seeds, or as many as a model has")
    for item in result.skipped:
        say(f"left out: {item['reason']}")
    for warning in result.warnings:
        say(f"note: {warning}")
    if not result.computed:
        say("nothing to do: every step was finished already (--fresh computes again)")
    typer.echo(f"report: {result.report}")
