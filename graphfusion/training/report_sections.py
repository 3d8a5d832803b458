"""Sections of a report about a model's gates, edges, layers and weights."""

import base64
import io
import warnings
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from graphfusion.datasets.corpus import Corpus
from graphfusion.models.mmdfn import MMDFN
from graphfusion.training import plots
from graphfusion.training.diagnosis import diagnose
from graphfusion.training.run import Run

_EDGES = (
    "Perplexity of the weights of a node's incoming edges within its modality, as a share of their "
    "number (1: all weights are equal); the smallest and the largest weight divided by their mean; "
    "and the share of a node's incoming weight that comes from other modalities."
)
_LAYERS = (
    "Root mean square of each layer's message and state, and 1 % and 99 % quantiles of each "
    "gate over nodes and channels."
)
_WEIGHTS = "Root mean square of each parameter before training, of its change, and their ratio."


def model_sections(run: Run, corpus: Corpus) -> list[dict[str, Any]]:
    """Sections about the gates, edges, layers and weights of a named model or an `MMDFN`.

    They are computed on the longest test conversation (or training conversation, without a test
    split).
    """
    if run.config["recipe"] is None and run.config["model"]["class"] != MMDFN.__name__:
        return []  # it cannot be loaded without its parts
    model = run.model()
    split = "test" if corpus.splits.get("test") else "train"
    lengths = [len(each) for each in corpus.labels(split)]
    longest = corpus.splits[split][int(np.argmax(lengths))]
    found = diagnose(model, [longest], run.first_weights)
    where = f"On conversation {longest.id}, the longest in {split}"
    sections = []
    if getattr(model.fusion, "gated", False):
        with torch.no_grad():
            _, opened = model(longest, return_gates=True)
        # A gate is never quite closed: nodes with zeros are not in the graph.
        opened = opened.where(opened.any(-1, keepdim=True), torch.nan)
        figure = plots.gates(opened, list(model.in_channels))
        sections.append(
            picture(
                "Gates", figure, f"{where}; mean over channels, blank where the modality is absent."
            )
        )
    if found.edges:
        edges = pd.DataFrame(found.edges.items(), columns=["statistic", "value"])
        edges["statistic"] = edges["statistic"].str.replace("_", "-")
        sections.append({"title": "Edges", "text": f"{where}. {_EDGES}", "table": edges})
    if len(found.layers):
        layers = found.layers.rename(lambda number: number + 1).reset_index(names="layer")
        sections.append({"title": "Layers", "text": f"{where}. {_LAYERS}", "table": layers})
    weights = found.moved.reset_index(names="parameter")
    return [*sections, {"title": "Weights", "text": _WEIGHTS, "table": weights}]


def picture(title: str, figure: Figure, text: str) -> dict[str, Any]:
    """Section with a figure, embedded as SVG."""
    buffer = io.BytesIO()
    # The reader's fonts have the letters of names that those of matplotlib may lack.
    with mpl.rc_context({"svg.fonttype": "none"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    data = base64.b64encode(buffer.getvalue()).decode()
    return {"title": title, "text": text, "picture": f"data:image/svg+xml;base64,{data}"}
