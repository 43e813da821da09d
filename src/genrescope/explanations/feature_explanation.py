"""An answer explained by audio features: Shapley values, in musical families."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from genrescope.explanations.explanation import Explanation, Floats, Scale
from genrescope.explanations.families import by_family, family_of
from genrescope.explanations.shapley import METHODS, shap_values
from genrescope.explanations.words import load_language

SCALES: dict[str, Scale] = {"margin": "log-odds", "probability": "probability"}


@dataclass(frozen=True, kw_only=True)
class FeatureExplanation(Explanation):
    """What each audio feature contributed to the answer of a model of vectors.

    The values and the baseline add up to the answer; `quality["residual"]` is what they miss it
    by. Where they are estimated, `quality["sampling_error"]` is their standard error as a share
    of their size, both root mean squares.
    """

    values: "pd.Series[float]"

    @classmethod
    def of_features(
        cls, model: Any, *, clip: Any, target: str, against: str | None, **facts: Any
    ) -> "FeatureExplanation":
        """Explain the answer of a model that takes vectors to one clip."""
        found = shap_values(model, clip.vector.to_frame().T.astype(np.float32))
        error = found.sampling_error
        sampled = {} if error is None else {"sampling_error": error}
        sides = [(1.0, target)] + ([(-1.0, against)] if against is not None else [])
        columns = [(sign, found.classes.index(genre)) for sign, genre in sides]
        shares = found.values[0]  # noqa: PD011 (no pandas)
        values = sum(sign * shares[:, column] for sign, column in columns)
        return cls(
            clip=clip,
            method=METHODS[model.kind],
            target=target,
            against=against,
            values=pd.Series(values, index=pd.Index(found.features, name="feature")),
            scale=SCALES[found.scale],
            baseline=float(sum(sign * found.baseline[column] for sign, column in columns)),
            answer=float(sum(sign * found.answers[0, column] for sign, column in columns)),
            quality={"residual": found.residual} | sampled,
            **facts,
        )

    def frame(self) -> pd.DataFrame:
        """Every feature in a row of its own, the strongest first.

        Returns
        -------
        DataFrame [shape=(n_features, 4)]
            `feature`, `family`, `value` (of the feature), `contribution`.
        """
        names = [str(name) for name in self.values.index]
        table = pd.DataFrame(
            {
                "feature": names,
                "family": [family_of(name) for name in names],
                "value": self.clip.vector.loc[names].to_numpy(dtype=np.float64),
                "contribution": self.values.to_numpy(),
            }
        )
        order = table["contribution"].abs().sort_values(ascending=False, kind="stable").index
        return table.loc[order].reset_index(drop=True)

    def families(self) -> "pd.Series[float]":
        """Contribution of each musical family; with the baseline they add up to the answer."""
        return by_family(self.values)

    def bars(self, language: str = "en") -> "pd.Series[float]":
        """Contribution of each musical family, by its name."""
        words = load_language(language)
        return self.families().rename(index=words.family).rename(self.scale)

    def maps(self) -> dict[str, Floats]:
        """No map: features have no place in the spectrogram."""
        return {}

    def reasons(self, language: str = "en", *, most: int = 3) -> list[str]:
        """Sentences about the strongest features, then one about the families."""
        words, statistics = load_language(language), self.statistics
        known = statistics is not None and self.reference in statistics.genres
        told = words.features(
            self.frame(),
            target=self.target,
            against=self.against,
            reference=self.reference if known else None,
            share_below=statistics.share_below if statistics is not None and known else None,
            scale="log-odds" if self.scale == "log-odds" else "probability",
            most=most,
        )
        together = words.families(
            self.families(),
            target=self.target,
            against=self.against,
            scale="log-odds" if self.scale == "log-odds" else "probability",
        )
        return [*told, together]

    def to_dict(self, language: str = "en") -> dict[str, Any]:
        """As `Explanation.to_dict`, with every feature and family."""
        return super().to_dict(language) | {
            "families": {str(name): float(value) for name, value in self.families().items()},
            "features": self.frame().to_dict("records"),
        }
