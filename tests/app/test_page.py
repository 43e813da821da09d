import base64
import contextlib
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import pytest
import soundfile

from genrescope.corpora.synthesis.tracks import render_track
from genrescope.explanations.explainer import Explainer
from genrescope.features.vector import extract, feature_names
from genrescope.models import create_model
from genrescope.models.bundle import save_bundle
from genrescope.models.doubt import Calibration
from genrescope.models.predictor import Predictor
from genrescope.models.statistics import FeatureStatistics
from genrescope.models.strangeness import deviations
from genrescope.settings import AudioSettings, FeatureSettings

pytestmark = pytest.mark.slow  # a server, a browser

CHROMIUM = shutil.which("chromium")
QUIET = (
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)  # fmt: skip
GENRES = {"blues": "Blues-like", "hiphop": "HipHop/Rap", "metal": "Rock/Metal"}
RATE = 22050
ANSWER_MS = 60_000
LOW_CONTRAST = """() => {
  const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const linear = (c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const ground = (node) => {
    for (; node; node = node.parentElement) {
      const found = channels(getComputedStyle(node).backgroundColor);
      if (found.length === 3 || found[3] === 1) return found;
    }
    return [255, 255, 255];
  };
  const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const low = [];
  while (words.nextNode()) {
    const text = words.currentNode.textContent.trim();
    const node = words.currentNode.parentElement;
    if (!text || !node.checkVisibility({ visibilityProperty: true })) continue;
    const [a, b] = [light(channels(getComputedStyle(node).color)), light(ground(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) low.push(`${text.slice(0, 40)}: ${ratio.toFixed(2)}`);
  }
  return low;
}"""


FOCUSED = """() => {
  const node = document.activeElement, style = getComputedStyle(node);
  if (node === document.body) return ["", ""];
  const name = node.ariaLabel || node.closest("label")?.innerText || node.innerText || "";
  return [name.replace(/^[^\\p{L}]+/u, "").trim(), `${style.outlineStyle} ${style.outlineWidth}`];
}"""


@pytest.fixture(scope="module")
def bundles(tmp_path_factory) -> list[Path]:
    """A model of features that knows its doubt, and a small network."""
    clips, genres, recordings = [], [], []
    for label, genre in GENRES.items():
        for number in range(6):
            y = render_track(label, 2 * number, seed=5, duration_s=5.0)
            clips.append(y.astype(np.float32))
            genres.append(genre)
            recordings.append(f"{label} {number}")
    found = extract(np.stack(clips))
    X = pd.DataFrame(found.vectors, columns=list(feature_names()))
    trained = np.arange(len(X)) % 6 < 4
    y = np.array(genres)
    forest = create_model("forest", n_estimators=20, random_state=0).fit(X[trained], y[trained])
    network = create_model("cnn", epochs=6, batch_size=4, n_jobs=1, random_state=0)
    network.fit(found.log_mels, y)
    statistics = FeatureStatistics.from_clips(X[trained], list(y[trained]))
    apart = X[~trained]
    calibration = Calibration.from_clips(
        pd.DataFrame(forest.predict_proba(apart), columns=list(forest.classes_)),
        deviations(statistics, apart.to_numpy()),
        genres=y[~trained], recordings=np.array(recordings)[~trained],
    )  # fmt: skip
    facts = {
        "genres": list(GENRES.values()), "taxonomy": {}, "audio": AudioSettings(),
        "features": FeatureSettings(), "corpora": [{"name": "made", "synthetic": True}],
    }  # fmt: skip
    study = tmp_path_factory.mktemp("study")
    (study / "report.html").write_text("<!doctype html><title>A study</title><p>A study.")
    models = study / "models"
    return [
        save_bundle(
            models / "forest" / "made", forest,
            statistics=statistics, calibration=calibration, **facts,
        ),
        save_bundle(models / "cnn" / "made", network, **facts),
    ]  # fmt: skip


