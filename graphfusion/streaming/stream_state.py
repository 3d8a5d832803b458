"""All hidden states of a stream as one dict of tensors, to be saved and restored."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from graphfusion._utils.checks import check_tensor
from graphfusion.streaming.graph_cache import GraphCache
from graphfusion.streaming.recurrent_state import RecurrentState

State = GraphCache | RecurrentState


class StreamState:
    """The hidden states of a stream by name.

    The state of one modality has the modality's name, so that their order does not matter.

    Args:
        graph: The cache of the graph.
        recurrent: The hidden states of the recurrent encoders, by name.
        modalities: Names of the modalities, in the order of the nodes.
    """

    def __init__(
        self, graph: GraphCache, recurrent: Mapping[str, RecurrentState], modalities: Sequence[str]
    ) -> None:
        self._graph = graph
        self._parts: dict[str, State] = {"graph": graph, **recurrent}
        self._modalities = tuple(modalities)

    def tensors(self) -> dict[str, Tensor]:
        """All hidden states by their keys, as views."""
        tensors: dict[str, Tensor] = {}
        for name, part in self._parts.items():
            for attribute, value in part.tensors().items():
                axis = part.modality_axis.get(attribute)
                views = [value] if axis is None else value.unbind(axis)
                tensors |= zip(self._keys(name, part, attribute), views, strict=True)
        return tensors

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Replaces all hidden states by copies of those of another stream.

        Raises:
            TypeError: If it is not a mapping, or something in it no tensor of the right dtype.
            ValueError: If something is missing, unknown or of another shape. Nothing has changed.
        """
        own = self.tensors()
        if not isinstance(state, Mapping):
            raise TypeError(f"state must be a mapping, but got {type(state).__name__}.")
        if state.keys() != own.keys():
            raise ValueError(f"state must have {sorted(own)}, but got {sorted(state)}.")
        loaded = {name: self._read(state, name, part) for name, part in self._parts.items()}
        graph = loaded["graph"]
        self._graph.check(graph["position"], graph["scale"].size(2))
        for name, part in self._parts.items():
            for attribute, value in loaded[name].items():
                setattr(part, attribute, value)

    def _read(self, state: Mapping[str, Tensor], name: str, part: State) -> dict[str, Tensor]:
        """Copies of one part's tensors, with those of the modalities stacked in our order."""
        found = {}
        size: int | str = "any"  # that of the axes that grow, the same in all of a part
        for attribute, expected in part.tensors().items():
            axis, grows = part.modality_axis.get(attribute), part.growing.get(attribute)
            shape: list[int | str] = list(expected.shape)
            pieces = []
            for key in self._keys(name, part, attribute):
                if grows is not None:
                    shape[grows] = size
                piece = shape if axis is None else shape[:axis] + shape[axis + 1 :]
                check_tensor(f"state[{key!r}]", state[key], piece, expected.dtype)
                if grows is not None:
                    size = state[key].size(grows - (axis is not None and axis < grows))
                pieces.append(state[key])
            value = pieces[0] if axis is None else torch.stack(pieces, axis)
            found[attribute] = value.to(expected.device, copy=True)
        return found

    def _keys(self, name: str, part: State, attribute: str) -> list[str]:
        """The keys of a hidden state: one, or one for each modality."""
        key = f"{name}.{attribute}"
        if attribute not in part.modality_axis:
            return [key]
        return [f"{key}.{modality}" for modality in self._modalities]
