"""Checks of the arguments of a batch layout, on the host."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from graphfusion._utils.checks import check_modality, check_tensor
from graphfusion._utils.counted import counted


def check_layout(
    ptr: Tensor, speaker: Tensor | None, present: Tensor | Mapping[str, Tensor] | None
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Checks `ptr`, `speaker` and `present`, and brings them to the host, `present` as `[U, M]`.

    Raises:
        TypeError: If one is not a tensor of its dtype.
        ValueError: If `ptr` does not strictly increase from 0, a speaker is negative, or shapes
            disagree.
    """
    check_tensor("ptr", ptr, ["B + 1"], torch.int64)
    if speaker is not None:
        check_tensor("speaker", speaker, ["U"], torch.int64)
    if isinstance(present, Mapping):
        present = stack_columns(present)
    if present is not None:
        check_tensor("present", present, ["U", "M"], torch.bool)
        if present.size(1) == 0:
            raise ValueError("present must have at least one modality, but got none.")
    ptr, speaker, present = _to_host(ptr, speaker, present)
    if len(ptr) < 2 or ptr[0] != 0 or bool((ptr.diff() <= 0).any()):
        raise ValueError(
            "ptr must strictly increase from 0 to the number of utterances, with an entry for "
            f"each conversation's start and one for the end, but got {shorten(ptr)}."
        )
    size = int(ptr[-1])
    for name, value in (("speaker", speaker), ("present", present)):
        if value is not None and len(value) != size:
            raise ValueError(
                f"{name} must have a row for each of the {counted(size, 'utterance')} that ptr "
                f"ends with, but got {len(value)}."
            )
    if speaker is not None and bool((speaker < 0).any()):
        raise ValueError(f"speaker must not be negative, but got {int(speaker.min())}.")
    return ptr, speaker, present


def find_column(modality: int | str | None, names: Sequence[str], num_modalities: int) -> int:
    """Finds the column of a mask by the name or the number of its modality.

    Raises:
        TypeError: If it is neither.
        ValueError: If it is not given, or not one of them.
    """
    if modality is None:
        raise ValueError("modality must be given where modalities are absent, but got None.")
    if isinstance(modality, str):
        if modality not in names:
            raise ValueError(
                f"modality must be one of {list(names)}, but got {modality!r}; a layout has "
                "names where present is given by name."
            )
        return names.index(modality)
    if isinstance(modality, bool) or not isinstance(modality, int):
        raise TypeError(f"modality must be an integer or a name, but got {modality!r}.")
    if not 0 <= modality < num_modalities:
        raise ValueError(
            f"modality must be one of the {num_modalities} that present has, but got {modality}."
        )
    return modality


def stack_columns(present: Mapping[str, Tensor]) -> Tensor | None:
    """Presence by name as `[U, M]`; None where no modality is named."""
    for name, value in present.items():
        check_modality("present", name)
        check_tensor(f"present[{name!r}]", value, ["U"], torch.bool)
    if len({len(value) for value in present.values()}) > 1:
        raise ValueError(
            "present must have a value for each utterance in all modalities, but got "
            f"{ {name: len(value) for name, value in present.items()} }."
        )
    return torch.stack(list(present.values()), 1) if present else None


def _to_host(
    ptr: Tensor, speaker: Tensor | None, present: Tensor | None
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Brings all three to the host in one copy: a copy for each would synchronise thrice."""
    tensors = [value for value in (ptr, speaker, present) if value is not None]
    flat = [value.flatten().long() for value in tensors]
    if len({value.device for value in flat}) > 1:
        flat = [value.cpu() for value in flat]
    joined = torch.cat(flat).cpu()
    parts = iter(joined.split([value.numel() for value in tensors]))
    return (
        next(parts),
        None if speaker is None else next(parts),
        None if present is None else next(parts).bool().view(present.shape),
    )


def shorten(ptr: Tensor) -> str:
    """The first values of a `ptr`, for messages."""
    values = [str(int(value)) for value in ptr[:8]]
    return f"[{', '.join(values)}{', ...' if len(ptr) > 8 else ''}]"
