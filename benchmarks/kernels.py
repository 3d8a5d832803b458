"""Counts the kernels that a step launches, by what PyTorch dispatches."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

# Without a launch, and no views by their schemas: they allocate, or return views nevertheless.
NO_KERNEL = {
    "empty", "empty_like", "empty_strided", "new_empty", "_unsafe_view", "unsafe_split",
}  # fmt: skip


class Kernels(TorchDispatchMode):
    """Counts the operators that launch a kernel, one each: neither views nor allocations.

    Attributes:
        kernels: How often each was dispatched, by name.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kernels: Counter[str] = Counter()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Runs the operator, and counts it."""
        del types
        out = func(*args, **(kwargs or {}))
        if launches(func, out):
            self.kernels[func.overloadpacket.__name__] += 1
        return out


def count(run: Callable[[], object]) -> int:
    """How many kernels a function launches."""
    with Kernels() as mode:
        run()
    total: int = mode.kernels.total()
    return total


def launches(func: Any, out: Any) -> bool:
    """Whether an operator launches a kernel: no view, no allocation, no number on the host."""
    returned = [each.alias_info for each in func._schema.returns]
    is_view = any(each is not None and not each.is_write for each in returned)
    if is_view or func.namespace == "prim" or func.overloadpacket.__name__ in NO_KERNEL:
        return False
    return any(each.dim() > 0 or each.device.type != "cpu" for each in tensors_of(out))


def tensors_of(tree: Any) -> list[Tensor]:
    """All tensors in there."""
    return [each for each in tree_leaves(tree) if isinstance(each, Tensor)]
