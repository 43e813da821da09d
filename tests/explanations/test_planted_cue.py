"""Maps of a network that can only have learned one thing: do they point at it?

Half of the clips hold a cue, a short patch of sound in a fixed band at a random moment, or at a
fixed moment in a random band. All of them hold a louder patch that says nothing. So evidence for
the class "cue" is where the cue is, and nowhere else.
"""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from genrescope.explanations.grad_cam import grad_cam  # noqa: E402
from genrescope.explanations.occlusion import occlusion  # noqa: E402
from genrescope.models import create_model  # noqa: E402

pytestmark = pytest.mark.slow

SIZE = 48  # bands and frames
BAND, MOMENT = 10, 30  # where the fixed coordinate of a cue is
CUE = (4, 8)  # bands and frames
TRAIN, VALIDATION, TEST = 240, 40, 120
SLACK = 4  # places of the last layer are this far apart: no map is sharper than that


def spectrogram(rng, kind, has_cue):
    """A spectrogram, and the band and frame its cue begins at."""
    values = rng.normal(-50, 5, (SIZE, SIZE))
    frame = int(rng.integers(0, SIZE - CUE[1]))
    values[22:26, frame : frame + CUE[1]] += 30
    band = BAND if kind == "band" else int(rng.integers(0, SIZE - CUE[0]))
    frame = MOMENT if kind == "moment" else int(rng.integers(0, SIZE - CUE[1]))
    if has_cue:
        values[band : band + CUE[0], frame : frame + CUE[1]] += 25
    return values.astype(np.float32), (band, frame)


@pytest.fixture(scope="module", params=["band", "moment"])
def learned(request):
    rng = np.random.default_rng(0)
    genres = np.array(["cue", "nothing"] * ((TRAIN + VALIDATION + TEST) // 2))
    drawn = [spectrogram(rng, request.param, genre == "cue") for genre in genres]
    maps = np.stack([values for values, _ in drawn])
    held = slice(TRAIN, TRAIN + VALIDATION)
    model = create_model("cnn", epochs=25, patience=8, batch_size=16, n_jobs=1)
    model.fit(maps[:TRAIN], genres[:TRAIN], validation=(maps[held], genres[held]))
    test = slice(TRAIN + VALIDATION, None)
    right = (model.predict(maps[test]) == genres[test]).mean()
    assert right >= 0.95, f"the network learned the cue in {right:.0%} of clips only"
    with_cue = [n for n in range(TRAIN + VALIDATION, len(maps)) if genres[n] == "cue"]
    return model, maps[with_cue], [drawn[n][1] for n in with_cue]


def share_inside(found, cues):
    inside = 0
    for values, (band, frame) in zip(found, cues, strict=True):
        at_band, at_frame = np.unravel_index(values.argmax(), values.shape)
        inside += (
            band - SLACK <= at_band < band + CUE[0] + SLACK
            and frame - SLACK <= at_frame < frame + CUE[1] + SLACK
        )
    return inside / len(cues)


def test_the_maximum_is_inside_the_cue(learned):
    model, maps, cues = learned
    shares = {
        "occlusion": share_inside(occlusion(model, maps, target="cue", patch=6, step=3), cues),
        "Grad-CAM": share_inside(grad_cam(model, maps, target="cue"), cues),
        "energy": share_inside(maps, cues),
    }
    print({name: f"{share:.0%} of {len(cues)}" for name, share in shares.items()})
    assert max(shares["occlusion"], shares["Grad-CAM"]) >= 0.95
    assert shares["occlusion"] >= 0.9 > shares["energy"]
