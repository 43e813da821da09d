"""Sphinx configuration: Markdown pages, numpydoc docstrings, nothing fetched from outside."""

import genrescope

project = "genrescope"
author = "The genrescope maintainers"
copyright = "2026, the genrescope maintainers"
version = release = genrescope.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = "genrescope"
