import numpy as np
import pandas as pd
import pytest

from genrescope.evaluation.cells import (
    PREDICTION_COLUMNS,
    RESULT_COLUMNS,
    Cell,
    evaluate_cell,
    evaluated_parts,
    predict_cell,
    prediction_columns,
    read_predictions,
    select_part,
    source_members,
)
from genrescope.evaluation.metrics import score
from genrescope.files import write_csv

GENRES = ["x", "y", "z"]


class Fixed:
    """A model with known probabilities: columns z, x, and a class order of its own."""

    classes_ = np.array(["z", "x"])

    def __init__(self, probabilities):
        self.probabilities = np.asarray(probabilities, dtype=np.float32)

    def predict_proba(self, X):
        return self.probabilities[: len(X)]


def clips(n=4):
    return pd.DataFrame(
        {
            "clip_id": [f"a/{k}@0" for k in range(n)],
            "group": ["1", "01", "NA", "g"][:n],
            "genre": ["x", "z", "x", "y"][:n],
        }
    )


def test_cells_know_their_folder_and_parts():
    assert str(Cell("cnn", "a+b", "a").folder) == "cells/cnn/a+b__a"
    assert source_members("a") == ("a",)
    assert evaluated_parts("a", "b") == ["test", "all"]
    assert evaluated_parts("a", "a") == evaluated_parts("a+b", "a") == ["test"]
    assert evaluated_parts("a", "a+b") == evaluated_parts("a+b", "a+b") == ["test"]
    # A name inside another name is another corpus.
    assert evaluated_parts("gtzan", "gtzan_short") == ["test", "all"]


def test_predictions_are_in_genre_order_and_the_first_of_equals_wins():
    model = Fixed([[0.25, 0.75], [1.0, 0.0], [0.5, 0.5], [0.75, 0.25]])
    parts = pd.Series(["train", "test", "validation", "test"], index=[f"a/{k}@0" for k in range(4)])
    frame = predict_cell(model, np.zeros((4, 2)), clips(), GENRES, seed=3, parts=parts[::-1])
    assert frame.columns.tolist() == prediction_columns(GENRES)
    assert frame["predicted"].tolist() == ["x", "z", "x", "z"]
    assert frame["y"].tolist() == [0.0] * 4
    assert frame["part"].tolist() == parts.tolist()
    assert frame["seed"].tolist() == [3] * 4


def test_predictions_come_back_from_disk_to_the_last_digit(tmp_path):
    rng = np.random.default_rng(0)
    p = rng.dirichlet([1, 1], size=500)
    many = pd.DataFrame(
        {
            "clip_id": [f"a/{k}@0" for k in range(500)],
            "group": np.resize(["1", "01", "NA", "None", ""], 500),
            "genre": np.resize(["x", "z", "NA"], 500),
        }
    )
    genres = ["x", "NA", "z"]
    model = Fixed(p)
    model.probabilities = p
    frame = predict_cell(model, np.zeros((500, 2)), many, genres)
    write_csv(tmp_path / "predictions.csv", frame)
    back = read_predictions(tmp_path / "predictions.csv")
    pd.testing.assert_frame_equal(back, frame, check_exact=True)
    assert score(back, genres) == score(frame, genres)


def test_a_file_that_is_no_predictions_is_refused(tmp_path):
    (tmp_path / "p.csv").write_text("clip_id,genre\n1,x\n")
    with pytest.raises(ValueError, match=r"lacks the columns seed, part, group, predicted"):
        read_predictions(tmp_path / "p.csv")


def test_rows_that_do_not_belong_together_are_refused():
    model = Fixed(np.full((4, 2), 0.5))
    with pytest.raises(ValueError, match="3 inputs for 4 clips"):
        predict_cell(model, np.zeros((3, 2)), clips(), GENRES)
    with pytest.raises(ValueError, match="index"):
        predict_cell(model, pd.DataFrame(np.zeros((4, 2))), clips(), GENRES)
    parts = pd.Series("test", index=clips()["clip_id"][1:])
    with pytest.raises(ValueError, match="1 clips have no part"):
        predict_cell(model, np.zeros((4, 2)), clips(), GENRES, parts=parts)
    with pytest.raises(ValueError, match="the model knows z"):
        predict_cell(model, np.zeros((4, 2)), clips(), ["x", "y"])


def test_clips_may_be_indexed_by_their_id():
    model = Fixed(np.full((4, 2), 0.5))
    frame = predict_cell(model, np.zeros((4, 2)), clips().set_index("clip_id"), GENRES)
    pd.testing.assert_frame_equal(frame, predict_cell(model, np.zeros((4, 2)), clips(), GENRES))


def test_no_clips_give_an_empty_table_and_a_row_that_says_so():
    frame = predict_cell(Fixed(np.zeros((0, 2))), np.zeros((0, 2)), clips(0), GENRES)
    assert frame.columns.tolist() == prediction_columns(GENRES) and not len(frame)
    assert score(frame, GENRES)["n"] == 0


def test_rows_of_results_have_the_columns_of_results():
    rng = np.random.default_rng(0)
    frames = []
    for seed in (1, 0):
        frame = predict_cell(Fixed(rng.dirichlet([1, 1], 4)), np.zeros((4, 2)), clips(), GENRES)
        frames.append(frame.assign(seed=seed, part=["train", "test", "test", "validation"]))
    predictions = pd.concat(frames, ignore_index=True)
    rows = evaluate_cell(predictions, cell=Cell("forest", "a", "b"), genres=GENRES)
    header = (
        "model,source,target,part,seed,n,accuracy,accuracy_low,accuracy_high,balanced_accuracy,"
        "macro_f1,macro_f1_low,macro_f1_high,weighted_f1,kappa,ece,majority_accuracy"
    )
    assert all(",".join(row) == header for row in rows)
    assert tuple(rows[0]) == RESULT_COLUMNS
    assert [(row["seed"], row["part"], row["n"]) for row in rows] == [
        (0, "test", 2),
        (0, "all", 4),
        (1, "test", 2),
        (1, "all", 4),
    ]
    expected = score(select_part(frames[1], "test"), GENRES)
    assert {name: rows[0][name] for name in expected} == pytest.approx(expected, nan_ok=True)
    assert len(PREDICTION_COLUMNS) == 6


def test_only_test_and_all_are_evaluated():
    with pytest.raises(ValueError, match="'train' is not an evaluated part"):
        select_part(clips().assign(part="train"), "train")
