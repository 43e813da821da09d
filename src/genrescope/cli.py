"""The command line: parse, call, print. Results go to standard output, all else to standard error.

Each command imports what it needs when it runs, so that `--help` answers at once.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from genrescope.errors import GenrescopeError
    from genrescope.study.run import StudyResult

DONE, FAILED, SOME_FAILED = 0, 1, 3
LISTED_FAILURES = 20

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

Workers = Annotated[int | None, typer.Option(min=1, help="Processes; all usable cores if unset.")]
TaxonomyName = Annotated[
    str, typer.Option(help="meta-genre, labels (each label a genre), another name, or a .yaml.")
]
Store = Annotated[
    str | None, typer.Option(help="Folder or URL of a feature store that other commands share.")
]
Group = Annotated[str, typer.Option(help="What never crosses a split: artist, track or none.")]


@app.callback()
def _common(
    debug: Annotated[bool, typer.Option(help="Show the traceback of an error.")] = False,
) -> None:
    _State.debug = debug


class _State:
    debug = False


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="The run directory.")] = Path("runs/demo"),
    workers: Workers = None,
) -> None:
    """Run the whole study on the two built-in corpora, which are synthetic."""
    from importlib import resources

    with resources.as_file(resources.files("genrescope") / "configs" / "demo.yaml") as config:
        _study(config, out=out, fresh=False, workers=workers)


@app.command()
def study(
    config: Annotated[Path, typer.Argument(help="The study's YAML file.")],
    out: Annotated[Path | None, typer.Option(help="The run directory [runs/NAME].")] = None,
    fresh: Annotated[
        bool, typer.Option(help="Take every step again; features in the store stay.")
    ] = False,
    workers: Workers = None,
) -> None:
    """Train and test every model on every pairing of corpora, explain, and write the report."""
    _study(config, out=out, fresh=fresh, workers=workers)


def _study(config: Path, *, out: Path | None, fresh: bool, workers: int | None) -> None:
    from genrescope.config import load_config
    from genrescope.study.run import run_study

    loaded = load_config(config)
    folder = out or Path("runs") / loaded.name
    result = run_study(loaded, out=folder, fresh=fresh, workers=workers)
    _print_results(result)
    _list_failures(result.failures, result.folder / "failures.csv")


def _print_results(result: "StudyResult") -> None:
    first = result.results[result.results["seed"] == result.results["seed"].min()]
    width = max(len(f"{row.source} → {row.target}") for row in first.itertuples())
    typer.echo(
        f"{'model':<10} {'source → target':<{width}}  part     n  macro-F1 [95%]    majority"
    )
    for row in first.itertuples():
        pair = f"{row.source} → {row.target}"
        interval = f"[{_share(row.macro_f1_low)}, {_share(row.macro_f1_high)}]"
        typer.echo(
            f"{row.model:<10} {pair:<{width}}  {row.part:<4} {row.n:>5}  "
            f"{_share(row.macro_f1):>4} {interval:<12}  acc {_share(row.accuracy)} / "
            f"{_share(row.majority_accuracy)}"
        )
    for item in result.skipped:
        _say(f"left out: {item['reason']}")
    for warning in result.warnings:
        _say(f"note: {warning}")
    if not result.computed:
        _say("nothing to do: every step was finished already (--fresh computes again)")
    typer.echo(f"report: {result.report}")


def _share(value: Any) -> str:
    """A share between 0 and 1 in two digits, without the zero before the point."""
    return "–" if value != value else f"{value:.2f}".replace("0.", ".", 1)


@corpus_app.command()
def index(
    format: Annotated[  # noqa: A002 (the word of the configuration)
        str, typer.Argument(help="gtzan, korean-loops, folder, feature-table or synthetic.")
    ],
    root: Annotated[Path, typer.Argument(help="The corpus's folder, or a feature table's CSV.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The corpus table (.parquet).")],
    name: Annotated[str | None, typer.Option(help="Name of the corpus [the file's].")] = None,
    culture: Annotated[str, typer.Option(help="Its musical culture.")] = "unknown",
    taxonomy: TaxonomyName = "meta-genre",
    option: Annotated[
        list[str] | None, typer.Option(help="A setting of the format, as KEY=VALUE; repeatable.")
    ] = None,
) -> None:
    """List the clips of a corpus in one table, and what could not be used beside it."""
    from genrescope.corpora.index import index_corpus
    from genrescope.taxonomy import load_taxonomy

    corpus = index_corpus(
        format,
        root,
        name=name or out.stem,
        culture=culture,
        taxonomy=load_taxonomy(taxonomy),
        options=_options(option or []),
    )
    corpus.to_parquet(out)
    summary = corpus.summary()
    typer.echo(
        f"{summary['name']}: {summary['usable']} clips with a genre of {summary['clips']}, "
        f"{summary['tracks']} tracks, {summary['groups']} groups"
    )
    for title in ("genres", "group_kinds", "unmapped", "failures"):
        if summary[title]:
            counts = ", ".join(f"{key} {count}" for key, count in summary[title].items())
            typer.echo(f"  {title.replace('_', ' ')}: {counts}")
    for note in corpus.notes:
        _say(f"note: {note}")
    typer.echo(f"table: {out}")
    _list_failures(corpus.failures, out.with_name(f"{out.stem}.failures.csv"))


def _options(pairs: list[str]) -> dict[str, Any]:
    import yaml

    from genrescope.errors import ConfigError

    options = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise ConfigError(f"the option {pair!r} is not of the form KEY=VALUE")
        options[key] = yaml.safe_load(value)
    return options


@corpus_app.command()
def synth(
    folder: Annotated[Path, typer.Argument(help="Gets western/ and korean/.")],
    western: Annotated[int | None, typer.Option(min=6, help="Tracks of 30 s.")] = None,
    korean: Annotated[int | None, typer.Option(min=6, help="Loops of about 3 s.")] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same files.")] = 0,
    workers: Workers = None,
) -> None:
    """Write the two built-in corpora, which are synthetic, as files."""
    from genrescope.corpora.synthetic import write_synthetic

    typer.echo(
        write_synthetic(
            folder / "western", style="western", size=western, seed=seed, workers=workers
        )
    )
    typer.echo(
        write_synthetic(folder / "korean", style="korean", size=korean, seed=seed, workers=workers)
    )


@app.command()
def features(
    corpus: Annotated[Path, typer.Argument(help="A corpus table, from `corpus index`.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the CSV and the .npy.")],
    store: Store = None,
    workers: Workers = None,
) -> None:
    """Write a corpus's 75 features (CSV) and its log-mel spectrograms (.npy)."""
    from genrescope.corpora.corpus import Corpus
    from genrescope.study.single import write_features

    loaded = Corpus.from_parquet(corpus)
    extracted = write_features(loaded, out, store=store, workers=workers)
    typer.echo(f"{len(extracted.clip_ids)} clips: {out / loaded.name}.csv")
    _list_failures(extracted.failures, None)


