"""What a study is configured by: one YAML file, checked key by key before any work begins."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from genrescope.errors import ConfigError
from genrescope.settings import (
    NAME,
    AudioSettings,
    CorpusSettings,
    EvaluationSettings,
    ExplanationSettings,
    FeatureSettings,
    ModelSettings,
    Settings,
    ShiftSettings,
    SplitSettings,
    nearest,
)
from genrescope.yaml_file import expand_path, read_yaml

Name = Annotated[str, Field(pattern=NAME)]
JOIN = "+"


class StudyConfig(Settings):
    """Everything a study depends on.

    Examples
    --------
    >>> config = StudyConfig.parse(
    ...     {"name": "demo", "corpora": {"a": {"format": "folder", "root": "/music"}}}
    ... )
    >>> config.sources, config.audio.fit
    (('a',), 'loop')
    """

    name: Name
    question: str = "Does a genre model trained on one musical culture carry over to another?"
    reference: Literal["paper"] | None = None
    taxonomy: str = "meta-genre"
    corpora: dict[Name, CorpusSettings] = Field(min_length=1)
    store: str | None = None  # of features: a folder or URL; in the run directory where not given
    sources: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    models: dict[Name, ModelSettings] = Field(
        default={kind: ModelSettings(kind=kind) for kind in ("forest", "boosting", "cnn")},
        min_length=1,
    )
    audio: AudioSettings = AudioSettings()
    features: FeatureSettings = FeatureSettings()
    split: SplitSettings = SplitSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    explanations: ExplanationSettings = ExplanationSettings()
    shift: ShiftSettings = ShiftSettings()

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, content: Any) -> Any:
        if not isinstance(content, Mapping):
            raise PydanticCustomError("mapping", "is not a mapping of keys to values", {})
        content = dict(content)
        models = content.get("models")
        if isinstance(models, Mapping):
            content["models"] = {name: _model(name, params) for name, params in models.items()}
        corpora = content.get("corpora")
        if isinstance(corpora, Mapping) and all(isinstance(name, str) for name in corpora):
            every = [*corpora, JOIN.join(corpora)] if len(corpora) > 1 else list(corpora)
            for key in ("sources", "targets"):
                content[key] = content.get(key) or every
        return content

    def seeds_of(self, model: str) -> tuple[int, ...]:
        """The seeds a model is trained and tested with: the first of the split's, or all.

        Examples
        --------
        >>> config = StudyConfig.parse({"name": "a", "corpora": {"x": {"format": "folder"}},
        ...     "models": {"forest": None, "cnn": {"seeds": 2}}, "split": {"seeds": [3, 4, 5]}})
        >>> config.seeds_of("forest"), config.seeds_of("cnn")
        ((3, 4, 5), (3, 4))
        """
        return self.split.seeds[: self.models[model].seeds]

    @model_validator(mode="after")
    def _seeds_suffice(self) -> Self:
        for name, model in self.models.items():
            if model.seeds is not None and model.seeds > len(self.split.seeds):
                raise PydanticCustomError(
                    "seeds",
                    "models.{name}.seeds is {asked}, and split.seeds has {known}",
                    {"name": name, "asked": model.seeds, "known": len(self.split.seeds)},
                )
        return self

    @model_validator(mode="after")
    def _members_exist(self) -> Self:
        for key, groups in (("sources", self.sources), ("targets", self.targets)):
            if len(set(groups)) != len(groups):
                raise PydanticCustomError("repeated", "{key} repeat", {"key": key})
            for group in groups:
                members = group.split(JOIN)
                for member in members:
                    if member not in self.corpora:
                        raise PydanticCustomError(
                            "unknown_corpus",
                            "{key} name {member}, which is no corpus: {hint}",
                            {
                                "key": key,
                                "member": repr(member),
                                "hint": nearest(member, self.corpora),
                            },
                        )
                if len(set(members)) != len(members):
                    raise PydanticCustomError("repeated", "{key} join a corpus to itself", {})
        return self


def _model(name: Any, params: Any) -> Any:
    if isinstance(params, ModelSettings):
        return params
    if params is not None and not isinstance(params, Mapping):
        return params  # refused by the type check, with its place
    params = dict(params or {})
    if "params" in params:
        return params  # the resolved form, as study.yaml states it
    own = {key: params.pop(key) for key in ("kind", "seeds") if key in params}
    return {"kind": name} | own | {"params": params}


def load_config(path: str | os.PathLike[str]) -> StudyConfig:
    """Read, check and complete the configuration of a study.

    Parameters
    ----------
    path : path-like
        A YAML file; relative paths in it are relative to its folder.

    Returns
    -------
    StudyConfig
        With absolute paths.

    Raises
    ------
    ConfigError
        With the file, the place in it and the reason.
    """
    path = Path(path)
    content = read_yaml(path)
    if not isinstance(content, Mapping):
        raise ConfigError("is not a mapping of keys to values", path=path)
    config = StudyConfig.parse(content, path=path)
    base = path.absolute().parent
    corpora = {
        name: corpus
        if corpus.root is None
        else corpus.model_copy(
            update={"root": expand_path(str(corpus.root), base=base, config=path)}
        )
        for name, corpus in config.corpora.items()
    }
    taxonomy = config.taxonomy
    if taxonomy.endswith((".yaml", ".yml")):
        taxonomy = str(expand_path(taxonomy, base=base, config=path))
    store = config.store
    if store is not None:
        store = str(expand_path(store, base=base, config=path))
    shift = config.shift
    if shift.stems is not None:
        stems = Path(expand_path(str(shift.stems), base=base, config=path))
        shift = shift.model_copy(update={"stems": stems})
    resolved = {"corpora": corpora, "taxonomy": taxonomy, "store": store, "shift": shift}
    return config.model_copy(update=resolved)
