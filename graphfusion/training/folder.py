"""The folder of a run: its `config.json`, and checks that it holds only this run."""

import json
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from pytorch_lightning.utilities import rank_zero_only

from graphfusion._utils.files import write_atomically
from graphfusion.datasets.corpus import Corpus
from graphfusion.training.checkpoints import check
from graphfusion.training.run import FIRST, MODEL, Run, read_first

# The entries of `config.json` in which two runs must agree to be the same run.
_IDENTITY = ("model", "recipe", "settings", "data", "seed", "devices")
_PACKAGES = ("graphfusion", "torch", "torch-geometric", "pytorch-lightning", "numpy")


def describe(corpus: Corpus, held: list[str]) -> dict[str, Any]:
    """Describes the data of a run, for `config.json`."""
    return {
        "fingerprint": corpus.fingerprint,
        "in_channels": corpus.in_channels,
        "classes": list(corpus.classes),
        "splits": {name: len(conversations) for name, conversations in corpus.splits.items()},
        "held_out": held,
    }


def is_finished(folder: Path, config: Mapping[str, Any]) -> bool:
    """Returns whether the folder holds this run with all results; checkpoints may be missing."""
    files = ("config.json", "result.json", f"{MODEL}/model.safetensors")
    if not all((folder / name).is_file() for name in files):
        return False
    run = Run(folder)
    # A finished run may have been continued for more epochs, and then interrupted.
    if run.result.get("epochs") != config["settings"]["epochs"]:
        return False
    return all(old == new for old, new in _identities(run.config, config).values())


def check_folder(folder: Path, config: Mapping[str, Any], resume: bool) -> bool:
    """Checks that the folder is empty or holds the same run, and returns whether to resume it.

    Raises:
        ValueError: If the folder holds another run, or more epochs of this one.
    """
    epochs = config["settings"]["epochs"]
    path, last = folder / "config.json", folder / "last.ckpt"
    resumed = resume and last.exists()
    if resumed:
        check(last)
        done = torch.load(last, weights_only=True)["epoch"] + 1
        if epochs < done:
            raise ValueError(
                f"epochs must be at least {done}, as many as {folder} has, but got {epochs}."
            )
    if not resumed and not path.exists():
        return False
    before = json.loads(path.read_text(encoding="utf-8"))
    for key, (old, new) in _identities(before, config, any_epochs=resumed).items():
        if old != new:
            wanted = "the run to resume" if resumed else "no other run"
            raise ValueError(
                f"{folder} must hold {wanted}, but has one that differs in {key}: "
                f"{_difference(old, new)}; remove it, or choose another folder."
            )
    return resumed


def _identities(
    before: Mapping[str, Any], now: Mapping[str, Any], any_epochs: bool = False
) -> dict[str, tuple[Any, Any]]:
    """Pairs of the old and the new value of each entry that identifies a run."""
    pair = [json.loads(json.dumps(each)) for each in (before, now)]
    for each in pair:
        each["data"].pop("source", None)  # the same data may have moved
        if any_epochs:  # a resumed run may train for more epochs
            each["settings"].pop("epochs", None)
            (each["recipe"] or {}).get("changes", {}).pop("epochs", None)
    return {key: (pair[0].get(key), pair[1][key]) for key in _IDENTITY}


def _difference(before: object, now: object) -> str:
    """Describes the differing entries of two values, for error messages."""
    if isinstance(before, dict) and isinstance(now, dict):
        both = [
            {key: each.get(key, "nothing") for key in {**before, **now}} for each in (before, now)
        ]
        differing = [key for key in both[0] if both[0][key] != both[1][key]]
        return ", ".join(f"{key} {_difference(*(each[key] for each in both))}" for key in differing)
    return f"{before} instead of {now}"


@rank_zero_only
def write_config(folder: Path, config: Mapping[str, Any], resumed: bool) -> None:
    """Writes the run's configuration and the versions of packages to `config.json`."""
    if not resumed:  # TensorBoard would show the events of both runs as one
        for events in folder.glob("events.out.tfevents.*"):
            events.unlink()
    versions = {name: version(name) for name in _PACKAGES}
    versions["python"] = platform.python_version()
    write_json(folder / "config.json", {**config, "versions": versions})


@rank_zero_only  # other processes get its weights, whatever they began with
def check_first(folder: Path, model: torch.nn.Module) -> None:
    """Checks that a run in the folder, which is to be replaced, began with the same weights.

    Raises:
        ValueError: If it began with others, so that its results would be replaced by others.
    """
    done = any((folder / name).is_file() for name in ("result.json", "last.ckpt"))
    if not done or not (folder / FIRST).is_file():  # nothing would be lost
        return
    first = read_first(folder)
    for name, weight in model.named_parameters():
        if name not in first or not torch.equal(first[name], weight.detach().cpu()):
            raise ValueError(
                f"{folder} must hold no other run, but has one with other initial weights: pass "
                "resume=True to get that one, or remove it, or choose another folder."
            )


@rank_zero_only
def write_first(folder: Path, model: torch.nn.Module) -> None:
    """Writes the initial weights, from which the report computes how much they changed."""
    weights = {name: each.detach().cpu().contiguous() for name, each in model.named_parameters()}
    write_atomically(folder / FIRST, safetensors.torch.save(weights))


def write_json(path: Path, content: object) -> None:
    """Writes a JSON file atomically, because other processes may read it at the same time."""
    write_atomically(path, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())
