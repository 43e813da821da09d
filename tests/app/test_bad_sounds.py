import numpy as np
import pytest
from bombs import flac_claiming, ogg_claiming, tiny_flac
from served import RATE, coded, tone

HOUR = 3600 * RATE


def upload(server, sound, **fields):
    return server.client.post("/v1/predict", files={"file": ("a.wav", sound)}, data=fields)


def damaged(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes(1000) + content[middle + 1000 :]


BAD = {
    "nothing": (lambda: b"", "empty"),
    "text": (lambda: b"La la la, but written down.\n" * 500, "text"),
    "noise": (lambda: np.random.default_rng(0).bytes(50_000), "no sound file"),
    "a picture": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(5000), "no sound file"),
    "half a WAV": (lambda: coded(tone(110, 8))[:100_000], "cut short"),
    "half a FLAC": (lambda: coded(tone(110, 8), kind="FLAC")[:50_000], "breaks off"),
    "a damaged FLAC": (lambda: damaged(coded(tone(110, 8), kind="FLAC")), "damaged"),
    "a header only": (lambda: coded(tone(110, 8))[:44], "cut short"),
    "no samples": (lambda: coded(np.zeros(0)), "no sound"),
    "a blink": (lambda: coded(tone(110, 0.2)), "too short"),
    "silence": (lambda: coded(np.zeros(10 * RATE)), "silent"),
    "an hour": (lambda: tiny_flac(3600), "60.0 minutes long"),
    "a FLAC that claims hours": (
        lambda: flac_claiming(tiny_flac(6), 50 * HOUR),
        "3,000.0 minutes long",
    ),
    "an OGG that claims hours": (
        lambda: ogg_claiming(coded(tone(110, 6), kind="OGG"), 50 * HOUR),
        "3,000.0 minutes long",
    ),
    "a FLAC that does not say": (lambda: flac_claiming(tiny_flac(6), 0), "how long"),
    "a FLAC that claims some more": (lambda: flac_claiming(tiny_flac(6), 600 * RATE), "breaks off"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_sound_gets_a_sentence(server, low, kind):
    make, said = BAD[kind]
    response = upload(server, make(), model="linear")
    assert response.status_code == 422, response.text
    assert response.headers["content-type"] == "application/problem+json"
    detail = response.json()["detail"]
    assert said in detail and "/" not in detail.replace("and/or", "")
    assert upload(server, low, model="linear").status_code == 200


def test_no_more_is_decoded_than_the_header_claims(server):
    bomb = flac_claiming(tiny_flac(3600), 6 * RATE)
    assert len(bomb) < 400_000
    found = upload(server, bomb, model="linear").json()
    assert found["duration_s"] == 6 and found["answers"][0]["windows"] == 1


def test_the_type_and_the_name_a_client_gives_do_not_count(server, low):
    file = ("song.txt", low, "text/plain")
    response = server.client.post("/v1/predict", files={"file": file}, data={"model": "linear"})
    assert response.status_code == 200


def test_an_explanation_is_refused_for_the_same_reasons(server):
    for content, said in ((b"text", "text"), (tiny_flac(3600), "minutes")):
        files = {"file": ("a.wav", content)}
        response = server.client.post("/v1/explain", files=files, data={"model": "linear"})
        assert response.status_code == 422 and said in response.json()["detail"]
