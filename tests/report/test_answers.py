import io
import json

import numpy as np
import pandas as pd
import pytest

from genrescope.models.doubt import Doubt
from genrescope.models.predictor import FilePrediction
from genrescope.report.answers import render

GENRES = ["Blues-like", "Pop/Dance/RnB", "Rock/Metal"]


def answer(doubt: Doubt | None, shares=(0.2, 0.1, 0.7)) -> FilePrediction:
    probabilities = pd.Series(shares, index=GENRES)
    windows = pd.DataFrame([shares], columns=GENRES)
    windows.insert(0, "genre", GENRES[int(np.argmax(shares))])
    windows.insert(0, "start_s", 0.0)
    return FilePrediction(
        "a.mp3", 221.0, windows, probabilities, str(probabilities.idxmax()), doubt=doubt
    )


SURE = Doubt(("Rock/Metal",), 0.9, 0.4, False)
DOUBLE = Doubt(("Blues-like", "Rock/Metal"), 0.9, 0.97, True, True, ("tempo",))
FEW = Doubt(tuple(GENRES), 0.95, 0.4, False, enough=False)


@pytest.mark.parametrize(
    ("doubt", "told"),
    [
        (SURE, "(90% sure: Rock/Metal)"),
        (DOUBLE, "(90% sure: Rock/Metal or Blues-like; unlike anything it was trained on)"),
        (FEW, "(calibrated on too few recordings to be 95% sure of anything)"),
    ],
)
def test_a_line_says_how_sure_it_is(doubt, told):
    line = render([answer(doubt)], "table")
    assert line == f"a.mp3  Rock/Metal 0.70  {told}  3:41, 1 window\n"


def test_without_calibration_a_line_names_close_genres():
    assert "0.70  3:41" in render([answer(None)], "table")
    assert "(could also be Blues-like)" in render([answer(None, (0.4, 0.1, 0.5))], "table")


def test_tables_have_the_doubt_in_columns():
    table = pd.read_csv(io.StringIO(render([answer(DOUBLE), answer(None)], "csv")))
    assert list(table.columns[-4:]) == ["prediction_set", "coverage", "unusual", "unlike"]
    first, second = table.to_dict(orient="records")
    assert first["prediction_set"] == "Blues-like|Rock/Metal" and first["coverage"] == 0.9
    assert first["unusual"] == 0.97 and bool(first["unlike"]) is True
    assert pd.isna(second["prediction_set"]) and pd.isna(second["unlike"])


def test_json_has_the_whole_doubt():
    first, second = json.loads(render([answer(DOUBLE), answer(None)], "json"))
    assert first["doubt"] == {
        "genres": ["Blues-like", "Rock/Metal"], "coverage": 0.9, "unusual": 0.97, "unlike": True,
        "enough": True, "features": ["tempo"],
    }  # fmt: skip
    assert second["doubt"] is None
