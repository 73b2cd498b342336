"""Sphinx configuration; `python -m sphinx -W docs docs/_build/html` builds the pages."""

import re
from importlib.metadata import version as installed_version

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
]
exclude_patterns = ["_build", "jupyter_execute"]
nitpicky = False

myst_enable_extensions = ["amsmath", "dollarmath", "colon_fence"]
myst_heading_anchors = 3

nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_merge_streams = True

autosummary_generate = False
autodoc_member_order = "bysource"
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

html_theme = "pydata_sphinx_theme"
html_title = "scalebridge"
html_static_path = ["_static"]
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


def setup(app):
    """Connect the hook; 600 comes after numpydoc's 500."""
    app.connect("autodoc-process-docstring", _keep_absolute_values, priority=600)