@contextlib.contextmanager
def serving(bundles, temporary, *options, stopped_within=False):
    """The address of a server as the command starts it, and its process; it leaves nothing."""
    command = [sys.executable, "-m", "genrescope", "serve", *map(str, bundles), "--port", "0"]
    process = subprocess.Popen(
        [*command, *options], env=os.environ | {"TMPDIR": str(temporary)},
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        said = []
        while not said or not said[-1].startswith("listening: "):
            said.append(process.stderr.readline())
            assert said[-1], said  # it ended
        yield said[-1].split()[1], process
        if not stopped_within:
            process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
    assert "Traceback" not in rest
    assert list(temporary.iterdir()) == []


@pytest.fixture(scope="module")
def served(bundles, tmp_path_factory):
    """A server that the tests share, and its temporary folder."""
    temporary = tmp_path_factory.mktemp("temporary")
    options = ("--workers", "2", "--upload-mb", "6", "--sound-minutes", "1")
    with serving(bundles, temporary, *options) as (address, _):
        yield address, temporary


@pytest.fixture(scope="module")
def url(served) -> str:
    return served[0]


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("there is no chromium to open the page with")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser, url):
    """Open the page; whatever it does, it asks nobody else and makes no error."""
    contexts, asked, errors = [], [], []

    def open_one(*, width=1200, scheme="light", locale="en-US", allowed=()):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, locale=locale,
            permissions=["microphone"],
        )  # fmt: skip
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on(
            "console",
            lambda message: (
                errors.append(message.text)
                if message.type == "error" and not message.text.startswith(allowed)
                else None
            ),
        )
        page.goto(url)
        page.wait_for_selector("input[type=file]", state="attached")
        page.wait_for_function(f"document.documentElement.lang == '{locale[:2]}'")
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert len(asked) > 10
    assert [place for place in asked if not place.startswith((url, "data:", "blob:"))] == []
    assert errors == []


@pytest.fixture(scope="module")
def music(tmp_path_factory) -> Path:
    """A real recording where there is one, else a rendered one."""
    data = os.environ.get("GENRESCOPE_DATA")
    real = sorted(Path(data or "-").glob("gtzan_mini/genres_original/metal/*.flac"))
    if real:
        return real[0]
    path = tmp_path_factory.mktemp("music") / "metal.wav"
    soundfile.write(path, render_track("metal", 1, seed=9, duration_s=12.0), RATE)
    return path


def give(page, path, *, selector=".player"):
    page.set_input_files("input[type=file]", path)
    page.wait_for_selector(selector, timeout=ANSWER_MS)


def choose(page, name):
    page.get_by_role("radio", name=name).check(force=True)  # Gradio hides the circle itself


def playhead(page) -> float:
    return float(page.locator(".playhead").evaluate("mark => mark.style.left").rstrip("%"))


@pytest.mark.parametrize(("width", "scheme"), [(1200, "light"), (390, "dark")])
def test_a_sound_is_answered_explained_and_heard(open_page, bundles, music, width, scheme):
    page = open_page(width=width, scheme=scheme)
    assert page.evaluate(LOW_CONTRAST) == []
    give(page, music)
    answer = Predictor.load(bundles[0]).from_file(music)
    assert page.locator(".verdict h2").inner_text() == answer.genre
    shown = page.locator(".verdict .bars .num").all_inner_texts()
    assert [float(text) for text in shown] == pytest.approx(list(answer.probabilities), abs=0.006)
    assert music.name in page.locator(".kicker").inner_text()
    assert page.get_by_text("How sure?").is_visible()
    assert "SYNTHETIC" in page.locator(".caution").inner_text()
    assert page.locator(".screen img").evaluate("image => image.naturalWidth") == 128
    assert answer.genre in page.locator(".sentence").first.inner_text()
    assert page.locator(".parts tr").count() >= 5
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(LOW_CONTRAST) == []

    choose(page, "cnn/made")
    page.wait_for_selector(".player svg", timeout=ANSWER_MS)
    other = Predictor.load(bundles[1]).from_file(music)
    assert page.locator(".verdict h2").inner_text() == other.genre
    assert page.evaluate("document.documentElement.scrollWidth") <= width

    button = page.get_by_role("button", name="Play what decided")
    button.focus()
    page.keyboard.press("Space")
    sound = page.locator("audio[data-sound=kept]")
    page.wait_for_function("document.querySelector('audio[data-sound=kept]').currentTime > 0.8")
    assert button.get_attribute("aria-pressed") == "true"
    early = playhead(page)
    page.wait_for_timeout(400)
    page.keyboard.press("Space")
    page.wait_for_selector(".play[data-sound=kept][aria-pressed=false]")
    assert sound.evaluate("sound => sound.paused")
    at = sound.evaluate("sound => sound.currentTime")
    assert playhead(page) == pytest.approx(100 * at / 5, abs=1.5)
    assert playhead(page) > early + 3

    page.locator(".screen").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert playhead(page) == pytest.approx(5.0, abs=0.1)
    box = page.locator(".screen").bounding_box()
    page.mouse.click(box["x"] + 0.6 * box["width"], box["y"] + 40)
    assert playhead(page) == pytest.approx(60, abs=1)


