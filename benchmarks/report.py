"""Output of measurements: printed rows, and a JSON file for the documentation."""

import json
import platform
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch


@dataclass
class Row:
    """One measured value, with its unit and target."""

    what: str
    value: float
    unit: str
    target: str = ""
    seconds: dict[str, float] = field(default_factory=dict)


def show(row: Row) -> None:
    """Prints one row."""
    seconds = ", ".join(f"{name} {value:.3g}" for name, value in row.seconds.items())
    print(f"{row.what:<60} {row.value:8.2f} {row.unit:<3} {row.target:<28} {seconds}", flush=True)


def machine(device: torch.device | str = "cpu") -> str:
    """Name of the GPU, or the number of threads and the processor's architecture."""
    if torch.device(device).type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{torch.get_num_threads()} threads of {platform.machine()}"


def write(path: Path, rows: list[Row], **further: Any) -> None:
    """Writes the rows as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    report = {"torch": torch.__version__, **further, "rows": [asdict(row) for row in rows]}
    path.write_text(json.dumps(report, indent=2) + "\n")
