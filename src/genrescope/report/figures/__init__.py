"""The figures of a study, in one house style; each takes the table it shows."""

from genrescope.report.figures.confusion import confusion_figure
from genrescope.report.figures.curves import training_curve_figure
from genrescope.report.figures.drop import drop_figure
from genrescope.report.figures.maps import map_figure
from genrescope.report.figures.shapley import feature_words, shap_figure
from genrescope.report.figures.style import genre_colours, png_bytes, save_figure

__all__ = [
    "confusion_figure",
    "drop_figure",
    "feature_words",
    "genre_colours",
    "map_figure",
    "png_bytes",
    "save_figure",
    "shap_figure",
    "training_curve_figure",
]
