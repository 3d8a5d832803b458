"""History of benchmark results by commit: kernels, peak memory and ratios.

`make bench` appends an entry. Entries have no times, because these depend on the machine.

    python -m benchmarks.trend     appends an entry without ratios
"""

import datetime
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.dense import DenseMMDFN
from benchmarks.kernels import count
from benchmarks.measure import peak_memory
from benchmarks.report import Row
from benchmarks.tasks import fusion_step, model_step, stream_step
from benchmarks.workloads import IN_CHANNELS, Workload
from graphfusion import MMDFN

FILE = Path(__file__).parent / "trend.json"
TINY = Workload("tiny", (3, 1, 2), num_speakers=2, num_layers=2, num_classes=3)


def kernels() -> dict[str, int]:
    """Number of kernels that each step of the tiny workload launches on a CPU."""
    torch.manual_seed(0)
    model = MMDFN.from_preset("iemocap", IN_CHANNELS, TINY.num_classes, num_layers=TINY.num_layers)
    model.eval()
    dense = DenseMMDFN(model, TINY.lengths, TINY.num_speakers)
    features, layout, _ = TINY.on("cpu")
    speaker = TINY.speaker
    counted = {
        "training step": count(model_step(TINY)),
        "graph and fusion, forward and backward": count(fusion_step(TINY)),
        "step of a stream": count(stream_step(5, 10)),
    }
    with torch.no_grad():
        counted["inference"] = count(lambda: model(features, layout))
        counted["inference, dense"] = count(lambda: dense(features, speaker))
    return counted


def entry(rows: Sequence[Row] = ()) -> dict[str, Any]:
    """Makes the entry of the present commit, with the ratios of a benchmark run."""
    git = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],  # noqa: S607 - wherever git is
        cwd=FILE.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return {
        "commit": git.stdout.strip(),
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        "torch": torch.__version__.split("+")[0],
        "kernels": kernels(),
        "GiB": {"training step of 8 conversations": round(peak_memory("model 8"), 2)},
        "ratios": {
            row.what.strip(): round(row.value, 2)
            for row in rows
            if row.unit == "x" and " against " in row.what.strip()
        },
    }


def append(path: Path, rows: Sequence[Row] = ()) -> None:
    """Appends an entry to a file, which may not exist yet."""
    entries = json.loads(path.read_text()) if path.exists() else []
    path.write_text(json.dumps([*entries, entry(rows)], indent=2) + "\n")


if __name__ == "__main__":
    append(FILE)