def test_everything_is_reached_by_keyboard_and_shows_where_it_is(open_page, bundles, music):
    page = open_page()
    choose(page, "cnn/made")
    give(page, music)
    # What is played is what the map keeps.
    found = Explainer.load(bundles[1]).from_file(music, moments=1).moments[0]
    coded = page.locator("audio[data-sound=kept]").get_attribute("src").split(",")[1]
    played, rate = soundfile.read(io.BytesIO(base64.b64decode(coded)), dtype="float32")
    assert rate == RATE
    np.testing.assert_allclose(played, found.to_audio()["kept"], atol=0.01)

    page.get_by_role("link", name="The study's report").focus()
    reached, order = set(), []
    for _ in range(40):
        page.keyboard.press("Tab")
        name, outline = page.evaluate(FOCUSED)
        if not name:
            break
        assert re.match(r"(?!none)\w+ [2-9]", outline), (name, outline)
        if name not in reached:
            order.append(name)
        reached.add(name)
    wanted = [
        "English", "한국어", "Clear", "Record audio", "blues", "metal", "forest/made", "cnn/made",
        "Place in the sound", "Play the sound", "Play what decided", "Play the rest",
        "Show what decided",
    ]  # fmt: skip
    assert [name for name in order if name in wanted] == wanted


def test_language_and_report(open_page, music, url):
    page = open_page(locale="ko-KR")
    assert page.get_by_role("button", name="블루스").is_visible()
    give(page, music)
    korean = page.locator(".sentence").all_inner_texts()
    assert all(re.search("[가-힣]", text) for text in korean)
    decided = page.locator(".screen img").first.get_attribute("src")
    choose(page, "English")
    page.wait_for_function("document.documentElement.lang == 'en'")
    page.wait_for_function("document.querySelector('.result').lang == 'en'")
    english = page.locator(".sentence").all_inner_texts()
    assert not any(re.search("[가-힣]", text) for text in english)
    assert len(english) == len(korean)
    assert re.findall(r"[+−]?\d*\.\d+", " ".join(english)) != []
    assert page.locator(".screen img").first.get_attribute("src") == decided
    with page.expect_navigation():
        page.get_by_role("link", name="The study's report").click()
    assert page.url == f"{url}/report"
    assert page.inner_text("p") == "A study."


def test_examples_and_the_microphone(open_page):
    page = open_page()
    page.get_by_role("button", name="metal").click()
    page.wait_for_selector(".player", timeout=ANSWER_MS)
    assert "metal example · 0:15" in page.locator(".kicker").inner_text()
    page.get_by_label("Clear").first.click()
    page.wait_for_selector(".waiting")
    page.get_by_label("Record audio").click()
    page.locator("button.record-button").click()
    page.wait_for_timeout(1500)
    page.locator("button.stop-button").click()
    page.wait_for_selector(".player", timeout=ANSWER_MS)
    assert "Your recording · 0:0" in page.locator(".kicker").inner_text()


