"""Explaining recordings with a trained bundle, file by file, so that a stopped run goes on."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genrescope.errors import GenrescopeError, OutputError, RemoteError
from genrescope.explanations.explainer import MOMENTS, Explainer
from genrescope.explanations.words import load_language
from genrescope.files import content_digest
from genrescope.progress import progress
from genrescope.remote import UrlPath
from genrescope.report.explained import write_explanation
from genrescope.study.steps import Ledger


@dataclass(frozen=True)
class ExplainedFile:
    """What explains one recording.

    Attributes
    ----------
    path : str
        The recording.
    page : pathlib.Path or UrlPath
        The HTML page; its pictures, sounds and numbers also lie in the folder of the same name.
    genre : str
        The genre the recording was heard as.
    probability : float
        Of that genre.
    sentences : list of str
        The outcome and the reasons in the most telling moment.
    """

    path: str
    page: Path | UrlPath
    genre: str
    probability: float
    sentences: list[str]


def explain_files(
    bundle: str | os.PathLike[str],
    paths: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    target: str | None = None,
    against: str | None = None,
    method: str | None = None,
    moments: int = MOMENTS,
    language: str = "en",
) -> Iterator[ExplainedFile | GenrescopeError]:
    """Explain recordings; one that cannot be used does not stop the rest.

    What is finished in `out` and still valid, by content of the recording, model and question, is
    not done again.

    Parameters
    ----------
    bundle : path-like
        A trained model.
    paths : sequence of path-like
    out : path-like
        A folder or a URL; gets a page and a folder for each recording.
    target : str, optional
        The genre to ask about; that of each recording where not given.
    against : str, optional
        Ask why the target rather than this genre.
    method : str, optional
        One of `Explainer.methods`; the recommended one where not given.
    moments : int
        Most telling moments shown of each recording.
    language : str
        Of the sentences.

    Yields
    ------
    ExplainedFile or GenrescopeError
        In the order of the paths: the explanation, or why there is none.

    Raises
    ------
    BundleError, ConfigError
        Where the model or the question is not sound.
    OutputError
        Where `out` cannot be written.
    """
    load_language(language)
    explainer = Explainer.load(bundle)
    explainer.check_question(target=target, against=against, method=method)
    method = method or explainer.methods[0]
    beside = tuple(name for name in explainer.methods if name != method)
    question = {"target": target, "against": against, "method": method, "moments": moments}
    info = explainer.bundle.info
    with Ledger(out) as ledger, progress(len(paths), "explaining", unit="files") as bar:
        for name, path in zip(_names(paths), paths, strict=True):

            def explain(path: Any = path, name: str = name) -> dict[str, Any]:
                found = explainer.from_file(
                    path,
                    target=target,
                    against=against,
                    method=method,
                    beside=beside,
                    moments=moments,
                )
                folder = ledger.folder
                write_explanation(
                    found, folder / name, folder / f"{name}.html", info=info, language=language
                )
                return {
                    "genre": found.prediction.genre,
                    "probability": float(found.prediction.probabilities.max()),
                    "sentences": found.moments[0].sentences(language),
                }

            inputs = {
                "audio": content_digest(path),
                "path": os.fspath(path),
                "model": info.files,
                "question": question,
                "language": language,
            }
            outputs = [ledger.folder / f"{name}.html", ledger.folder / name]
            page = ledger.address / f"{name}.html"
            try:
                said = ledger.run(f"explain {name}", inputs, outputs, explain)
                yield ExplainedFile(os.fspath(path), page, **said)
            except (OutputError, RemoteError):
                raise
            except GenrescopeError as error:
                yield error
            bar.advance()


def _names(paths: Sequence[str | os.PathLike[str]]) -> list[str]:
    """A name for each recording's page: its stem, numbered where another has that name."""
    names: dict[str, None] = {}
    for path in paths:
        stem = name = Path(path).stem
        number = 1
        while name in names:
            number += 1
            name = f"{stem}-{number}"
        names[name] = None
    return list(names)
