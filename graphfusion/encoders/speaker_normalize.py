"""How an utterance differs from its speaker's others."""

import torch
from torch import Tensor
from torch_geometric.utils import scatter

from graphfusion._utils.checks import check_tensor
from graphfusion.data.layout import BatchLayout, as_layout, column_of


def speaker_normalize(x: Tensor, layout: BatchLayout, modality: int | None = None) -> Tensor:
    """Takes off every utterance the mean over its speaker's own in the conversation.

    A voice has its own pitch and loudness, and a conversation its own room and microphone, whatever
    the mood. Without them, what is left of people heard in no training conversation is more like
    what is left of those who were (speaker normalisation: Busso et al., IEEE Transactions on
    Affective Computing 4(4), 2013). It looks ahead: the mean is over what they say later, too.

    Args:
        x: `[U, C]`, of one modality; what lies in absent places may be anything.
        layout: The batch's layout, with its speakers.
        modality: Which column of the layout's `present` belongs to `x`. Utterances without it
            are in no mean.

    Returns:
        `[U, C]`: zeros for a speaker's only utterance, and where the modality is absent.

    Raises:
        TypeError: If `x` is not a floating tensor.
        ValueError: If shapes disagree, the layout has no speakers, or modalities are absent and
            `modality` is None or none of them.
    """
    check_tensor("x", x, ["U", "C"])
    layout = as_layout(layout, x.device)
    check_tensor("x", x, [layout.num_utterances, "C"])
    if layout.speaker_id is None:
        raise ValueError("speaker must be given to the layout, but got none.")
    party, parties = layout.speaker_id, layout.num_utterances  # there are not more
    column = column_of(layout, modality)
    if layout.present is not None:
        here = layout.present[:, column]
        x = x.where(here.unsqueeze(1), 0)
        party = party.where(here, parties)  # a party of their own, all of zeros
    # A sum in bfloat16 would lose its digits.
    exact = x.to(torch.promote_types(x.dtype, torch.float32))
    mean: Tensor = scatter(exact, party, dim_size=parties + 1, reduce="mean")
    return (exact - mean.index_select(0, party)).to(x.dtype)
