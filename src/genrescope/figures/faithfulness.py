"""What becomes of an answer while the places that a map points at are taken away, or put in."""

import pandas as pd
from matplotlib.figure import Figure

from genrescope.figures.style import MUTED, OKABE_ITO, house_style, new_figure

LINES = {
    "occlusion": ("occlusion", OKABE_ITO["blue"], "-"),
    "grad_cam": ("Grad-CAM", OKABE_ITO["vermillion"], "-"),
    "random": ("random", MUTED, ":"),
    "centre": ("centre", MUTED, "--"),
    "energy": ("energy", MUTED, "-."),
}
PANELS = {"deletion": "taken away, strongest first", "insertion": "put in, strongest first"}
WISHES = {"deletion": "a good map falls early", "insertion": "a good map rises early"}


def faithfulness_figure(curves: pd.DataFrame, *, title: str = "", subtitle: str = "") -> Figure:
    """Mean deletion and insertion curves of each method.

    Parameters
    ----------
    curves : DataFrame
        `method`, `share` (of the spectrogram, from 0 to 1), `deletion`, `insertion` (mean
        probability of the explained genre).
    title, subtitle : str
        Printed above.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> curves = pd.DataFrame({"method": ["occlusion"] * 2, "share": [0.0, 1.0],
    ...                        "deletion": [0.9, 0.2], "insertion": [0.2, 0.9]})
    >>> [axes.get_xlabel() for axes in faithfulness_figure(curves).axes]
    ['share taken away, strongest first', 'share put in, strongest first']
    """
    with house_style():
        figure = new_figure(8.6, 2.9, title=title, subtitle=subtitle)
        panels = figure.subplots(1, 2, sharey=True)
        for axes, (name, words) in zip(panels, PANELS.items(), strict=True):
            for method, of_method in curves.groupby("method", sort=False):
                label, colour, dash = LINES.get(str(method), (str(method), MUTED, "-"))
                axes.plot(of_method["share"], of_method[name], dash, color=colour, label=label)
            axes.set_xlim(0, 1)
            axes.set_ylim(0, 1)
            axes.set_xlabel(f"share {words}")
            axes.set_title(f"{name}: {WISHES[name]}")
            axes.grid(axis="y")
        panels[0].set_ylabel("probability of the answer")
        panels[1].legend(loc="lower right", fontsize=8.5)
    return figure
