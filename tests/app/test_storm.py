import pytest
from served import coded, live, tone
from serving import storm

from genrescope.models.predictor import Predictor


@pytest.mark.slow
def test_two_hundred_requests_from_sixteen_clients(bundles, tmp_path):
    """One in ten is malformed; `benchmarks/serving.py` does the same with 2,000."""
    paths = []
    for hertz in (110, 140, 3100, 3500):
        paths.append(tmp_path / f"{hertz}.flac")
        paths[-1].write_bytes(coded(tone(hertz, 6 + hertz % 7), kind="FLAC"))
    expected = {
        bundle.name: [
            Predictor.load(bundle).from_file(path).probabilities.to_dict() for path in paths
        ]
        for bundle in bundles
    }
    sounds = [path.read_bytes() for path in paths]
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with live(bundles, temporary, workers=2) as server:
        found = storm(f"http://127.0.0.1:{server.port}", sounds, expected, requests=200)
        assert list(temporary.iterdir()) == []
    assert found.wrong == []
    assert len(found.latencies_s) == 180 and found.bad.total() == 20
    assert set(found.bad) == {400, 415, 422}
