import sys

import numpy as np
import pytest
from cost_model import FORMS, Fit
from process_costs import run

SIZES = np.array([1000, 2000, 4000, 10_000] * 2)


@pytest.mark.parametrize("form", FORMS)
def test_a_form_is_found_again(form):
    truth = np.array([7.0, 0.003] if form.startswith("a") else [0.003])
    terms = np.stack([function(SIZES.astype(float)) for function in FORMS[form]], axis=1)
    fit = Fit.of(SIZES, terms @ truth, form)
    np.testing.assert_allclose(fit.coefficients, truth, rtol=1e-6)
    (row,) = np.stack([function(np.array([1e5])) for function in FORMS[form]], axis=1)
    assert fit.predict(1e5) == pytest.approx([row @ truth] * 3, rel=1e-5)


def test_the_interval_holds_new_measurements_as_often_as_it_says():
    rng = np.random.default_rng(0)

    def measured(n):
        return (3 + 0.004 * np.asarray(n)) * (1 + 0.05 * rng.standard_normal(np.shape(n)))

    held = 0
    for _ in range(400):
        _, low, high = Fit.of(SIZES, measured(SIZES), "a + n").predict(1e5)
        held += low <= measured(1e5) <= high
    assert 0.92 <= held / 400 <= 0.98


def test_no_cost_falls_as_clips_are_added():
    fit = Fit.of([1000, 2000, 4000], [10.0, 9.5, 9.0], "a + n")
    assert fit.coefficients[1] == 0 and fit.predict(1e6)[0] == pytest.approx(fit.predict(1)[0])


def test_as_many_measurements_as_coefficients_are_too_few():
    with pytest.raises(ValueError, match="too few"):
        Fit.of([1000, 2000], [3.0, 4.0], "a + n")


CHILD = """
import subprocess, sys, time
def work(seconds):
    while time.process_time() < seconds: pass
if len(sys.argv) == 1:
    subprocess.Popen([sys.executable, __file__, "orphan"], start_new_session=True)
    work(0.2)
    print("done")
else:
    held = bytearray(150 * 2**20)
    work(0.6)
"""


def test_processes_that_outlive_a_command_are_counted(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(CHILD)
    cost = run([sys.executable, str(script)], poll_s=0.02)
    assert (cost.code, cost.said) == (0, "done\n")
    assert 0.8 <= cost.cpu_s < 4.0
    assert 150 < cost.peak_mb < 400
    assert any(one.pid == cost.main and one.files >= 3 for one in cost.samples)
