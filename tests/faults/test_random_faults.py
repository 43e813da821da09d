"""A handful of what `benchmarks/faults.py` does by the hundred."""

import pytest
from scenarios import scenarios
from trials import disturb, undisturbed

pytestmark = pytest.mark.slow

TRIALS = [
    ("predict", "kill", 1),
    ("predict", "signal", 7),
    ("features", "kill", 3),
    ("features", "fail", 4),
    ("features", "damage", 8),
    ("features", "cluster", 12),
    ("tags", "kill", 10),
    ("tiny", "kill", 2),
    ("tiny", "kill", 9),
    ("tiny", "cluster", 1),
]


@pytest.fixture(scope="module")
def references(material, starter, tmp_path_factory):
    known = scenarios(material)
    folder = tmp_path_factory.mktemp("whole")
    return {
        name: (known[name], undisturbed(known[name], folder / name, starter))
        for name in sorted({name for name, _, _ in TRIALS})
    }


@pytest.mark.parametrize(("name", "how", "seed"), TRIALS)
def test_what_was_disturbed_goes_on_to_the_same_bytes(
    references, starter, tmp_path, name, how, seed
):
    if starter.shim is None and how == "fail":
        pytest.skip("needs a C compiler")
    scenario, reference = references[name]
    trial = disturb(scenario, tmp_path / "run" / "out", reference, starter, seed=seed, how=how)
    assert trial.fine, trial.line()
