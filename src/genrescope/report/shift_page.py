"""The page of `genrescope shift`: what a drop is made of, and what helps against it."""

from pathlib import Path
from typing import Any

import pandas as pd

from genrescope.figures.decomposition import waterfall_figure
from genrescope.figures.feature_shift import feature_shift_figure
from genrescope.figures.repairs import few_shot_figure, repairs_figure
from genrescope.figures.style import number
from genrescope.files import read_json, write_text
from genrescope.report.conclusions import interval
from genrescope.report.embedding import Embedder
from genrescope.report.ladders import ladder_exhibit, read_ladder
from genrescope.report.templating import css, environment
from genrescope.shift.adaptation import SELF_TRAINED

TEMPLATE = "shift.html.j2"


def write_shift_page(folder: Path) -> Path:
    """Write `shift.html` into a finished run of `genrescope shift`, from the files in it.

    Parameters
    ----------
    folder : pathlib.Path

    Returns
    -------
    pathlib.Path
        The page: one file, pictures inside, nothing loaded from elsewhere.

    Raises
    ------
    OutputError
        Where the page cannot be written.
    """
    info = read_json(folder / "run.json")
    embed = Embedder(folder)
    pairs = []
    for pair in info["pairs"]:
        models = [
            found
            for name in info["models"]
            if (found := _model(folder, name, pair["source"], pair["target"], embed)) is not None
        ]
        pairs.append(pair | {"models": models})
    page = folder / "shift.html"
    text = (
        environment(info["genres"])
        .get_template(TEMPLATE)
        .render(info=info, pairs=pairs, css=css(), left_out=embed.left_out)
    )
    write_text(page, text)
    return page


def _model(
    folder: Path, name: str, source: str, target: str, embed: Embedder
) -> dict[str, Any] | None:
    pair = f"{source}__{target}"
    ladder = read_ladder(folder / "ladder" / name / pair)
    if ladder is None:
        return None
    title = f"{name}: from {source} to {target}"
    return {
        "name": name,
        "ladder": ladder_exhibit(ladder, embed, title=title),
        "causes": _causes(folder / "causes" / name / pair, embed, title=title),
        "moved": _moved(folder / "moved" / name / pair, embed, title=title),
        "repairs": _repairs(folder / "repairs" / name / pair, embed, title=title),
    }


def _causes(folder: Path, embed: Embedder, *, title: str) -> dict[str, Any] | None:
    if not (folder / "causes.json").is_file():
        return None
    picture = None
    if (folder / "steps.csv").is_file():
        steps = pd.read_csv(folder / "steps.csv")
        picture = embed.figure(waterfall_figure(steps, title=f"Kinds of shift, {title}"))
    return {"sentences": read_json(folder / "causes.json")["sentences"], "figure": picture}


def _moved(folder: Path, embed: Embedder, *, title: str) -> dict[str, Any] | None:
    if not (folder / "moved.json").is_file():
        return None
    facts = read_json(folder / "moved.json")
    figure = feature_shift_figure(
        pd.read_csv(folder / "features.csv"),
        title=f"Do the features it leans on move? {title}",
        subtitle=f"{facts['n_source']:,} source and {facts['n_target']:,} target clips; rank "
        f"correlation of importance and shift {facts['correlation']}",
    )
    return {"sentences": facts["sentences"], "figure": embed.figure(figure)}


def _repairs(folder: Path, embed: Embedder, *, title: str) -> dict[str, Any] | None:
    if not (folder / "methods.csv").is_file():
        return None
    methods, choices, left = (
        pd.read_csv(folder / f"{name}.csv") for name in ("methods", "choices", "left")
    )
    chosen = str(choices["chosen"].iloc[0])
    first: dict[str, Any] = methods.iloc[0].to_dict()  # type: ignore[assignment]
    without = interval(first["macro_f1"], first["macro_f1_low"], first["macro_f1_high"])
    subtitle = (
        f"Beside macro-F1 {without} without; {int(first['n']):,} target clips, "
        f"{int(first['seeds'])} seeds"
    )
    figure = repairs_figure(methods, chosen=chosen, title=f"What helps {title}", subtitle=subtitle)
    curve = folder / "few_shot.csv"
    return {
        "figure": embed.figure(figure),
        "methods": methods.to_dict("records"),
        "sentences": repair_sentences(choices, left),
        "few_shot": _few_shot(pd.read_csv(curve), embed, title) if curve.is_file() else None,
    }


def repair_sentences(choices: pd.DataFrame, left: pd.DataFrame) -> list[str]:
    """What was chosen without labels, what it brought, and what is left of the drop.

    Parameters
    ----------
    choices : DataFrame
        As from `shift.selection.choices`, of one model.
    left : DataFrame
        `method`, `in_domain`, `cross`, `drop`, `low`, `high`: none, then the chosen method.

    Examples
    --------
    >>> choices = pd.DataFrame({"chosen": ["coral"], "difference": [0.1], "low": [0.05],
    ...     "high": [0.15], "oracle": ["quantile"], "oracle_macro_f1": [0.6]})
    >>> left = pd.DataFrame({"method": ["none", "coral"], "in_domain": 0.7, "cross": [0.4, 0.5],
    ...     "drop": [0.3, 0.2], "low": [0.2, 0.1], "high": [0.4, 0.3]})
    >>> for sentence in repair_sentences(choices, left):
    ...     print(sentence)
    Chosen without a label of the target: coral, which adds .10 [.05, .15].
    With labels one would have chosen quantile (.60).
    Of the drop from .70, artists apart, .30 [.20, .40] without it and .20 [.10, .30] with it.
    """
    said = []
    for place, row in enumerate(choices.to_dict("records")):
        gain = interval(row["difference"], row["low"], row["high"])
        if str(row["chosen"]).endswith(SELF_TRAINED):
            said.append(f"Trained again with its own surest answers it adds {gain}.")
        elif row["chosen"] == "none":
            said.append("Chosen without a label of the target: no adaptation.")
        else:
            said.append(
                f"Chosen without a label of the target: {row['chosen']}, which adds {gain}."
            )
        if place == len(choices) - 1:
            best = number(row["oracle_macro_f1"])
            said.append(f"With labels one would have chosen {row['oracle']} ({best}).")
    rows = left.to_dict("records")
    home = number(rows[0]["in_domain"])
    drops = [interval(row["drop"], row["low"], row["high"]) for row in rows]
    sentence = f"Of the drop from {home}, artists apart, {drops[0]} without it"
    said.append(f"{sentence} and {drops[-1]} with it." if len(rows) > 1 else f"{sentence}.")
    return said


def _few_shot(curve: pd.DataFrame, embed: Embedder, title: str) -> dict[str, Any]:
    curves = {str(name): table for name, table in curve.groupby("trained_on", sort=False)}
    goal = 0.9 * float(curve["own"].iloc[0])
    figure = few_shot_figure(
        curves,
        goal=goal,
        title=f"Labels of the target, {title}",
        subtitle="Goal: 90% of what the target's own model reaches; "
        f"adaptation: {curve['method'].iloc[0]}; {int(curve['draws'].iloc[0])} draws",
    )
    needed = {name: float(table["needed"].iloc[0]) for name, table in curves.items()}
    return {"figure": embed.figure(figure), "needed": needed, "rows": curve.to_dict("records")}
