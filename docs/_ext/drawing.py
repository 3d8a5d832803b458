"""Pictures that read on a light page and on a dark one."""

from html import escape
from io import StringIO
from pathlib import Path
from uuid import uuid4

import matplotlib as mpl
from IPython.display import HTML
from matplotlib.figure import Figure

ROOT = Path(__file__).parents[2]  # of the checkout

INK = "#8a8b8c"  # stands for the page's colour of text, which only the page knows
# Of even lightness, told apart by most who are colour-blind (Okabe and Ito).
BLUE, ORANGE, GREEN, PINK = "#2f88c7", "#d9822b", "#1a9e77", "#c572a5"
STYLE = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": mpl.cycler(color=[BLUE, ORANGE, GREEN, PINK]),
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "legend.frameon": False,
    **dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK
    ),
}


def style():
    """A context in which to draw."""
    return mpl.rc_context(STYLE)


def show(figure: Figure, alt: str, caption: str = "") -> HTML:
    """The figure as part of the page, in the page's colours."""
    file = StringIO()
    with mpl.rc_context({"svg.hashsalt": uuid4().hex}):  # no two figures share the ids within
        figure.savefig(file, format="svg", bbox_inches="tight", metadata={"Date": None})
    return embed(file.getvalue(), alt, caption)


def embed(svg: str, alt: str, caption: str = "") -> HTML:
    """The same of an SVG that is drawn already."""
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    svg = svg.replace(
        "stroke: #000000", "stroke: currentColor"
    )  # of plots with a style of their own
    svg = svg.replace("<svg", f'<svg role="img" aria-label="{escape(alt)}"', 1)
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return HTML(f'<figure class="drawing">{svg}{below}</figure>')
