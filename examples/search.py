"""Searches the settings that MM-DFN was published with, on validation scores only.

    python examples/search.py --features iemocap.npz --trials 20

A trial's score is its mean weighted F1 on held-out conversations over several seeds, each of which
holds out others. Nothing here looks at a test score. A search that was cut off goes on where it
was.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from statistics import mean

import experiment  # noqa: F401  first, since it says which extra is missing
import optuna
from experiment.arguments import count
from experiment.data import fingerprint, read
from experiment.recipes import recipe_of
from experiment.training import Run, quiet, train

from graphfusion.datasets import Corpus

# What the settings of each preset were tuned over (MM-DFN, section on experiments).
GRIDS: dict[str, dict[str, list[float | int]]] = {
    "iemocap": {
        "num_layers": [16, 32],
        "lr": [3e-4, 1e-4],
        "weight_decay": [1e-4, 2e-4],
        "dropout": [0.4, 0.2],
        "gamma": [0.5, 1.0],
    },
    "meld": {
        "num_layers": [16, 32, 64],
        "lr": [5e-4, 1e-3],
        "weight_decay": [1e-4, 5e-4],
        "dropout": [0.2, 0.4],
        "gamma": [0.5, 1.0],
    },
}


def main(arguments: Sequence[str] | None = None) -> optuna.Study:
    """Searches, and prints the best settings as `examples/mmdfn_iemocap.py --set` takes them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--features", type=Path, help="a feature file; without it, synthetic ones")
    parser.add_argument("--preset", choices=GRIDS, default="iemocap")
    parser.add_argument("--trials", type=count, default=20, help="how many settings to try in all")
    parser.add_argument("--seeds", type=count, default=3, help="how many runs of each")
    parser.add_argument("--epochs", type=count, default=30, help="how many to choose from")
    parser.add_argument("--output", type=Path, default=Path("runs"), help="folder to write to")
    options = parser.parse_args(arguments)
    quiet()
    try:
        corpus = read(options.features, None)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    source = options.features.stem if options.features else "synthetic"
    name = f"{fingerprint(corpus)}_{options.epochs}_epochs_{options.seeds}_seeds"
    folder = options.output / source / "search" / options.preset / name
    folder.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        storage=f"sqlite:///{folder / 'trials.db'}",
        study_name=name,
        direction="maximize",
        load_if_exists=True,
    )
    done = sum(trial.state == optuna.trial.TrialState.COMPLETE for trial in study.trials)

    def objective(trial: optuna.Trial) -> float:
        grid = GRIDS[options.preset]
        settings = {name: trial.suggest_categorical(name, grid[name]) for name in grid}
        return _score(settings, corpus, folder / f"trial_{trial.number}", source, options)

    for number in range(done, options.trials):
        # Whether or not it was cut off, the same search: a sampler does not go on where it was.
        study.sampler = optuna.samplers.TPESampler(seed=number)
        study.optimize(objective, n_trials=1)
    words = [f"{name}={json.dumps(value)}" for name, value in study.best_params.items()]
    print(f"Best of {len(study.trials)}: weighted F1 {100 * study.best_value:.1f} on held-out data")
    print("--set " + " ".join(words))
    return study


def _score(
    settings: dict[str, float],
    corpus: Corpus,
    folder: Path,
    source: str,
    options: argparse.Namespace,
) -> float:
    recipe = recipe_of("mmdfn", options.preset, settings)
    return mean(
        train(
            Run("mmdfn", options.preset, recipe, seed, options.epochs, folder / f"seed_{seed}"),
            corpus,
            source,
        ).val_f1
        for seed in range(options.seeds)
    )


if __name__ == "__main__":
    main()
