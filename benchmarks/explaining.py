"""How long an explanation takes: one clip with each model, warm, and occlusion against its rival.

The rival of occlusion by cuttings is the same network run on whole spectrograms, one per patch.
Models are of the study's size, trained on labels that mean nothing; times are medians over clips.

    python benchmarks/explaining.py [--clips 10]
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from machine import describe_machine, real_clips
from torch import nn

from genrescope.explanations.explainer import Explainer
from genrescope.explanations.occlusion import occlusion
from genrescope.features.vector import FEATURE_NAMES, extract
from genrescope.models import create_model
from genrescope.models.bundle import save_bundle
from genrescope.settings import AudioSettings, FeatureSettings

PARAMS: dict[str, dict[str, Any]] = {"forest": {}, "boosting": {}, "cnn": {"epochs": 2}}


class Whole(nn.Module):
    """The network behind a wrapper: nothing is known of what a patch reaches."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", network.mean)

    def forward(self, x: Any) -> Any:
        return self.network(x)


def median_s(work: Callable[[Any], Any], clips: Any) -> float:
    work(clips[0])
    times = []
    for clip in clips:
        start = time.perf_counter()
        work(clip)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=10)
    arguments = parser.parse_args()
    print(describe_machine("torch", "shap", "xgboost-cpu"))
    clips, where = real_clips(max(120, arguments.clips))
    print(f"clips: {where}")
    labels = [f"genre {n % 4}" for n in range(len(clips))]
    found = extract(clips)
    inputs = {"vectors": pd.DataFrame(found.vectors, columns=list(FEATURE_NAMES))}
    inputs["log_mels"] = found.log_mels
    asked = clips[: arguments.clips]
    for kind, params in PARAMS.items():
        model = create_model(kind, **params)
        model.fit(inputs[model.input], labels)
        with TemporaryDirectory() as folder:
            bundle = save_bundle(
                Path(folder) / kind, model, genres=sorted(set(labels)), taxonomy={},
                audio=AudioSettings(), features=FeatureSettings(),
            )  # fmt: skip
            explainer = Explainer.load(bundle)
        print(f"{kind}: {median_s(explainer.from_clip, asked):.2f} s to explain a clip, warm")
    pictures = [picture[np.newaxis] for picture in found.log_mels[: arguments.clips]]
    whole = SimpleNamespace(kind="cnn", classes_=model.classes_, network_=Whole(model.network_))
    ours = median_s(lambda picture: occlusion(model, picture), pictures)
    rival = median_s(lambda picture: occlusion(whole, picture), pictures)
    print(
        f"occlusion: {ours:.2f} s a clip by cuttings, {rival:.2f} s by whole spectrograms, "
        f"{rival / ours:.1f} times as long"
    )


if __name__ == "__main__":
    main()
