"""The API held against its own OpenAPI document, by schemathesis."""

from collections import Counter

import pytest
import schemathesis
from bombs import flac_claiming, tiny_flac
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.config import SchemathesisConfig
from schemathesis.generation import GenerationMode
from served import RATE, coded, tone

# A document cannot say which bytes are a sound, nor which genre belongs to which model.
CONFIG = {"checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", "422"]}}}
EXAMPLES = {
    ("/v1/predict", GenerationMode.POSITIVE): 350,
    ("/v1/predict", GenerationMode.NEGATIVE): 300,
    ("/v1/explain", GenerationMode.POSITIVE): 200,
    ("/v1/explain", GenerationMode.NEGATIVE): 200,
}


@pytest.fixture(scope="module")
def api(server):
    return schemathesis.openapi.from_url(
        f"http://127.0.0.1:{server.port}/openapi.json",
        config=SchemathesisConfig.from_dict(CONFIG),
    )


@pytest.fixture(scope="module")
def sounds(low):
    high = coded(tone(3200, 6), kind="OGG")
    return [low, high, tiny_flac(7), flac_claiming(tiny_flac(7), 3600 * RATE)]


def converse(operation, mode, examples, sounds, real_of_ten) -> Counter[int]:
    """Send an operation so many generated requests, some with real sounds; statuses answered."""
    answered: Counter[int] = Counter()

    @settings(
        max_examples=examples, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(
        case=operation.as_strategy(generation_mode=mode),
        sound=st.sampled_from(sounds),
        lot=st.integers(0, 9),
    )
    def ask(case, sound, lot):
        if mode is GenerationMode.POSITIVE and lot < real_of_ten:
            case.body["file"] = sound
        answered[case.call_and_validate().status_code] += 1

    ask()
    return answered


@pytest.mark.slow
def test_a_thousand_requests_break_no_promise(api, sounds):
    answered: dict[str, Counter[int]] = {"/v1/predict": Counter(), "/v1/explain": Counter()}
    for (path, mode), examples in EXAMPLES.items():
        # Most explanations are asked of bytes that are no sound: real ones take a second.
        real = 9 if path == "/v1/predict" else 2
        answered[path] += converse(api[path]["POST"], mode, examples, sounds, real)
    assert sum(found.total() for found in answered.values()) >= 1000
    assert all(status < 500 for found in answered.values() for status in found)
    assert answered["/v1/predict"][200] > 100 and answered["/v1/explain"][200] > 10, answered


@pytest.mark.parametrize("path", ["/v1/models", "/health", "/metrics"])
def test_the_rest_keeps_its_promises_too(api, path):
    @settings(max_examples=20, deadline=None, derandomize=True, database=None)
    @given(case=api[path]["GET"].as_strategy())
    def ask(case):
        assert case.call_and_validate().status_code == 200

    ask()


def test_every_answer_and_problem_is_described_with_an_example(server):
    document = server.client.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["description"]
            for status, response in operation["responses"].items():
                ((kind, content),) = response["content"].items()
                assert (kind == "application/problem+json") == (int(status) >= 400), (path, method)
                name = content["schema"].get("$ref", "").rsplit("/", 1)[-1]
                assert "example" in content or "example" in schemas[name], (path, status)
    assert set(document["paths"]) == {
        "/v1/predict", "/v1/explain", "/v1/models", "/health", "/metrics",
    }  # fmt: skip
