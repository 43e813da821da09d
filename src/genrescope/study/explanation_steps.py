"""Which explanations a study writes for which model, and where."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from genrescope.config import StudyConfig
from genrescope.models import create_model
from genrescope.models.bundle import Bundle
from genrescope.parallel import Workers
from genrescope.study.checking import check_features, check_maps
from genrescope.study.explaining import explain_examples, explain_features
from genrescope.study.material import Material

Step = tuple[str, Path, Callable[[], Any]]


def explanation_steps(
    folder: Path,
    load: Callable[[], Bundle],
    members: Sequence[Material],
    *,
    name: str,
    source: str,
    genres: Sequence[str],
    config: StudyConfig,
    workers: Workers,
) -> Iterator[Step]:
    """The steps that explain one model trained on one source.

    Parameters
    ----------
    folder : pathlib.Path
        `explanations` in the run directory.
    load : callable
        Gives the bundle.
    members : sequence of Material
        The corpora the source joins.
    name, source : str
        Of the model and the source.
    genres : sequence of str
        In display order.
    config : StudyConfig
    workers : Workers
        Processes; the usable cores where None.

    Yields
    ------
    tuple of str, pathlib.Path, callable
        The step's name, the folder it writes and what computes it.
    """
    settings, seed = config.models[name], config.split.seeds[0]
    what = f"{name} trained on {source}"
    common: dict[str, Any] = {"genres": genres, "seed": seed, "config": config}
    network = create_model(settings.kind, **settings.params).input == "log_mels"
    if network:
        place = folder / "grad_cam" / source
        if config.explanations.quality_clips:
            quality = folder / "quality" / source
            yield (
                f"quality of the maps of {what}",
                quality,
                partial(check_maps, quality, load, members, **common),
            )
    else:
        shap, place = folder / "shap" / name / source, folder / "examples" / name / source
        yield (
            f"explain {what}",
            shap,
            partial(explain_features, shap, load, members, name=what, workers=workers, **common),
        )
        if config.explanations.stability_seeds > 1:
            stability = folder / "stability" / name / source
            yield (
                f"stability of the features of {what}",
                stability,
                partial(
                    check_features, stability, settings, members, config=config, workers=workers
                ),
            )
    if config.explanations.examples and all(m.corpus.features is None for m in members):
        yield (
            f"examples of {what}",
            place,
            partial(explain_examples, place, load, members, **common),
        )
