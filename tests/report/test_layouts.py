import csv
import io
import json

import pytest
from rich.cells import cell_len

from genrescope.errors import ConfigError
from genrescope.models.doubt import Doubt
from genrescope.report.answers import Answer
from genrescope.report.layouts import FORMATS, create_layout
from genrescope.report.timeline import Timeline

GENRES = ["Blues", "Rock"]
DOUBT = Doubt(genres=("Blues", "Rock"), coverage=0.9, unusual=0.99, unlike=True)
TIMELINE = Timeline(
    5.0, [0.0, 5.0, 15.0, 20.0], [[0.9, 0.1], [0.7, 0.3], [0.6, 0.4], [0.125, 0.875]]
)
ANSWERS = [
    Answer("노래.mp3", "a@11111111", 23.5, 4, 1, "Blues", {"Blues": 0.58125, "Rock": 0.41875},
           DOUBT, TIMELINE),
    Answer('odd, "name"\n\x1b[2J\udce9.mp3', "b/c@22222222", 5.0, 1, 0, "Rock",
           {"Blues": 0.25, "Rock": 0.75}),
]  # fmt: skip


def laid_out(how, *, timeline=False):
    layout = create_layout(
        how,
        paths=[answer.path for answer in ANSWERS],
        models=[answer.model for answer in ANSWERS],
        genres=GENRES,
        timeline=timeline,
    )
    return layout.start() + "".join(map(layout.text, ANSWERS)) + layout.end()


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_comes_back_from_json(answer):
    assert Answer.from_dict(json.loads(json.dumps(answer.to_dict()))) == answer


def test_csv_has_a_row_per_answer():
    first, second = csv.DictReader(io.StringIO(laid_out("csv")))
    assert list(first)[5:7] == GENRES
    assert first["path"] == "노래.mp3" and first["model"] == "a@11111111"
    assert first["prediction_set"].split("|") == GENRES and first["unlike"] == "True"
    assert float(first["Blues"]) == 0.58125 and float(first["unusual"]) == 0.99
    assert second["path"] == 'odd, "name"\n\x1b[2J\\udce9.mp3' and second["prediction_set"] == ""


def test_csv_with_timelines_has_a_row_per_stretch():
    rows = list(csv.reader(io.StringIO(laid_out("csv", timeline=True))))
    assert rows[0] == ["path", "model", "start_s", "end_s", "genre", "probability"]
    # Silence from 10 s on ends a stretch; the last window ends with the sound.
    assert [row[2:] for row in rows[1:]] == [
        ["0.0", "10.0", "Blues", "0.8"],
        ["15.0", "20.0", "Blues", "0.6"],
        ["20.0", "23.5", "Rock", "0.875"],
    ]


def test_json_and_json_lines_hold_the_same():
    whole = json.loads(laid_out("json"))
    lines = [json.loads(line) for line in laid_out("jsonl").splitlines()]
    assert whole == lines
    assert lines[0]["doubt"]["genres"] == GENRES and lines[1]["doubt"] is None
    assert lines[1]["path"] == ANSWERS[1].path
    assert lines[0]["timeline"][3] == {
        "start_s": 20.0, "genre": "Rock", "Blues": 0.125, "Rock": 0.875
    }  # fmt: skip
    assert "timeline" not in lines[1]


def test_a_table_is_read_by_people():
    line, stretches, odd = laid_out("table").splitlines()
    assert line.split("  ", 1)[0] == "노래.mp3" and "0:24, 4 windows" in line
    said = "Blues 0.58  (90% sure: Blues or Rock; unlike anything it was trained on)"
    assert said in line
    assert "0:00–0:10 Blues 0.80  0:15–0:20 Blues 0.60  0:20–0:24 Rock 0.88" in stretches
    assert odd.startswith('odd, "name"\\n\\x1b[2J\\udce9.mp3  b/c  Rock 0.75  0:05, 1 window')
    # Korean letters take two cells: the second column begins at the same place in each line.
    assert (
        len({cell_len(one[: one.index(name)]) for one, name in ((line, "a "), (odd, "b/c"))}) == 1
    )


@pytest.mark.parametrize(
    ("doubt", "told"),
    [
        (Doubt(("Rock",), 0.9, 0.4, False), "(90% sure: Rock)"),
        (
            Doubt(("Blues", "Rock"), 0.95, 0.4, False, enough=False),
            "(calibrated on too few recordings to be 95% sure of anything)",
        ),
        (None, "(could also be Blues)"),
    ],
)
def test_a_line_says_how_sure_it_is(doubt, told):
    answer = Answer("a.mp3", "a@1", 221.0, 44, 0, "Rock", {"Blues": 0.4, "Rock": 0.6}, doubt)
    layout = create_layout("table", paths=["a.mp3"], models=["a@1"], genres=GENRES, timeline=False)
    assert layout.text(answer) == f"a.mp3  Rock 0.60  {told}  3:41, 44 windows\n"


def test_nothing_is_laid_out_too():
    empty = create_layout("json", paths=[], models=["a@1"], genres=GENRES, timeline=False)
    assert json.loads(empty.start() + empty.end()) == []
    with pytest.raises(ConfigError, match=", ".join(FORMATS)):
        create_layout("xml", paths=[], models=[], genres=[], timeline=False)
