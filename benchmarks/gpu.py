"""Benchmark of MM-DFN on a GPU.

python -m benchmarks.gpu [--output FILE]

With --device cpu, it runs on tiny batches, without the benchmarks that need CUDA, as a smoke test.
"""

import argparse
import sys
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch._C._autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from benchmarks.comparisons import fusion_against_floor, model_against_dense
from benchmarks.measure import Contestants, interleave
from benchmarks.report import Row, machine, show, write
from benchmarks.tasks import model_of, model_step
from benchmarks.workloads import Workload, iemocap, meld, single


@dataclass(frozen=True)
class Setting:
    """Device, workloads and repetitions of the benchmarks."""

    device: str
    batches: tuple[Workload, ...]
    conversation: Workload
    repetitions: int


FULL = Setting("cuda", (iemocap(), meld()), single(50), 20)
TINY = Setting(
    "cpu", (Workload("tiny", (3, 1, 2), 2, num_layers=2, num_classes=3),), single(4, 2), 1
)


def training(setting: Setting) -> list[Row]:
    """Compares training steps with the dense construction."""
    return [
        row
        for batch in setting.batches
        for row in model_against_dense(batch, True, setting.repetitions, setting.device)
    ]


def inference(setting: Setting) -> list[Row]:
    """Compares inference on one conversation with the dense construction."""
    return model_against_dense(setting.conversation, False, 4 * setting.repetitions, setting.device)


def fusion(setting: Setting) -> list[Row]:
    """Compares graph and fusion, forward and backward, with their matrix products and PyG."""
    return fusion_against_floor(setting.batches[0], setting.repetitions, setting.device)


def launches(setting: Setting) -> list[Row]:
    """Counts the kernels that the profiler records, including those of cuDNN."""
    steps: Contestants = {
        f"training step, {setting.batches[0].name}": training_step(setting),
        f"inference, {setting.conversation.name}": predict(setting),
    }
    rows = []
    for name, step in steps.items():
        step()
        with profile(activities=[ProfilerActivity.CUDA]) as profiled:
            step()
            torch.cuda.synchronize()
        kernels = [
            event
            for event in profiled.events()
            if event.device_type == DeviceType.CUDA and not event.name.startswith("Mem")
        ]
        rows.append(Row(f"launches, {name}", len(kernels), ""))
    return rows


def synchronisations(setting: Setting) -> list[Row]:
    """Checks that a step with a layout never synchronises; PyTorch raises an error if it does."""
    rows = []
    for name, step in (("training step", training_step(setting)), ("inference", predict(setting))):
        step()
        torch.cuda.set_sync_debug_mode("error")
        try:
            step()
        except RuntimeError as error:
            print(f"  {name} synchronises: {error}")
            rows.append(Row(f"synchronisations, {name}: at least", 1, "", "0"))
        else:
            rows.append(Row(f"synchronisations, {name}", 0, "", "0"))
        finally:
            torch.cuda.set_sync_debug_mode("default")
    return rows


def capture(setting: Setting) -> list[Row]:
    """Compares inference by a CUDA graph, which needs a single launch, with eager mode."""
    eager = predict(setting)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            eager()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        logits = eager()
    graph.replay()
    difference = float((logits - eager()).abs().max())
    contestants: Contestants = {"eager": eager, "CUDA graph": graph.replay}
    seconds = interleave(contestants, 4 * setting.repetitions, setting.device)
    ratio = seconds["eager"] / seconds["CUDA graph"]
    what = f"CUDA graph of inference, {setting.conversation.name}: eager against it"
    return [
        Row(what, ratio, "x", "> 1", seconds),
        Row("  largest difference of a logit", difference, "", "~ 0"),
    ]


def memory(setting: Setting) -> list[Row]:
    """Measures the peak memory allocated by PyTorch in a training step."""
    step = training_step(setting)
    step()
    torch.cuda.reset_peak_memory_stats()
    step()
    peak = torch.cuda.max_memory_allocated() / 2**30
    return [Row(f"peak memory of a training step, {setting.batches[0].name}", peak, "GiB")]


def training_step(setting: Setting) -> Callable[[], object]:
    """Training step on the first batch."""
    return model_step(setting.batches[0], device=setting.device)


def predict(setting: Setting) -> Callable[[], Tensor]:
    """Inference on one conversation, with its layout."""
    workload = setting.conversation
    model = model_of(workload)
    model = model.to(setting.device).eval()
    features, layout, _ = workload.on(setting.device)

    @torch.no_grad()
    def run() -> Tensor:
        logits: Tensor = model(features, layout)
        return logits

    return run


EVERYWHERE = (training, inference, fusion)
ON_CUDA = (launches, synchronisations, capture, memory)


def measure(setting: Setting) -> tuple[list[Row], list[str]]:
    """Runs all benchmarks and prints their rows; a failure does not stop the others.

    Without CUDA, the benchmarks that need it are skipped and named.

    Returns:
        The rows, and the names of the failed benchmarks.
    """
    rows, failed = [], []
    for each in (*EVERYWHERE, *ON_CUDA):
        name = each.__name__
        if each in ON_CUDA and setting.device == "cpu":
            print(f"{name:<60} skipped: needs a CUDA device")
            continue
        try:
            found = each(setting)
        except RuntimeError:
            traceback.print_exc()
            failed.append(name)
            continue
        for row in found:
            show(row)
        rows += found
    return rows, failed


def main() -> None:
    """Runs the benchmarks, or exits with a message if there is no CUDA device."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/gpu.json"))
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        sys.exit(
            "device must be a CUDA device that PyTorch can use, but torch.cuda.is_available() is "
            "False. With --device cpu (make bench-gpu-smoke), the code runs on tiny batches, as a "
            "smoke test."
        )
    warnings.filterwarnings("ignore", "Sparse")  # notices about the PyG baseline's matrices
    setting = FULL if options.device == "cuda" else TINY
    name = machine(setting.device)
    print(f"torch {torch.__version__}, {name}")
    rows, failed = measure(setting)
    write(options.output, rows, machine=name)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
