import pytest
import torch

from graphfusion._utils.memory import is_out_of_memory


def test_pytorchs_messages_about_memory() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**50)  # which no machine has, so nothing is allocated
    assert is_out_of_memory(caught.value)
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB"))
    assert is_out_of_memory(RuntimeError("DefaultCPUAllocator: not enough memory: you tried to"))
    assert is_out_of_memory(RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"))
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not is_out_of_memory(RuntimeError("CUDA error: an illegal memory access"))
