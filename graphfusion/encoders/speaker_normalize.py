"""Speaker normalisation: features less their speaker's mean in the conversation."""

import torch
from torch import Tensor
from torch_geometric.utils import scatter

from graphfusion._utils.checks import check_tensor
from graphfusion.data.layout import BatchLayout, as_layout
from graphfusion.data.masking import select


def speaker_normalize(x: Tensor, layout: BatchLayout, modality: int | str | None = None) -> Tensor:
    """Subtracts the mean over the speaker's utterances in the conversation.

    This removes a speaker's own pitch and loudness and the recording's acoustics, so that features
    of new speakers are closer to those of training speakers (speaker normalisation: Busso et al.,
    IEEE Transactions on Affective Computing 4(4), 2013). It is not causal: the mean includes later
    utterances.

    Args:
        x: `[U, C]`, of one modality; values of absent utterances are ignored.
        layout: The batch's layout, with its speakers.
        modality: The modality of `x`, by its column in the layout's `present` or by its name.
            Utterances without it do not enter any mean.

    Returns:
        `[U, C]`: zeros for a speaker's only utterance, and where the modality is absent.

    Raises:
        TypeError: If `x` is not a floating tensor.
        ValueError: If shapes disagree, the layout has no speakers, or modalities are absent and
            `modality` is None or none of them.

    Example:
        >>> import torch
        >>> layout = BatchLayout(torch.tensor([0, 3]), speaker=torch.tensor([0, 1, 0]))
        >>> speaker_normalize(torch.tensor([[1.0], [5.0], [3.0]]), layout)
        tensor([[-1.],
                [ 0.],
                [ 1.]])
    """
    check_tensor("x", x, ["U", "C"])
    layout = as_layout(layout, x.device)
    check_tensor("x", x, [layout.num_utterances, "C"])
    if layout.speaker_id is None:
        raise ValueError("speaker must be given to the layout, but got none.")
    group, size = layout.speaker_id, layout.num_utterances  # there are not more speakers
    column = layout.column(modality)
    if layout.present is not None:
        x = select(x, layout, column)
        # A group of their own, all of zeros; the first, for a number of utterances in its place
        # would be fixed in what is exported.
        group = group.where(layout.present[:, column], -1) + 1
    # A sum in bfloat16 would lose its digits.
    exact = x.to(torch.promote_types(x.dtype, torch.float32))
    mean: Tensor = scatter(exact, group, dim_size=size + 1, reduce="mean")
    return (exact - mean.index_select(0, group)).to(x.dtype)
