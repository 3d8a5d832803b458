"""How strongly utterances are joined, by who said them and which came first."""

import torch
from torch import Tensor

# An optimiser's steps suit the many weights of a linear map; five strengths have farther to go in
# as many steps.
STEP = 30


class Relations(torch.nn.Module):
    """A learned positive strength for each relation of two utterances.

    There are five, however many speakers: an utterance and itself, the past of the same speaker and
    of another, and the future of both. All strengths are 1 at first.
    """

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.empty(5))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Makes all relations equally strong."""
        torch.nn.init.zeros_(self.weight)

    @property
    def strength(self) -> Tensor:
        """`[5]`: self; the past, of the same speaker and of another; the future, likewise."""
        return (STEP * self.weight).exp()

    def forward(self, other: Tensor, offset: Tensor) -> Tensor:
        """Returns the strength between targets and sources.

        Args:
            other: Bool, whether another speaker said the source.
            offset: Of the same shape, how much later than the target the source is.
        """
        itself, past, others_past, future, others_future = self.strength
        past, future = (
            torch.where(other, others_past, past),
            torch.where(other, others_future, future),
        )
        return torch.where(offset == 0, itself, torch.where(offset < 0, past, future))

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"