@app.command()
def train(
    corpus: Annotated[Path, typer.Argument(help="A corpus table, or a folder of genre folders.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The bundle to write.")],
    model: Annotated[str, typer.Option("-m", "--model", help="forest, boosting or cnn.")] = (
        "boosting"
    ),
    taxonomy: TaxonomyName = "labels",
    group: Group = "artist",
    seed: Annotated[int, typer.Option(help="Of the split and the model.")] = 0,
    store: Store = None,
    workers: Workers = None,
) -> None:
    """Train one model and keep it as a bundle, with its score on held-out clips."""
    from genrescope.study.single import open_corpus, train_single
    from genrescope.taxonomy import load_taxonomy

    loaded = open_corpus(corpus, taxonomy=load_taxonomy(taxonomy))
    trained = train_single(
        loaded,
        out,
        kind=model,
        taxonomy=load_taxonomy(taxonomy),
        group=group,
        seed=seed,
        store=store,
        workers=workers,
    )
    for warning in trained.warnings:
        _say(f"note: {warning}")
    for row in trained.metrics:
        typer.echo(
            f"held-out clips: {row['n']}, macro-F1 {_share(row['macro_f1'])} "
            f"[{_share(row['macro_f1_low'])}, {_share(row['macro_f1_high'])}], accuracy "
            f"{_share(row['accuracy'])}, majority guess {_share(row['majority_accuracy'])}"
        )
    typer.echo(f"bundle: {out}")
    _list_failures(trained.failures, None)


@app.command()
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
    _say_failures(failures, of=len(answers))


@app.command()
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
        str | None, typer.Option(help="cnn: occlusion or grad_cam; trees: tree_shap.")
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
        typer.echo(f"{answer.path}  {answer.genre} {_share(answer.probability)}  {answer.page}")
        for sentence in answer.sentences:
            typer.echo(f"  {sentence}")
    _say_failures(failures, of=len(audio))


def _say_failures(failures: "Sequence[GenrescopeError]", *, of: int) -> None:
    for failure in failures:
        _say(f"failed: {failure}")
    if failures:
        raise typer.Exit(SOME_FAILED if len(failures) < of else FAILED)


def _list_failures(failures: "pd.DataFrame", table: Path | None) -> None:
    """Name what failed on standard error and leave with exit code 3; return where all is well."""
    if failures.empty:
        return
    _say(f"{len(failures)} inputs could not be used:")
    for row in failures.head(LISTED_FAILURES).itertuples():
        _say(f"  {row.path}: {row.reason}")
    if len(failures) > LISTED_FAILURES:
        _say(f"  and {len(failures) - LISTED_FAILURES} more")
    if table is not None:
        _say(f"all of them, by kind: {table}")
    raise typer.Exit(SOME_FAILED)


def _say(text: str) -> None:
    typer.echo(text, err=True)


def main() -> None:
    """Run the command line; typed errors become one sentence and exit code 1."""
    from genrescope.errors import GenrescopeError

    try:
        app()
    except GenrescopeError as error:
        if _State.debug:
            raise
        _say(f"error: {error}")
        sys.exit(FAILED)