def test_what_is_no_sound_is_said_in_a_sentence(open_page, served, tmp_path):
    # Gradio says in the console, too, what it cannot play and what it does not send.
    page = open_page(allowed=("Waveform load error", "Failed to load resource", "Response"))
    text, silent = tmp_path / "text.wav", tmp_path / "silent.wav"
    text.write_text("no sound " * 1000)
    soundfile.write(silent, np.zeros(3 * RATE), RATE)
    long = tmp_path / "long.flac"
    soundfile.write(long, np.zeros(70 * RATE), RATE)
    for path, sentence in (
        (text, "This is no sound"),
        (silent, "silent throughout"),
        (long, "at most 1 minutes"),
    ):
        give(page, path, selector=".trouble")
        assert sentence in page.locator(".trouble").inner_text()
        assert page.locator(".result").count() == 0
        shown = page.locator("body").inner_text()
        assert "Traceback" not in shown and str(served[1]) not in shown
        page.get_by_label("Clear").first.click()
        page.wait_for_selector(".waiting")
    choose(page, "한국어")
    give(page, silent, selector=".trouble")
    assert "무음" in page.locator(".trouble").inner_text()
    page.get_by_label("Clear").first.click()
    page.wait_for_selector(".waiting")
    large = tmp_path / "large.wav"
    soundfile.write(large, np.random.default_rng(0).uniform(-1, 1, 150 * RATE), RATE)
    page.set_input_files("input[type=file]", large)
    page.get_by_text("exceed the maximum allowed size").wait_for()


def test_hostile_names_are_words(open_page, music, tmp_path):
    page = open_page()
    name = "<img src=x onerror=alert(1)> ${7*7} {{7*7}}" + music.suffix
    shutil.copy(music, tmp_path / name)
    give(page, tmp_path / name)
    assert "alert" in page.locator(".kicker").inner_text()
    assert page.locator(".kicker img").count() == 0
    assert "49" not in page.locator(".kicker").inner_text()


def test_nothing_else_of_the_machine_can_be_read(url, bundles):
    with httpx.Client(base_url=url) as client:
        page = client.get("/")
        assert page.status_code == 200
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "connect-src 'self'" in policy
        assert "http:" not in policy and "https:" not in policy
        head = page.text.split("</head>")[0]
        assert not re.search(r'(src|href|content)="https?://', head)
        assert "og:" not in head and "manifest" not in head
        for path in ("/etc/passwd", "//etc/passwd", "../../etc/passwd", bundles[0] / "bundle.json"):
            answer = client.get(f"/gradio_api/file={path}")
            assert answer.status_code in (403, 404), path
            assert "root:" not in answer.text and "format_version" not in answer.text
        for path in (
            "/gradio_api/proxy=https://example.org/", "/gradio_api/file=https://example.org/",
            "/monitoring", "/gradio_api/vibe-code/", "/gradio_api/openapi.json", "/login_check",
            "/gradio_api/runs", "/gradio_api/deep_link", "/gradio_api/app_id", "/llms.txt", "/x",
            "/gradio_api/info", "/svelte/svelte.js", "/manifest.json",
        ):  # fmt: skip
            answer = client.get(path)
            assert answer.status_code == 404, path
            assert answer.headers["content-type"] == "application/problem+json"
        assert client.post("/gradio_api/process_recording").status_code == 404
        large = {"files": ("large.wav", bytes(7_000_000))}
        assert client.post("/gradio_api/upload", files=large).status_code == 413
        assert client.get("/health").status_code == 200


def test_an_open_page_does_not_keep_the_server_from_stopping(bundles, tmp_path):
    alone = tmp_path / "alone"
    shutil.copytree(bundles[0], alone)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with serving([alone], temporary, "--workers", "1", stopped_within=True) as (address, process):
        assert "/report" not in httpx.get(f"{address}/config", timeout=60).text
        assert httpx.get(f"{address}/report", timeout=60).status_code == 404
        with httpx.stream("GET", f"{address}/gradio_api/heartbeat/abc", timeout=60) as stream:
            assert "ALIVE" in next(stream.iter_text())
            start = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert process.stderr.readline() == "stopped\n"
        assert time.monotonic() - start < 9  # less than the grace for requests at work
