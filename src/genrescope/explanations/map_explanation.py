"""An answer explained by a map: which parts of the spectrogram spoke for a genre, also as sound."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from scipy.ndimage import find_objects, label

from genrescope.explanations.explanation import ExplainedClip, Explanation, Floats
from genrescope.explanations.faithfulness import faithfulness
from genrescope.explanations.listening import Listening, listen, mask_of, masked_log_mel
from genrescope.explanations.maps import DEFAULT, TITLES, UNITS, explain_maps
from genrescope.explanations.networks import evaluating, log_odds
from genrescope.explanations.words import Region, load_language
from genrescope.features.logmel import shown_seconds
from genrescope.features.mel import mel_corners
from genrescope.features.vector import extract

RANGES_HZ = {"bass": (0, 250), "low_mids": (250, 1000), "high_mids": (1000, 4000)}
RANGES_HZ |= {"treble": (4000, 1_000_000)}
CONTOUR = 0.5  # of the map's maximum: what a region holds at least


@dataclass(frozen=True, kw_only=True)
class MapExplanation(Explanation):
    """Where in a clip's spectrogram the network found what spoke for a genre.

    `quality` has the figures of `faithfulness`, and `heard_gap`: the difference of the genre's
    probability on the kept sound, analysed anew, and on the masked spectrogram.

    Attributes
    ----------
    beside : dict of str to numpy.ndarray
        Maps by other methods, to be shown next to this one.
    """

    values: Floats
    beside: Mapping[str, Floats] = field(default_factory=dict)

    @classmethod
    def of_network(
        cls,
        model: Any,
        *,
        clip: ExplainedClip,
        target: str,
        against: str | None,
        method: str = DEFAULT,
        beside: tuple[str, ...] = (),
        **facts: Any,
    ) -> "MapExplanation":
        """Explain the answer of a network to one clip."""
        pictures = clip.log_mel[np.newaxis]
        values = explain_maps(method, model, pictures, target=target, against=against)
        others = {
            name: explain_maps(name, model, pictures, target=target, against=against)[0]
            for name in beside
        }
        measured = faithfulness(model, pictures, values, target=target).iloc[0]
        quality = {str(name): float(value) for name, value in measured.items()}
        baseline, answer = _answers(model, clip, target, against)
        found = cls(
            clip=clip,
            method=method,
            target=target,
            against=against,
            values=values[0],
            scale="logit" if UNITS[method] == "logit" else "log-odds",
            baseline=baseline,
            answer=answer,
            quality=quality,
            beside=others,
            **facts,
        )
        quality["heard_gap"] = found._heard_gap(model)
        return found

    @property
    def empty(self) -> bool:
        """Whether nothing speaks for the target."""
        return bool(self.values.max(initial=0.0) <= 0)

    @property
    def strength(self) -> float:
        """The map's largest value; 0 of an empty map."""
        return float(max(self.values.max(initial=0.0), 0.0))

    @cached_property
    def _parts(self) -> Listening:
        return listen(
            self.clip.waveform,
            mask_of(self.values),
            audio=self.clip.audio,
            features=self.clip.features,
        )

    def to_audio(self) -> dict[str, Floats]:
        """The `clip`, and what the map keeps of it (`kept`) and leaves out (`left_out`).

        The parts are at the clip's loudness; see `genrescope.explanations.listening.listen`.
        """
        parts = self._parts
        return {"clip": self.clip.waveform, "kept": parts.kept, "left_out": parts.left_out}

    def frame(self) -> pd.DataFrame:
        """Every place of the spectrogram in a row of its own.

        Returns
        -------
        DataFrame [shape=(n_mels * frames, 5)]
            `band`, `frame`, `frequency_hz` (centre of the band), `time_s` (middle of the frame),
            `value`.
        """
        bands, frames = np.indices(self.values.shape)
        corners = mel_corners(self.clip.audio.sample_rate, self.values.shape[0])
        seconds = shown_seconds(self.clip.audio, self.clip.features) / self.values.shape[1]
        return pd.DataFrame(
            {
                "band": bands.ravel(),
                "frame": frames.ravel(),
                "frequency_hz": corners[1 + bands.ravel()],
                "time_s": (frames.ravel() + 0.5) * seconds,
                "value": self.values.ravel(),
            }
        )

    def regions(self, *, most: int = 3) -> list[Region]:
        """The regions above half of the map's maximum that hold most of it.

        Parameters
        ----------
        most : int
            How many at most.

        Returns
        -------
        list of Region
            Largest first; times from the clip's start, shares of all that speaks for the target.
        """
        if self.empty:
            return []
        positive = np.maximum(self.values, 0).astype(np.float64)
        labels, _ = label(positive >= CONTOUR * self.strength)
        corners = mel_corners(self.clip.audio.sample_rate, self.values.shape[0])
        seconds = shown_seconds(self.clip.audio, self.clip.features) / self.values.shape[1]
        found = []
        for number, place in enumerate(find_objects(labels), start=1):
            bands, frames = place
            held = positive[place][labels[place] == number].sum()
            found.append(
                Region(
                    start_s=frames.start * seconds,
                    end_s=frames.stop * seconds,
                    low_hz=float(corners[bands.start]),
                    high_hz=float(corners[bands.stop + 1]),
                    share=float(held / positive.sum()),
                )
            )
        return sorted(found, key=lambda region: -region.share)[:most]

    def ranges(self) -> "pd.Series[float]":
        """Share of what speaks for the target in each range of frequencies; 0 of an empty map."""
        corners = mel_corners(self.clip.audio.sample_rate, self.values.shape[0])
        centres = corners[1:-1]
        positive = np.maximum(self.values, 0).astype(np.float64).sum(axis=1)
        total = positive.sum() or 1.0
        return pd.Series(
            {
                name: float(positive[(centres >= low) & (centres < high)].sum() / total)
                for name, (low, high) in RANGES_HZ.items()
            }
        )

    def bars(self, language: str = "en") -> "pd.Series[float]":
        """Share of what speaks for the target in each range of frequencies, by its name."""
        words = load_language(language)
        return self.ranges().rename(index=words.range).rename("share of the map")

    def maps(self) -> dict[str, Floats]:
        """Maps of this and of the methods beside it, by the method's title."""
        found = {TITLES[name]: values for name, values in self.beside.items()}
        return found | {TITLES[self.method]: self.values}

    def reasons(self, language: str = "en", *, most: int = 3) -> list[str]:
        """Sentences about the strongest regions of the map."""
        return load_language(language).regions(
            self.regions(most=most),
            target=self.target,
            against=self.against,
            strength=self.strength,
            unit=UNITS[self.method],
            empty=self.empty,
        )

    def to_dict(self, language: str = "en") -> dict[str, Any]:
        """As `Explanation.to_dict`, with strength, regions, ranges and gains of the sounds."""
        return super().to_dict(language) | {
            "strength": self.strength,
            "empty": self.empty,
            "regions": [vars(region) for region in self.regions()],
            "ranges": {str(name): float(share) for name, share in self.ranges().items()},
            "kept_gain": self._parts.kept_gain,
            "left_out_gain": self._parts.left_out_gain,
        }

    def _heard_gap(self, model: Any) -> float:
        """Gap of the probability on what is heard and on the masked spectrogram; NaN if empty."""
        if self.empty:
            return float("nan")
        clip, parts = self.clip, self._parts
        kept = (parts.kept / np.float32(parts.kept_gain))[np.newaxis]
        heard = extract(kept, audio=clip.audio, features=clip.features, vectors=False).log_mels[0]
        masked = masked_log_mel(clip.log_mel, mask_of(self.values), features=clip.features)
        answers: npt.NDArray[np.float64] = model.predict_proba(np.stack([heard, masked]))
        column = [str(name) for name in model.classes_].index(self.target)
        return float(abs(answers[0, column] - answers[1, column]))


def _answers(
    model: Any, clip: ExplainedClip, target: str, against: str | None
) -> tuple[float, float]:
    """Log-odds of the mean level of the training clips, and of the clip."""
    names = [str(name) for name in model.classes_]
    network = model.network_
    with evaluating(network), torch.inference_mode():
        level = network.mean.expand(clip.log_mel.shape).to(torch.float32)
        picture = torch.from_numpy(clip.log_mel).to(level.device)
        logits = network(torch.stack([level, picture]))
        other = None if against is None else names.index(against)
        baseline, answer = log_odds(logits, names.index(target), other).tolist()
    return baseline, answer
