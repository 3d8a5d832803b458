"""What several contracts need."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import torch


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[None]:
    """A group of one process."""
    store = torch.distributed.FileStore(str(tmp_path / "store"), 1)
    minute = timedelta(minutes=1)
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1, timeout=minute)
    yield
    torch.distributed.destroy_process_group()
