"""Sphinx configuration; `python -m sphinx -W docs docs/_build/html` builds the pages.

The gallery's scripts are run too, in two minutes; `-D plot_gallery=0` leaves them, and their
figures, out.
"""

import re
import runpy
from importlib.metadata import version as installed_version
from pathlib import Path

from sphinx_gallery.sorting import ExplicitOrder

project = "scalebridge"
author = "The scalebridge developers"
copyright = "2026, The scalebridge developers"
version = release = installed_version("scalebridge")

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "jupyter_execute", "gallery/*.ipynb"]
nitpicky = False

myst_enable_extensions = ["amsmath", "dollarmath", "colon_fence"]
myst_heading_anchors = 3

nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_merge_streams = True

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",
    "within_subsection_order": ExplicitOrder(
        [
            "laminate.py",
            "duality.py",
            "boundary_conditions.py",
            "cast_iron.py",
            "cathode.py",
            "fibre_composite.py",
            "two_scale_plate.py",
            "time_to_accuracy.py",
        ]
    ),
    "abort_on_example_error": True,
    "capture_repr": (),
    "download_all_examples": False,
    "thumbnail_size": (700, 320),
    "write_computation_times": False,
}

autosummary_generate = False
autodoc_member_order = "bysource"
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

html_theme = "pydata_sphinx_theme"
html_title = "scalebridge"
html_static_path = ["_static"]
html_css_files = ["gallery.css"]
html_theme_options = {
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
}


_LITERAL = re.compile(r"(``.+?``|`[^`]+`)")


def _keep_absolute_values(app, what, name, obj, options, lines):
    """Escape bars in docstrings: |x| is an absolute value there, never a substitution."""
    for number, line in enumerate(lines):
        parts = _LITERAL.split(line)
        parts[::2] = [part.replace("|", r"\|") for part in parts[::2]]
        lines[number] = "".join(parts)


def _draw_laws(app):
    """Draw the curves of the pages of the laws."""
    runpy.run_path(str(Path(app.srcdir) / "laws/curves.py"))["draw"](
        Path(app.srcdir) / "_build/laws"
    )


def setup(app):
    """Connect the hooks; 600 comes after numpydoc's 500."""
    app.connect("builder-inited", _draw_laws)
    app.connect("autodoc-process-docstring", _keep_absolute_values, priority=600)
