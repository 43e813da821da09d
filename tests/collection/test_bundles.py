import pytest

from genrescope.collection.bundles import find_report
from genrescope.errors import ConfigError


@pytest.fixture
def runs(tmp_path):
    """Two studies with reports, and one that has none yet."""
    for name in ("one", "other", "unfinished"):
        for model in ("forest", "cnn"):
            (tmp_path / name / "models" / model / "western").mkdir(parents=True)
        if name != "unfinished":
            (tmp_path / name / "report.html").write_text(name)
    return tmp_path


def test_models_of_a_study_bring_its_report(runs):
    models = [runs / "one/models/forest/western", runs / "one/models/cnn/western"]
    assert find_report(models) == runs / "one/report.html"
    assert find_report([*models, runs / "my-genres"]) == runs / "one/report.html"


def test_without_one_study_there_is_no_report(runs):
    one, other, unfinished = (
        runs / name / "models/forest/western" for name in ("one", "other", "unfinished")
    )
    assert find_report([one, other]) is None
    assert find_report([unfinished]) is None
    assert find_report([runs / "one"]) is None  # not where a study keeps its models
    assert find_report([]) is None


def test_a_run_that_is_named_must_have_one(runs):
    models = [runs / "one/models/forest/western"]
    assert find_report(models, run=runs / "other") == runs / "other/report.html"
    with pytest.raises(ConfigError, match=r"unfinished: holds no report\.html"):
        find_report(models, run=runs / "unfinished")
