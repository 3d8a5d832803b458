"""What only a GPU can show."""

import pytest
import torch

from graphfusion import MMDFN, BatchLayout, ConversationGraph, DynamicFusion, SpeakerEncoder

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


def test_everything_moves_and_agrees() -> None:
    model = MMDFN(
        {"text": 6, "audio": 7},
        3,
        context=("text",),
        speaker_normalized=("audio",),
        utterance_channels=8,
        num_layers=3,
    ).eval()
    features = {"text": torch.randn(5, 6), "audio": torch.randn(5, 7)}
    speaker, ptr = torch.tensor([0, 1, 0, 0, 1]), torch.tensor([0, 3, 5])
    present = {"audio": torch.rand(5) < 0.7}
    expected = model(features, speaker, ptr, present)
    model.cuda()
    moved = {name: value.cuda() for name, value in features.items()}
    for where in ("cuda", "cpu"):  # a ptr on the host is moved to the model
        arguments = speaker.to(where), ptr.to(where), {"audio": present["audio"].to(where)}
        torch.testing.assert_close(model(moved, *arguments).cpu(), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("masked", [False, True])
def test_a_prepared_layout_costs_no_synchronisation(masked: bool) -> None:
    build, fusion = ConversationGraph(), DynamicFusion(8, 4, 3).cuda()
    present = torch.rand(5, 2) < 0.7 if masked else None
    layout = BatchLayout(torch.tensor([0, 3, 5]), present=present).to("cuda")
    x = torch.randn(5, 2, 8, device="cuda", requires_grad=True)

    def step() -> None:
        graph = build(x, layout)
        graph.impute(fusion(x, graph)).sum().backward()

    step()
    torch.cuda.set_sync_debug_mode("error")
    try:
        step()
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_encoders_learn_as_on_the_host() -> None:
    """Sequences of unequal lengths; weights that do not lie together would be warned of."""
    layout = BatchLayout(torch.tensor([0, 5, 6, 13]), torch.arange(13) % 3)
    gradients = []
    for device in ("cpu", "cuda"):
        torch.manual_seed(0)
        encoder = SpeakerEncoder(6, 4).double().to(device)
        x = torch.linspace(-1, 1, 13 * 2 * 6).double().view(13, 2, 6).to(device)
        encoder(x, layout.to(device)).square().sum().backward()
        gradients.append([each.grad.cpu() for each in encoder.parameters()])
    for here, there in zip(*gradients, strict=True):
        torch.testing.assert_close(there, here)
