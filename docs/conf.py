import os
import sys
from importlib import import_module
from importlib.metadata import version as installed
from logging import getLogger
from pathlib import Path
from pkgutil import walk_packages

from docutils.nodes import SkipNode
from latex2mathml.converter import convert
from sphinx.util import logging

import graphfusion

HERE = Path(__file__).parent
# The pages' code draws with docs/_ext and runs the examples; their kernels inherit the path.
PATHS = [str(HERE / "_ext"), str(HERE.parent / "examples")]
sys.path.insert(0, PATHS[0])
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [*PATHS, os.environ.get("PYTHONPATH")]))
os.environ["PYTHONWARNINGS"] = "ignore:IProgress not found"  # of a progress bar that nobody sees
os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"  # the kernel's debugger, which nobody uses
os.environ.setdefault("OMP_NUM_THREADS", "1")  # pages are read side by side

project = "graphfusion"
author = "The graphfusion developers"
copyright = "2026, The graphfusion developers"
release = version = installed("graphfusion")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.doctest",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "myst_nb",
    # Of docs/_ext: the role {result}, and tutorials to download.
    "results_table",
    "notebooks",
]
exclude_patterns = ["_build", "_templates", "results_table.md"]
templates_path = ["_templates"]

html_theme = "furo"
html_title = f"graphfusion {release}"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_math_renderer = "mathml"
html_show_sphinx = False
pygments_dark_style = "github-dark"

default_role = "code"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_member_order = "bysource"
autosummary_ignore_module_all = False  # a module's names are those in its __all__
autosummary_imported_members = True
doctest_global_setup = "from graphfusion import *"  # docstrings have their module's names
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # attributes as a list, not a heading each

# Of tuples, autodoc shows the docstring of the class.
comments = {
    "graphfusion.training.MODELS": "The names of models that :class:`Recipe` takes.",
    "graphfusion.testing.strategies.NAMES": "The names of modalities in a :class:`RaggedBatch`.",
}

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
notebooks = ["tutorials/first_model", "tutorials/streaming"]
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_execution_in_temp = True  # what a page writes does not stay
nb_merge_streams = True
nb_output_stderr = "remove-warn"


def setup(app):
    # MathML: every browser renders it, without a script and without a network.
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    app.connect("env-check-consistency", check_public)
    app.connect("autodoc-process-docstring", comment)
    # A pattern in a toctree is there for pages that may come.
    getLogger("sphinx.sphinx.directives.other").addFilter(
        lambda record: getattr(record, "subtype", None) != "empty_glob"
    )


def _inline(self, node):
    self.body.append(convert(node.astext()))
    raise SkipNode


def _block(self, node):
    equation = node.astext()
    if r"\\" in equation:
        equation = rf"\begin{{align*}}{equation}\end{{align*}}"
    self.body.append(f'<div class="equation">{convert(equation, display="block")}</div>')
    raise SkipNode


def comment(app, what, name, obj, options, lines):
    """Puts what stands in `comments` in the place of a docstring."""
    if name in comments:
        lines[:] = [comments[name]]


def check_public(app, env):
    """Warns of every public name that has no place in the API pages."""
    documented = env.domains["py"].objects
    for module in public_modules():
        for name in import_module(module).__all__:
            if f"{module}.{name}" not in documented:
                logging.getLogger(__name__).warning("%s.%s is not documented", module, name)


def public_modules():
    """The package and its subpackages: what has an `__all__` and is meant to be imported from."""
    yield "graphfusion"
    for module in walk_packages(graphfusion.__path__, "graphfusion."):
        if module.ispkg and hasattr(import_module(module.name), "__all__"):
            yield module.name
