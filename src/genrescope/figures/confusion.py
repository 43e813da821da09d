"""Confusion matrices."""

import pandas as pd
from matplotlib.figure import Figure

from genrescope.figures.style import (
    MUTED,
    SCORES,
    bare,
    house_style,
    ink_on,
    new_figure,
    readable,
)


def recall_shares(confusion: pd.DataFrame) -> pd.DataFrame:
    """Share of each true genre's clips given each genre; 0 for a genre without clips.

    Examples
    --------
    >>> table = pd.DataFrame([[3, 1], [0, 0]], index=["a", "b"], columns=["a", "b"])
    >>> recall_shares(table).to_numpy().tolist()
    [[0.75, 0.25], [0.0, 0.0]]
    """
    support = confusion.sum(axis=1)
    return confusion.div(support.where(support > 0, 1), axis=0).astype("float64")


def confusion_figure(confusion: pd.DataFrame, *, title: str = "", subtitle: str = "") -> Figure:
    """A confusion matrix: counts, and shares of the true genre as shade and per cent.

    Parameters
    ----------
    confusion : DataFrame [shape=(n_genres, n_genres)]
        Rows are the true genres, columns the predicted ones, in the same order; clips.
    title, subtitle : str
        Printed above.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> table = pd.DataFrame([[3, 1], [0, 4]], index=["Blues", "Rock"], columns=["Blues", "Rock"])
    >>> figure = confusion_figure(table, title="forest, western to western")
    >>> figure.axes[0].get_xlabel()
    'predicted genre'
    """
    shares = recall_shares(confusion)
    support = confusion.sum(axis=1)
    n = len(confusion)
    with house_style():
        figure = new_figure(2.3 + 0.95 * n, 1.2 + 0.68 * n, title=title, subtitle=subtitle)
        axes = figure.add_subplot()
        axes.imshow(shares, cmap=SCORES, vmin=0, vmax=1, aspect="auto")
        for row in range(n):
            for column in range(n):
                share = float(shares.iloc[row, column])  # type: ignore[arg-type]
                ink = ink_on(share)
                count = f"{int(confusion.iloc[row, column]):,}"  # type: ignore[arg-type]
                weight = "bold" if row == column else "normal"
                axes.text(
                    column, row - 0.1, count, ha="center", va="center", color=ink, weight=weight
                )
                if support.iloc[row]:
                    axes.text(
                        column,
                        row + 0.24,
                        f"{share:.0%}",
                        ha="center",
                        va="center",
                        color=ink,
                        fontsize=7.5,
                    )
        names = [readable(str(name)) for name in confusion.columns]
        crowded = n > 6
        axes.set_xticks(
            range(n), names, rotation=35 if crowded else 0, ha="right" if crowded else "center"
        )
        axes.set_yticks(
            range(n),
            [
                f"{readable(str(name))}\nn = {int(of_genre):,}"
                for name, of_genre in zip(confusion.index, support, strict=True)
            ],
        )
        axes.set_xticks([place - 0.5 for place in range(1, n)], minor=True)
        axes.set_yticks([place - 0.5 for place in range(1, n)], minor=True)
        axes.grid(which="minor", color="white", linewidth=2)
        axes.tick_params(which="both", length=0)
        bare(axes)
        axes.set_xlabel("predicted genre", color=MUTED)
        axes.set_ylabel("true genre", color=MUTED)
    return figure
