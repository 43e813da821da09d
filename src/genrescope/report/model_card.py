"""Model cards: what a bundle is for, what it was trained on, how good it is and where it ends."""

from collections.abc import Mapping, Sequence
from typing import Any

from genrescope.figures.style import number
from genrescope.report.answers import coverage_line, percent

KINDS = {
    "linear": "logistic regression over audio features",
    "svm": "support vector machine (Gaussian kernel) over audio features",
    "forest": "Random Forest over audio features",
    "boosting": "gradient-boosted trees (XGBoost) over audio features",
    "ensemble": "calibrated vote of several models over audio features",
    "cnn": "convolutional network over a 128 x 128 log-mel spectrogram",
}
PARTS = {"test": "held-out clips", "all": "all clips"}


def model_card(info: Mapping[str, Any]) -> str:
    """Write the README of a bundle.

    Parameters
    ----------
    info : mapping
        As in `bundle.json`: `kind`, `genres`, `corpora` (list of `name`, `culture`, `synthetic`,
        `clips` and perhaps `train_clips`, `genres`), `metrics` (rows of `results.csv`),
        `coverage`, and the settings `audio` and `features`; all but `kind` and `genres` may be
        missing.

    Returns
    -------
    str
        Markdown.

    Examples
    --------
    >>> card = model_card({"kind": "forest", "genres": ["Blues-like", "Rock/Metal"]})
    >>> card.splitlines()[0]
    '# forest: Blues-like or Rock/Metal?'
    """
    genres = [str(genre) for genre in info["genres"]]
    kind = str(info["kind"])
    corpora = [dict(corpus) for corpus in info.get("corpora", ())]
    question = f"{', '.join(genres[:-1])} or {genres[-1]}?" if len(genres) > 1 else genres[0]
    sections = [
        f"# {_plain(kind)}: {_plain(question)}",
        f"A {KINDS.get(kind, _plain(kind))}, made by genrescope. It hears a clip and gives a "
        "probability to each genre.",
        "## Use",
        "```\ngenrescope predict BUNDLE AUDIO...\n```",
        "`BUNDLE` is this folder. From Python:",
        "```python\nfrom genrescope.models.predictor import Predictor\n\n"
        'Predictor.load("BUNDLE").from_file("song.mp3").genre\n```',
        "It is meant for research, and for giving a collection first labels that a person checks. "
        "It is not meant to decide about people, pay or visibility. Loading it runs no code from "
        "the bundle.",
        "## Trained on",
        _corpora(corpora),
        "## How good it is",
        _metrics(info.get("metrics", ())),
        "## How sure it is",
        _coverage(info.get("coverage")),
        "## Where it ends",
        _limits(genres, corpora),
        "## Settings",
        _settings(info),
    ]
    return "\n\n".join(sections) + "\n"


def _plain(text: str) -> str:
    # Names come from other people's files and must not become markup or break a table.
    for character in "\\`*_[]<>|#":
        text = text.replace(character, f"\\{character}")
    return " ".join(text.split())


def _corpora(corpora: Sequence[Mapping[str, Any]]) -> str:
    if not corpora:
        return "The bundle does not say."
    lines = [
        "| corpus | culture | clips | for training | genres |",
        "| --- | --- | ---: | ---: | --- |",
    ]
    for corpus in corpora:
        name = _plain(str(corpus["name"])) + (" (**synthetic**)" if corpus.get("synthetic") else "")
        genres = ", ".join(
            f"{_plain(str(genre))} {count:,}" for genre, count in corpus.get("genres", {}).items()
        )
        trained = corpus.get("train_clips")
        lines.append(
            f"| {name} | {_plain(str(corpus.get('culture', 'unknown')))} "
            f"| {int(corpus.get('clips', 0)):,} | {'' if trained is None else f'{trained:,}'} "
            f"| {genres} |"
        )
    return "\n".join(lines)


def _metrics(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return "No clips were held out, so nothing is known of it."
    lines = [
        "| tested on | clips | accuracy [95%] | macro-F1 [95%] | majority guess, accuracy |",
        "| --- | ---: | --- | --- | ---: |",
    ]
    for row in rows:
        part = PARTS.get(str(row.get("part")), "clips")
        lines.append(
            f"| {_plain(str(row.get('target', '')))}, {part} | {int(row['n']):,} "
            f"| {_interval(row, 'accuracy')} | {_interval(row, 'macro_f1')} "
            f"| {number(float(row['majority_accuracy']), 3)} |"
        )
    lines += ["", "Intervals are of a bootstrap over groups of clips that belong together."]
    return "\n".join(lines)


def _coverage(coverage: Mapping[str, Any] | None) -> str:
    if coverage is None:
        return "Its prediction sets were not tested: too few recordings were left for it."
    share = percent(float(coverage["asked"]))
    n, unlike = int(coverage["recordings"]), int(coverage["unlike"])
    return (
        f"Beside each answer stands a set of genres, meant to hold the true one for {share} of "
        f"recordings like those above. It was calibrated on {int(coverage['calibrated_on']):,} "
        f"recordings that the model did not learn from. Tested on others:\n\n"
        f"- {coverage_line(coverage)}.\n"
        f"- {unlike} of the {n} {'was' if unlike == 1 else 'were'} called unlike anything it was "
        "trained on; at most one in twenty should be.\n\n"
        "For music from elsewhere neither figure holds."
    )


def _interval(row: Mapping[str, Any], name: str) -> str:
    ends = [float(row.get(f"{name}_{end}", "nan")) for end in ("low", "high")]
    value = number(float(row[name]), 3)
    return (
        value
        if any(end != end for end in ends)
        else f"{value} [{number(ends[0], 3)}, {number(ends[1], 3)}]"
    )


def _limits(genres: Sequence[str], corpora: Sequence[Mapping[str, Any]]) -> str:
    lines = [f"- It knows {len(genres)} genres and gives one of them to any sound, music or not."]
    cultures = sorted({str(corpus.get("culture", "unknown")) for corpus in corpora} - {"unknown"})
    if cultures:
        lines.append(
            f"- It has heard {_plain(' and '.join(cultures))} music. On other music, other clip "
            "lengths, single instruments or other recordings the scores above do not hold."
        )
    if any(corpus.get("synthetic") for corpus in corpora):
        lines.append(
            "- It was trained on **synthetic** music rendered by a program, and is good for trying "
            "out the software only."
        )
    lines += [
        "- Genre labels are opinions; the corpora's labels are taken as they are.",
        "- Probabilities are the model's own and may be too sure: see `ece` in `bundle.json`.",
    ]
    return "\n".join(lines)


def _settings(info: Mapping[str, Any]) -> str:
    lines = [
        f"- {group}: "
        + ", ".join(f"`{key}` {_plain(str(value))}" for key, value in dict(info[group]).items())
        for group in ("audio", "features")
        if info.get(group)
    ]
    return "\n".join([*lines, "- `bundle.json` has the taxonomy, fingerprints and versions."])
