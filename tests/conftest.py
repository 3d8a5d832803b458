import gc
import os

import pytest
from hypothesis import Phase, settings

from tests.profiles import QUICK

# Collection imports some 600,000 objects that stay. The garbage collector would search all of them
# every time: it waits until they are there, and leaves them out from then on.
gc.disable()

# Mutants are tried with fewer, 20, of which 95 % are killed (MUTANTS.md): more only take longer.
settings.register_profile("ci", derandomize=True, deadline=None, max_examples=25)
# What `make test` runs: every property, on few examples.
settings.register_profile("quick", derandomize=True, deadline=None, max_examples=QUICK)
# Forty times as many.
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


# The process that only hands out tests does not need PyTorch, and the others wait for it to start.
if "PYTEST_XDIST_WORKER" in os.environ:
    import torch

    torch.set_num_threads(1)  # processes side by side share the cores


def pytest_collection_finish() -> None:
    import torch

    gc.freeze()
    gc.enable()
    # Without a GPU, PyTorch's own takes down a stack trace for each of three kinds of GPU, to seed
    # them when they start: as long as a small test.
    if not torch.cuda.is_available():
        torch.manual_seed = torch.default_generator.manual_seed


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
    import torch

    torch.manual_seed(0)


@pytest.fixture
def num_steps() -> int:
    """How many training steps a test takes where it would take a thousand, had it the time."""
    return {"quick": 2, "nightly": 1000}.get(PROFILE, 5)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports have empty pictures: to make them takes longer than to train a small model."""
    from tests.runs import empty_pictures

    empty_pictures(monkeypatch)
