"""Count of the kernels that a function launches, from the operators that PyTorch dispatches."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

# Operators that launch no kernel, although their schemas declare no view.
NO_KERNEL = {
    "empty", "empty_like", "empty_strided", "new_empty", "_unsafe_view", "unsafe_split",
}  # fmt: skip


class Kernels(TorchDispatchMode):
    """Dispatch mode that counts operators that launch a kernel: not views, not allocations.

    Attributes:
        kernels: The number of calls of each operator, by name.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kernels: Counter[str] = Counter()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Runs the operator, and counts it if it launches a kernel."""
        del types
        out = func(*args, **(kwargs or {}))
        if launches(func, out):
            self.kernels[func.overloadpacket.__name__] += 1
        return out


def count(run: Callable[[], object]) -> int:
    """Number of kernels that a function launches."""
    with Kernels() as mode:
        run()
    total: int = mode.kernels.total()
    return total


def launches(func: Any, out: Any) -> bool:
    """Returns whether an operator launches a kernel: no view, no allocation, no host scalar."""
    returned = [each.alias_info for each in func._schema.returns]
    is_view = any(each is not None and not each.is_write for each in returned)
    if is_view or func.namespace == "prim" or func.overloadpacket.__name__ in NO_KERNEL:
        return False
    return any(each.dim() > 0 or each.device.type != "cpu" for each in tensors_of(out))


def tensors_of(tree: Any) -> list[Tensor]:
    """All tensors in a nested structure."""
    return [each for each in tree_leaves(tree) if isinstance(each, Tensor)]
