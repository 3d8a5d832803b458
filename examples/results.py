"""Trains all models on all data sets, and writes the documentation's table of results.

    python examples/results.py --data FOLDER --seeds 5

FOLDER has `iemocap6.npz`, `meld.npz` and `mosi.npz`, or those of `--only`. Runs are resumed.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmdfn_iemocap import default_modalities, score_table

from graphfusion.datasets import load
from graphfusion.training import Recipe, compare, fit_seeds

# isort: split
import pandas as pd

PRESETS = {  # the published settings of each data set, and ours
    "iemocap6": ("iemocap", "iemocap_speaker_normalized"),
    "meld": ("meld", "meld_regularized"),
    "mosi": ("iemocap", "iemocap_speaker_normalized"),
}
MODELS = ("logistic", "bigru", "no_graph", "static", "no_speaker", "mmdfn", "ours")


def main(arguments: Sequence[str] | None = None) -> str:
    """Trains missing runs, and writes and returns the tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder with the feature files")
    add("--only", nargs="+", choices=PRESETS, default=list(PRESETS))
    add("--models", nargs="+", choices=MODELS, default=list(MODELS))
    add("--seeds", type=int, default=5, help="number of runs of each model")
    add("--epochs", type=int, default=30, help="maximum number of epochs")
    add("--runs", type=Path, default=Path("runs/results"), help="folder of all runs")
    add("--output", type=Path, default=Path("docs/results_table.md"))
    options = parser.parse_args(arguments)
    try:
        sections = [_section(name, options) for name in options.only]
    except (OSError, ValueError) as error:
        parser.error(str(error))
    page = "\n\n".join(sections) + "\n"
    options.output.write_text(page)
    print(page)
    return page


def _section(name: str, options: argparse.Namespace) -> str:
    """Trains missing runs on a data set, and returns its tables."""
    corpus = load(options.data / f"{name}.npz")
    names = default_modalities(corpus)
    corpus = corpus.select(names)
    (published, ours), runs = PRESETS[name], {}
    seeds = range(options.seeds)
    how = {"resume": True, "modalities": names, "source": f"{name}.npz"}
    for label in options.models:
        model, settings = ("mmdfn", ours) if label == "ours" else (label, published)
        recipe = Recipe(model, settings, {"epochs": options.epochs})
        runs[label] = fit_seeds(recipe, corpus, options.runs / name / label, seeds, **how)
        print(f"{name}, {label}: done", flush=True)
    frames = [score_table(corpus, runs).rename_axis("model")]
    for last in ("mmdfn", "ours"):
        if last in runs and len(runs) > 1:
            others = {label: runs[label] for label in runs if label != last}
            frames.append(_differences(compare(others | {last: runs[last]}), last))
    tables = [frame.to_markdown(disable_numparse=True) for frame in frames]
    return "\n\n".join([f"## {name}: {', '.join(corpus.in_channels)}", *tables])


def _differences(compared: pd.DataFrame, last: str) -> pd.DataFrame:
    """The differences of F1 in percent, each with its interval, as the pages quote them."""
    signed = (100 * compared).map("{:+.1f}".format)
    interval = signed["f1 low"] + " to " + signed["f1 high"]
    columns = {"strict f1": signed["f1 difference"], "95 % interval": interval}
    return pd.DataFrame(columns).rename_axis(f"{last} against")


if __name__ == "__main__":
    main()
