"""The figures of a study, in one house style; each takes the table it shows."""

from genrescope.figures.confusion import confusion_figure
from genrescope.figures.curves import training_curve_figure
from genrescope.figures.decomposition import waterfall_figure
from genrescope.figures.drop import drop_figure
from genrescope.figures.explained import explained_figure
from genrescope.figures.faithfulness import faithfulness_figure
from genrescope.figures.feature_shift import feature_shift_figure
from genrescope.figures.reliability import reliability_figure
from genrescope.figures.shapley import shap_figure
from genrescope.figures.style import genre_colours, png_bytes, save_figure

__all__ = [
    "confusion_figure",
    "drop_figure",
    "explained_figure",
    "faithfulness_figure",
    "feature_shift_figure",
    "genre_colours",
    "png_bytes",
    "reliability_figure",
    "save_figure",
    "shap_figure",
    "training_curve_figure",
    "waterfall_figure",
]
