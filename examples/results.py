"""Trains all models on all data sets, and writes the documentation's table of results.

    python examples/results.py --data FOLDER --seeds 5

FOLDER has the feature files `iemocap6.npz`, `meld.npz` and `mosi.npz`; with `--only`, some of them
suffice. Finished runs are reused, and interrupted ones resumed.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import graphfusion.training  # noqa: F401  first, for its error if the extra is missing

# isort: split
import pandas as pd
from mmdfn_iemocap import default_modalities, majority

from graphfusion.datasets import load
from graphfusion.training import Recipe, compare, fit_seeds, percent, table

# The published settings of each data set, and ours.
PRESETS = {
    "iemocap6": ("iemocap", "iemocap_speaker_normalized"),
    "meld": ("meld", "meld_regularized"),
    "mosi": ("iemocap", "iemocap_speaker_normalized"),
}
MODELS = ("logistic", "bigru", "no_graph", "static", "no_speaker", "mmdfn", "ours")


def main(arguments: Sequence[str] | None = None) -> str:
    """Trains missing runs, and writes and returns the tables in Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with the feature files")
    parser.add_argument("--only", nargs="+", choices=PRESETS, default=list(PRESETS))
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--seeds", type=int, default=5, help="number of runs of each model")
    parser.add_argument("--epochs", type=int, default=30, help="maximum number of epochs")
    parser.add_argument(
        "--runs", type=Path, default=Path("runs/results"), help="folder of all runs"
    )
    parser.add_argument("--output", type=Path, default=Path("docs/results_table.md"))
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
    corpus = corpus.select(default_modalities(corpus))
    (published, ours), runs = PRESETS[name], {}
    for label in options.models:
        model, settings = ("mmdfn", ours) if label == "ours" else (label, published)
        runs[label] = fit_seeds(
            Recipe(model, settings, {"epochs": options.epochs}),
            corpus,
            options.runs / name / label,
            range(options.seeds),
            resume=True,
            source=f"{name}.npz",
        )
        print(f"{name}, {label}: done", flush=True)
    scores = percent(table(runs))
    scores = pd.concat([majority(corpus), scores]).reindex(columns=scores.columns)
    frames = [scores.fillna("")]
    for last in ("mmdfn", "ours"):
        if last in runs and len(runs) > 1:
            ordered = {label: runs[label] for label in runs if label != last} | {last: runs[last]}
            frames.append(percent(compare(ordered)).rename_axis(f"{last} against"))
    tables = [frame.to_markdown(disable_numparse=True) for frame in frames]
    return "\n\n".join([f"## {name}: {', '.join(corpus.in_channels)}", *tables])


if __name__ == "__main__":
    main()
