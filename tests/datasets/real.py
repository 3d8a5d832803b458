"""Where the real data are, if they are here."""

import os
from pathlib import Path

import pytest

DATA = Path(os.environ.get("GRAPHFUSION_DATA", Path(__file__).parents[2] / "../shared/data"))


def real(name: str) -> Path:
    """The path of a file of real data; the test is skipped where there is none."""
    if not (DATA / name).exists():
        pytest.skip(f"{name} is not here; GRAPHFUSION_DATA names the folder of the real data")
    return DATA / name
