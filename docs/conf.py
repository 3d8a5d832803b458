from importlib.metadata import version as installed

project = "graphfusion"
author = "The graphfusion developers"
copyright = "2026, The graphfusion developers"
release = version = installed("graphfusion")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.doctest",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "myst_parser",
]
exclude_patterns = ["_build", "results_table.md"]
html_theme = "furo"
html_title = f"graphfusion {release}"
default_role = "code"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_member_order = "bysource"
napoleon_google_docstring = True
napoleon_numpy_docstring = False

napoleon_use_ivar = True  # attributes as a list, not a heading each
