import base64
import dataclasses
import io
import json
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import soundfile
from served import RATE, coded, tone

from genrescope.models.predictor import Predictor


def ask(server, sound, route="predict", *, name="a.wav", **fields):
    return server.client.post(f"/v1/{route}", files={"file": (name, sound)}, data=fields)


def refused(response, status) -> str:
    """The sentence of a problem, checked to be one."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    found = response.json()
    assert set(found) == {"type", "title", "status", "detail"} and found["status"] == status
    assert not re.search(r"/proc|/tmp|Traceback|\.py", found["detail"])
    return found["detail"]


def test_every_model_answers_as_the_library_does(server, bundles, tmp_path):
    path = tmp_path / "music.flac"
    path.write_bytes(coded(np.concatenate([tone(110, 7), tone(3200, 9)]), kind="FLAC"))
    response = ask(server, path.read_bytes(), name="music.flac", timeline="true")
    assert response.status_code == 200
    found = response.json()
    assert found["name"] == "music.flac" and found["duration_s"] == 16
    assert [answer["model"] for answer in found["answers"]] == ["forest", "linear"]
    for answer, bundle in zip(found["answers"], bundles, strict=True):
        expected = Predictor.load(bundle).from_file(path)
        assert answer["genre"] == expected.genre
        assert answer["probabilities"] == pytest.approx(expected.probabilities.to_dict(), abs=1e-9)
        windows = expected.windows
        assert [w["start_s"] for w in answer["timeline"]] == windows["start_s"].tolist()
        assert [w["genre"] for w in answer["timeline"]] == windows["genre"].tolist()
        assert answer["windows"] == len(windows) and answer["silent_windows"] == 0


def test_models_are_chosen_and_answer_in_the_order_asked(server, low):
    both = ask(server, low, model=["linear", "forest", "linear"]).json()
    assert [answer["model"] for answer in both["answers"]] == ["linear", "forest"]
    one = ask(server, low, model="linear").json()["answers"]
    assert [answer["model"] for answer in one] == ["linear"] and one[0]["timeline"] is None
    listed = server.client.get("/v1/models").json()["models"]
    assert [(model["name"], model["genres"]) for model in listed] == [
        ("forest", ["low", "high"]),
        ("linear", ["low", "high"]),
    ]


def test_doubt_is_the_librarys_for_the_coverage_asked(server, bundles, low, tmp_path):
    path = tmp_path / "low.wav"
    path.write_bytes(low)
    for coverage in (0.5, 0.9):
        forest, linear = ask(server, low, coverage=coverage).json()["answers"]
        expected = Predictor.load(bundles[1], coverage=coverage).from_file(path).doubt
        assert forest["doubt"] is None
        assert linear["doubt"] == json.loads(json.dumps(dataclasses.asdict(expected)))
        assert linear["doubt"]["coverage"] == coverage
    assert "coverage: " in refused(ask(server, low, coverage=1), 422)
    assert "coverage: " in refused(ask(server, low, coverage="nan"), 422)


def test_explanations_bring_sentences_values_pictures_and_sounds(server, low):
    response = ask(server, low, "explain", name="낮은 소리.wav", model="forest", files="true")
    assert response.status_code == 200, response.text
    found = response.json()
    assert found["name"] == "낮은 소리.wav" and found["genre"] == found["target"] == "low"
    assert len(found["moments"]) == 2
    for moment in found["moments"]:
        added = moment["baseline"] + sum(row["contribution"] for row in moment["features"])
        assert added == pytest.approx(moment["answer"], abs=1e-4)
        picture = found["files"][moment["files"]["picture"]].removeprefix("data:image/png;base64,")
        assert base64.b64decode(picture).startswith(b"\x89PNG")
        clip = found["files"][moment["files"]["clip"]].removeprefix("data:audio/wav;base64,")
        assert soundfile.info(io.BytesIO(base64.b64decode(clip))).frames == 5 * RATE


def test_explanations_answer_the_question_asked(server, low):
    options = {"model": "linear", "target": "high", "against": "low", "moments": 1}
    found = ask(server, low, "explain", **options, language="ko").json()
    assert (found["target"], found["against"], found["genre"]) == ("high", "low", "low")
    assert len(found["moments"]) == 1 and found["files"] == {}
    assert re.search("[가-힣]", " ".join(found["sentences"]))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"model": "forst"}, "There is no model 'forst': did you mean forest?"),
        ({"model": "forest", "target": "mid"}, "no genre 'mid'"),
        ({"model": "forest", "target": "low", "against": "low"}, "against itself"),
        ({"model": "forest", "language": "xx"}, "xx"),
        ({"model": "forest", "moments": "0"}, "moments: "),
        ({"model": "forest", "moments": "many"}, "moments: "),
        ({"model": "forest", "files": "perhaps"}, "files: "),
        ({"model": "forest", "target": "x" * 300}, "target: "),
        ({"model": "x" * 3000}, "model: "),
        ({}, "model: field required"),
    ],
)
def test_impossible_questions_are_refused(server, low, fields, said):
    detail = refused(ask(server, low, "explain", **fields), 422)
    assert said in detail and len(detail) <= 500


HOSTILE = {
    "../../etc/passwd": "passwd",
    "..\\..\\windows\\system.ini": "system.ini",
    "/": "sound",
    "a\u202egnp.wav": "agnp.wav",
    "x" * 1000: "x" * 200,
    "$\\frac{1}$.wav": "frac{1}$.wav",
    "<script>alert(1)": "<script>alert(1)",
}


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: name[:20])
def test_hostile_names_are_only_ever_shown(server, low, name):
    assert ask(server, low, name=name, model="linear").json()["name"] == HOSTILE[name]


def test_hostile_names_do_not_break_pictures(server, low):
    response = ask(server, low, "explain", name="$\\frac{$\u0301.wav", model="forest", moments=1)
    assert response.status_code == 200


def test_a_name_of_ten_thousand_characters_is_too_much_of_a_header(server, low):
    refused(ask(server, low, name="x" * 10_000, model="linear"), 400)


def test_control_characters_in_a_name(server, low):
    head = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a\x00\x07b\x7f.wav"\r\n\r\n'
    )
    body = head + low + b"\r\n--b--\r\n"
    kind = {"content-type": "multipart/form-data; boundary=b"}
    response = server.client.post("/v1/predict", content=body, headers=kind)
    # Either way is right; what counts is that it is no failure and nothing unprintable comes back.
    if response.status_code == 200:
        assert response.json()["name"] == "ab.wav"
    else:
        refused(response, 400)


# Of a body that breaks off, Starlette leaves the file to the garbage collector.
@pytest.mark.filterwarnings("ignore:.*SpooledTemporaryFile")
def test_requests_that_are_no_upload(server, low):
    client = server.client
    kind = {"content-type": "multipart/form-data; boundary=b"}
    unbounded = {"content-type": "multipart/form-data"}
    assert "multipart" in refused(client.post("/v1/predict", json={"file": "x"}), 415)
    assert "multipart" in refused(client.post("/v1/predict", data={"file": "x"}), 415)
    assert "multipart" in refused(client.post("/v1/predict"), 415)
    assert "file: " in refused(client.post("/v1/predict", files={"sound": ("a.wav", low)}), 422)
    assert "file" in refused(client.post("/v1/predict", files={"file": (None, b"text")}), 422)
    two = [("file", ("a.wav", low)), ("file", ("b.wav", low))]
    assert "1" in refused(client.post("/v1/predict", files=two), 400)
    many = {f"field{n}": (None, "x") for n in range(100)}
    refused(client.post("/v1/predict", files=many), 400)
    refused(client.post("/v1/predict", content=b"rubbish", headers=kind), 400)
    cut = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + low
    assert "file: " in refused(client.post("/v1/predict", content=cut, headers=kind), 422)
    refused(client.post("/v1/predict", content=low, headers=unbounded), 400)
    refused(client.get("/nothing"), 404)
    refused(client.get("/v1/predict"), 405)
    assert client.delete("/v1/models").headers["allow"] == "GET"


def test_health_metrics_and_headers(server, low):
    assert server.client.get("/health").json() == {"live": True, "ready": True, "models": 2}
    before = server.counted('genrescope_requests_total{route="/v1/predict",status="200"}')
    response = ask(server, low, model="forest")
    after = server.counted('genrescope_requests_total{route="/v1/predict",status="200"}')
    assert after == before + 1
    assert server.counted('genrescope_batch_windows_sum{model="forest"}') >= 2
    server.client.get("/nothing/of/a/strangers/making")
    assert "strangers" not in server.client.get("/metrics").text
    for answer in (response, server.client.get("/nothing"), server.client.get("/openapi.json")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "access-control-allow-origin" not in answer.headers
        assert "server" not in answer.headers or "/" not in answer.headers["server"]
    assert server.client.get("/docs").status_code == 404


def test_fifty_at_once_are_answered_or_asked_to_come_again(server, low):
    with ThreadPoolExecutor(50) as pool:
        responses = list(pool.map(lambda _: ask(server, low, model="forest"), range(50)))
    good = [response for response in responses if response.status_code == 200]
    assert len(good) >= 34  # two at work and 32 waiting
    assert {response.json()["answers"][0]["genre"] for response in good} == {"low"}
    for response in responses:
        if response.status_code != 200:
            assert "try again later" in refused(response, 429)
            assert int(response.headers["retry-after"]) > 0
