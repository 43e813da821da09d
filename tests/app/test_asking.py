import asyncio
from types import SimpleNamespace

import pytest

from genrescope.app.asking import Asking
from genrescope.app.examples import EXAMPLES, example_file
from genrescope.app.page import remove_old
from genrescope.app.service import Service
from genrescope.app.texts import page_texts, preferred_language
from genrescope.app.view import view_explanation
from genrescope.errors import AudioError, BundleError, ServiceError
from genrescope.explanations.explainer import Explainer


class Counting(Service):
    """A service without processes, that counts what it is asked and fails as it is told."""

    def __init__(self, bundles, *, failing=None):
        super().__init__(bundles)
        self.asked, self.failing = [], failing or {}

    async def predict(self, sound, models=None, **_):
        self._count("predict")
        return {
            name: Explainer(bundle).predictor.from_file(sound)
            for name, bundle in self.models.items()
        }

    async def view(self, sound, model):
        self._count("view")
        return view_explanation(Explainer(self.models[model]).from_file(sound, moments=1))

    def _count(self, what):
        self.asked.append(what)
        if what in self.failing:
            raise self.failing[what]


@pytest.fixture
def song(tmp_path, low):
    path = tmp_path / "song.wav"
    path.write_bytes(low)
    return str(path)


def everything(answers):
    async def gather():
        return [item async for item in answers]

    return asyncio.run(gather())


def test_the_answer_comes_first_then_why(bundles, song):
    asking = Asking(Counting(bundles))
    first, second = everything(asking.ask(song, "song.wav", "forest", "en"))
    assert "low" in first[0] and 'class="player"' not in first[0]
    assert 'class="player"' in second[0] and "song.wav" in second[0]
    assert asking.service.asked == ["predict", "view"]
    recorded = everything(asking.ask(song, "", "forest", "ko"))[-1][0]
    assert page_texts("ko")["answer"]["recording"] in recorded


def test_another_language_asks_nothing_and_another_model_only_why(bundles, song):
    asking = Asking(Counting(bundles))
    known = everything(asking.ask(song, "song.wav", "forest", "en"))[-1][1]
    html = asyncio.run(asking.tell(known, "forest", "ko"))
    assert known.views["forest"].words["ko"].sentences[0] in html
    assert asking.service.asked == ["predict", "view"]
    html, known = everything(asking.explain(known, "linear", "en"))[-1]
    assert asking.service.asked == ["predict", "view", "view"]
    assert set(known.views) == {"forest", "linear"}
    everything(asking.explain(known, "forest", "en"))
    assert len(asking.service.asked) == 3


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (AudioError("x", path="/srv/secret", kind="silent"), "silent throughout"),
        (AudioError("x", kind="too-long"), "at most 15 minutes"),
        (AudioError("x", kind="unheard-of"), "This is no sound"),
        (ServiceError("x"), "busy"),
        (ServiceError("x", kind="late"), "busy"),
        (ServiceError("x", kind="lost"), "Something went wrong"),
        (BundleError("x", path="/srv/secret"), "Something went wrong"),
        (RuntimeError("/srv/secret"), "Something went wrong"),
    ],
)
def test_whatever_goes_wrong_is_one_sentence(bundles, song, error, said, caplog):
    asking = Asking(Counting(bundles, failing={"predict": error}))
    ((html, known),) = everything(asking.ask(song, "song.wav", "forest", "en"))
    assert known is None
    assert said in html and 'role="alert"' in html
    assert "/srv" not in html and "Traceback" not in html
    assert ("could not answer" in caplog.text) == (type(error) in (RuntimeError, BundleError))
    # Where only the reasons fail, the answer stays.
    asking = Asking(Counting(bundles, failing={"view": error}))
    html, known = everything(asking.ask(song, "song.wav", "forest", "en"))[-1]
    assert known is not None and 'class="result"' in html and said in html


def test_no_sound_is_no_question(bundles):
    asking = Asking(Counting(bundles))
    ((html, known),) = everything(asking.ask(None, "", "forest", "en"))
    assert known is None and page_texts("en")["waiting"] in html
    assert asking.service.asked == []


@pytest.mark.parametrize(
    ("accepted", "code"),
    [("ko-KR,ko;q=0.9,en;q=0.8", "ko"), ("en;q=0.3,ko;q=0.2", "en"), ("de, fr;q=x", "en")],
)
def test_the_language_is_the_browsers(accepted, code):
    assert preferred_language(accepted) == code


def test_examples_are_rendered_once(tmp_path):
    path = example_file(EXAMPLES[0], tmp_path)
    written = path.stat().st_mtime_ns
    assert example_file(EXAMPLES[0], tmp_path).stat().st_mtime_ns == written


def test_only_old_uploads_are_removed(tmp_path, monkeypatch):
    for name in ("a/old.wav", "b/new.wav"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"x")
    born = (tmp_path / "a/old.wav").stat().st_mtime
    monkeypatch.setattr("genrescope.app.page.time", SimpleNamespace(time=lambda: born + 100))
    remove_old(tmp_path, older_than_s=200)
    assert (tmp_path / "a/old.wav").exists()
    remove_old(tmp_path, older_than_s=50)
    assert not any(path.is_file() for path in tmp_path.rglob("*"))
