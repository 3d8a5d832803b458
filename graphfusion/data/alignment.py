"""Alignment of a batch layout with a model's order of modalities."""

import torch

from graphfusion._utils.counted import counted
from graphfusion.data.layout import BatchLayout


def align(layout: BatchLayout, modalities: tuple[str, ...]) -> BatchLayout:
    """Reorders the columns of a layout's mask to the order of these modalities.

    Modalities that it does not name are present throughout; then it is computed anew, on the host.
    A layout that is made beforehand should name them all, as that of a batch does.

    Raises:
        ValueError: If it has a mask without names, or one of another modality.
    """
    given = layout.modalities
    if given is None:
        if layout.present is not None:
            raise ValueError(
                "present must be given by name, {modality: [U] bool}, where features are, but "
                f"the layout has {counted(layout.present.size(1), 'column')} without names."
            )
        if layout.num_modalities not in (None, len(modalities)):
            raise ValueError(
                f"present must have {counted(len(modalities), 'modality', 'modalities')}, but the "
                f"layout has {layout.num_modalities}."
            )
        return layout
    if unknown := [name for name in given if name not in modalities]:
        raise ValueError(
            f"present must name some of {list(modalities)}, but the layout has {unknown}."
        )
    if given == modalities:
        return layout
    if layout.present is None:  # the others are present throughout, too
        aligned = layout.copy()
        aligned.modalities, aligned.num_modalities = modalities, len(modalities)
        return aligned
    columns = dict(zip(given, layout.present.unbind(1), strict=True))
    if len(given) < len(modalities):
        everywhere = torch.ones_like(layout.batch, dtype=torch.bool)
        present = {name: columns.get(name, everywhere) for name in modalities}
        completed = BatchLayout(layout.ptr, layout.speaker, present)
        completed.is_screened = layout.is_screened
        return completed
    aligned = layout.copy()
    aligned.modalities = modalities
    aligned.present = torch.stack([columns[name] for name in modalities], 1)
    sequences = dict(zip(given, layout.conversation_sequences, strict=True))
    aligned.conversation_sequences = tuple(sequences[name] for name in modalities)
    if layout.speaker_sequences is not None:
        old = new = layout.speaker_sequences.order
        for m, name in enumerate(given):  # by numbers alone: a GPU need not be given a tensor
            shift = modalities.index(name) - m
            new = torch.where(old % len(given) == m, old + shift, new)
        aligned.speaker_sequences = layout.speaker_sequences._replace(order=new)
    return aligned
