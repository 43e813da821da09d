"""What is not needed is not loaded: packages of extras, and large ones where a process is small."""

import subprocess
import sys
import tomllib
from pathlib import Path

HIDE = """
import sys
from importlib import import_module
class Hidden:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in {hidden}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Hidden())
for name in {modules}:
    import_module(name)
"""
HIDDEN = {
    "dask", "distributed", "fastapi", "gradio", "huggingface_hub", "mutagen", "pebble",
    "prometheus_client", "s3fs", "safetensors", "torch", "uvicorn",
}  # fmt: skip
MODULES = [
    "genrescope.cli",
    "genrescope.collection.explaining",
    "genrescope.collection.prediction_file",
    "genrescope.corpora.audit",
    "genrescope.explanations.explainer",
    "genrescope.shift.adapted",
    "genrescope.study.run",
    "genrescope.study.single",
]


def test_trees_need_no_package_of_an_extra():
    code = HIDE.format(hidden=HIDDEN, modules=MODULES)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_processes_of_extraction_start_without_large_packages():
    code = "import sys, genrescope.features.extraction; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"matplotlib", "scipy.signal", "scipy.stats", "sklearn", "torch", "xgboost"} & set(
        done.stdout.split()
    )


def test_no_package_is_forgotten():
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    always = {_name(one) for one in project["dependencies"]}
    for extra, packages in project["optional-dependencies"].items():
        if extra != "dev":
            names = {_name(one) for one in packages} - always
            assert names - {"cryptography", "python_multipart"} <= HIDDEN, extra


def _name(requirement):
    word = requirement
    for sign in "[<>=~! ;":
        word = word.partition(sign)[0]
    return word.replace("-", "_").lower()
