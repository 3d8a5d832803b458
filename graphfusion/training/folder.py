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
from graphfusion.training.checkpoints import BEST, LAST, read_checkpoint
from graphfusion.training.run import FIRST, MODEL, Run, read_first, read_json

# The entries of `config.json` in which two runs must agree to be the same run.
_IDENTITY = ("model", "recipe", "settings", "data", "seed", "devices")
_PACKAGES = ("graphfusion", "torch", "torch-geometric", "pytorch-lightning", "numpy")


def is_finished(folder: Path, config: Mapping[str, Any]) -> bool:
    """Returns whether the folder holds this run with all results; checkpoints may be missing."""
    files = ("config.json", "result.json", f"{MODEL}/model.safetensors")
    if not all((folder / name).is_file() for name in files):
        return False
    run = Run(folder)
    # A finished run may have been continued for more epochs, and then interrupted.
    same_epochs = run.result.get("epochs") == config["settings"]["epochs"]
    return same_epochs and _identity(run.config) == _identity(config)


def check_folder(folder: Path, config: Mapping[str, Any], resume: bool) -> bool:
    """Checks that the folder is empty or holds the same run, and returns whether to resume it.

    Raises:
        ValueError: If the folder holds another run, or more epochs of this one; or a checkpoint to
            resume from is damaged.
    """
    epochs = config["settings"]["epochs"]
    resumed = resume and (folder / LAST).exists()
    if resumed:
        done, _ = (read_checkpoint(folder / name)["epoch"] + 1 for name in (LAST, BEST))
        if epochs < done:
            raise ValueError(
                f"epochs must be at least {done}, as many as {folder} has, but got {epochs}."
            )
    path = folder / "config.json"
    if not resumed and not path.exists():
        return False
    before, now = (_identity(each, any_epochs=resumed) for each in (read_json(path), config))
    for key in _IDENTITY:
        if before[key] != now[key]:
            wanted = "the run to resume" if resumed else "no other run"
            raise ValueError(
                f"{folder} must hold {wanted}, but has one that differs in {key}: "
                f"{difference(before[key], now[key])}; remove it, or choose another folder."
            )
    return resumed


def _identity(config: Mapping[str, Any], any_epochs: bool = False) -> dict[str, Any]:
    """The entries that identify a run, as JSON has them."""
    copy = json.loads(json.dumps(config))
    copy["data"].pop("source", None)  # the same data may have moved
    if any_epochs:  # a resumed run may train for more epochs
        copy["settings"].pop("epochs", None)
        (copy["recipe"] or {}).get("changes", {}).pop("epochs", None)
    return {key: copy.get(key) for key in _IDENTITY}


def same_but_seed(config: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the entries that runs of one model with several seeds have in common."""
    common = _identity(config)
    del common["seed"], common["devices"]
    for drawn in ("held_out", "splits"):
        common["data"].pop(drawn, None)
    return common


def difference(before: object, now: object) -> str:
    """Describes the differing entries of two values."""
    if isinstance(before, dict) and isinstance(now, dict):
        both = [
            {key: each.get(key, "nothing") for key in {**before, **now}} for each in (before, now)
        ]
        differing = [key for key in both[0] if both[0][key] != both[1][key]]
        return ", ".join(f"{key} {difference(*(each[key] for each in both))}" for key in differing)
    return f"{before} instead of {now}"


@rank_zero_only  # other processes get its weights, whatever they began with
def check_first(folder: Path, model: torch.nn.Module) -> None:
    """Checks that a run in the folder, which is to be replaced, began with the same weights.

    Raises:
        ValueError: If it began with others, so that its results would be replaced by others.
    """
    done = any((folder / name).is_file() for name in ("result.json", LAST))
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
def write_start(
    folder: Path, config: Mapping[str, Any], model: torch.nn.Module, resumed: bool
) -> None:
    """Writes `config.json` with the versions of packages, and the weights before training.

    The report computes from them how much they changed.
    """
    versions = {name: version(name) for name in _PACKAGES}
    versions["python"] = platform.python_version()
    write_json(folder / "config.json", {**config, "versions": versions})
    if not resumed:
        for events in folder.glob("events.out.tfevents.*"):
            events.unlink()  # TensorBoard would show the events of both runs as one
        named = model.named_parameters()
        weights = {name: each.detach().cpu().contiguous() for name, each in named}
        write_atomically(folder / FIRST, safetensors.torch.save(weights))


def write_json(path: Path, content: object) -> None:
    """Writes a JSON file atomically, because other processes may read it at the same time."""
    write_atomically(path, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())
