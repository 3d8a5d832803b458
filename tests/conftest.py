import os
from pathlib import Path
from typing import IO

import pytest
import torch
from hypothesis import Phase, settings

settings.register_profile("ci", derandomize=True, deadline=None, max_examples=50)
# What `make test` runs: every property, on few examples.
settings.register_profile("quick", derandomize=True, deadline=None, max_examples=10)
# Twenty times as many.
settings.register_profile("nightly", deadline=None, max_examples=1000)
# A mutant is killed by any failure: none needs to be made smaller, and most need few examples.
settings.register_profile(
    "mutants",
    derandomize=True,
    deadline=None,
    max_examples=20,
    phases=[Phase.explicit, Phase.generate],
)
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "ci")
settings.load_profile(PROFILE)


# Processes side by side share the cores.
if "PYTEST_XDIST_WORKER" in os.environ:
    torch.set_num_threads(1)


# Fixtures that take seconds to make, of which one is read by many tests.
TRAINED = {"trained", "runs"}


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that read the same trained run are in one process, so that it is trained once."""
    for item in items:
        for name in TRAINED & set(getattr(item, "fixturenames", ())):
            group = "runs" if name == "runs" else item.path.stem
            item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture
def num_steps() -> int:
    """How many training steps a test takes where it would take a thousand, had it the time."""
    return {"quick": 3, "nightly": 1000}.get(PROFILE, 10)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports have empty pictures: to draw them takes longer than to train a small model."""

    def save(_: object, file: IO[bytes] | Path, **__: object) -> None:
        empty = b"<svg xmlns='http://www.w3.org/2000/svg'/>"
        if isinstance(file, Path):
            file.write_bytes(empty)
        else:
            file.write(empty)

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", save)
