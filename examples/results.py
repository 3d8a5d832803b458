"""Makes the table of results: every data set by every model, several seeds, both protocols.

    python examples/results.py --data FOLDER --seeds 5

FOLDER holds the feature files (`iemocap6.npz`, `meld.npz`, `mosi.npz`), or those of them that are
to be run. Runs that are there already are not run again, and one that was cut off goes on.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from experiment.arguments import count
from experiment.data import read
from experiment.recipes import recipe_of
from experiment.report import compare, majority, markdown, table
from experiment.training import Run, quiet, train

PRESETS = {"iemocap6": "iemocap", "meld": "meld", "mosi": "iemocap"}
MODELS = ("logistic", "bigru", "no_graph", "static", "no_speaker", "mmdfn", "tuned")


def main(arguments: Sequence[str] | None = None) -> str:
    """Runs what is missing; writes and returns the page's table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the feature files")
    parser.add_argument("--only", nargs="+", choices=PRESETS, default=list(PRESETS))
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--seeds", type=count, default=5, help="how many runs of each model")
    parser.add_argument("--epochs", type=count, default=30, help="how many to choose from")
    parser.add_argument("--runs", type=Path, default=Path("runs/results"), help="their folder")
    parser.add_argument("--output", type=Path, default=Path("docs/results_table.md"))
    options = parser.parse_args(arguments)
    quiet()
    try:
        sections = [_section(name, options) for name in options.only]
    except (OSError, ValueError) as error:
        parser.error(str(error))
    page = "\n\n".join(sections) + "\n"
    options.output.write_text(page)
    print(page)
    return page


def _section(name: str, options: argparse.Namespace) -> str:
    """Trains what is missing on that data, and compares it."""
    corpus = read(options.data / f"{name}.npz", None)
    results = {"majority class": [majority(corpus)]}
    folders: dict[str, list[Path]] = {}
    for model in options.models:
        kind, preset = model, PRESETS[name]
        if model == "tuned":
            kind, preset = "mmdfn", f"{preset}_tuned"
        recipe = recipe_of(kind, preset, {})
        group = options.runs / name / model
        folders[model] = [group / f"seed_{seed}" for seed in range(options.seeds)]
        results[model] = [
            train(
                Run(kind, preset, recipe, seed, options.epochs, folder, resume=True),
                corpus,
                f"{name}.npz",
            )
            for seed, folder in enumerate(folders[model])
        ]
        print(f"{name}, {model}: done", flush=True)
    tables = [table(corpus.classes, results)]
    for ours in ("mmdfn", "tuned"):
        if ours in folders:
            # The last one is compared with the others.
            ordered = {model: folders[model] for model in folders if model != ours}
            tables.append(compare(ordered | {ours: folders[ours]}, corpus.num_classes))
    return "\n\n".join([f"## {name}: {', '.join(corpus.in_channels)}", *map(markdown, tables)])


if __name__ == "__main__":
    main()
