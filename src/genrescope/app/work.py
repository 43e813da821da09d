"""What worker processes do: everything that touches bytes of strangers."""

import functools
import resource
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from genrescope.app.view import ExplanationView, view_explanation
from genrescope.audio.probe import probe
from genrescope.errors import AudioError, BundleError
from genrescope.explanations.explainer import Explainer, FileExplanation
from genrescope.models.inputs import Need, SoundInputs, inputs_from_file
from genrescope.parallel import start_worker
from genrescope.report.explained import explanation_parts
from genrescope.settings import AudioSettings


def start(memory_bytes: int) -> None:
    """Prepare the process: one thread, an end with its parent, and no more memory than granted."""
    start_worker()
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, hard))


def ready() -> bool:
    """Whether the process is up, its imports done."""
    return True


def read_inputs(
    path: str, needs: Sequence[Need], longest_s: float
) -> dict[AudioSettings, SoundInputs]:
    """Decode a sound once for each audio setting, and extract what models take.

    Parameters
    ----------
    path : str
    needs : sequence of Need
    longest_s : float
        Seconds of sound at most, by its header: no more is ever decoded than that claims.

    Returns
    -------
    dict of AudioSettings to SoundInputs

    Raises
    ------
    AudioError
        As `inputs_from_file`, and `too-long`.
    """
    _check_length(path, longest_s)
    shared: dict[AudioSettings, list[Need]] = {}
    for need in dict.fromkeys(needs):
        shared.setdefault(need.audio, []).append(need)
    return {
        audio: SoundInputs.joined(list(inputs_from_file(path, group)))
        for audio, group in shared.items()
    }


def explain_sound(
    path: str,
    name: str,
    bundle: str,
    digests: Mapping[str, str],
    *,
    longest_s: float,
    language: str,
    drawn: bool,
    **question: Any,
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Explain a model's answer to a sound.

    Parameters
    ----------
    path : str
    name : str
        What the sound is called in the explanation.
    bundle : str
        The model's folder, loaded when it is first asked for.
    digests : mapping of str to str
        Of the model's files, as the server loaded them.
    longest_s : float
    language : str
        Of the sentences.
    drawn : bool
        Whether pictures, sounds and maps are made.
    **question
        As `Explainer.from_file` takes it.

    Returns
    -------
    content, files
        As `explanation_parts`.

    Raises
    ------
    AudioError
        As `read_inputs`.
    BundleError
        Where the model on disk is no longer the one the server loaded.
    """
    explainer = _unchanged(bundle, digests)
    _check_length(path, longest_s)
    found = _named(explainer.from_file(path, **question), name)
    return explanation_parts(found, info=explainer.bundle.info, language=language, drawn=drawn)


def view_sound(
    path: str, bundle: str, digests: Mapping[str, str], longest_s: float
) -> ExplanationView:
    """Explain a model's answer to a sound for the page; parameters as of `explain_sound`."""
    explainer = _unchanged(bundle, digests)
    _check_length(path, longest_s)
    return view_explanation(explainer.from_file(path, moments=1))


def _unchanged(bundle: str, digests: Mapping[str, str]) -> Explainer:
    explainer = _explainer(bundle)
    if explainer.bundle.info.files != dict(digests):
        raise BundleError("has changed since the server was started; start it again", path=bundle)
    return explainer


@functools.cache
def _explainer(bundle: str) -> Explainer:
    return Explainer.load(bundle)


def _check_length(path: str, longest_s: float) -> None:
    duration_s = probe(path).duration_s
    if duration_s > longest_s:
        raise AudioError(
            f"the sound is {duration_s / 60:,.1f} minutes long by its header, at most "
            f"{longest_s / 60:,.1f} are taken; send a part of it",
            path=path,
            kind="too-long",
        )


def _named(found: FileExplanation, name: str) -> FileExplanation:
    """The same explanation, of a sound of that name."""
    return replace(
        found,
        prediction=replace(found.prediction, path=name),
        moments=tuple(replace(m, clip=replace(m.clip, path=name)) for m in found.moments),
    )
