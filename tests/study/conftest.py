from pathlib import Path

import pytest
import yaml

from genrescope.corpora.synthetic import write_synthetic

SIZES = {"western": 48, "korean": 60}


@pytest.fixture(scope="session")
def synthetic_corpora(tmp_path_factory) -> Path:
    """Both built-in corpora as files, small."""
    folder = tmp_path_factory.mktemp("synthetic")
    for style, size in SIZES.items():
        write_synthetic(folder / style, style=style, size=size, seed=0)
    return folder


@pytest.fixture
def write_config(tmp_path, synthetic_corpora):
    """Write a study's YAML over the small built-in corpora, with changes."""

    def write(**changes) -> Path:
        content = {
            "name": "small",
            "corpora": {
                "western": {
                    "format": "gtzan",
                    "root": str(synthetic_corpora / "western"),
                    "culture": "Western",
                },
                "korean": {
                    "format": "korean-loops",
                    "root": str(synthetic_corpora / "korean"),
                    "culture": "Korean-style",
                },
            },
            "models": {
                "forest": {"n_estimators": 20},
                "boosting": {"n_estimators": 10},
                "cnn": {"epochs": 2},
            },
            "split": {"group": "track"},
            "evaluation": {"n_resamples": 200},
            "shift": {"in_study": False},
            "explanations": {
                "shap_clips": 20,
                "examples": 0,
                "quality_clips": 2,
                "stability_seeds": 2,
                "stability_clips": 5,
            },
        } | changes
        path = tmp_path / "study.yaml"
        path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
        return path

    return write
