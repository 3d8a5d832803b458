"""Zero-filling in place of masks."""

import torch

from graphfusion import MMDFN, Conversation, ConversationModel
from graphfusion.models.zero_filled import zero_filled

SIZES = {"text": 5, "audio": 4}


def conversation() -> Conversation:
    features = {name: torch.randn(6, size) for name, size in SIZES.items()}
    return Conversation(features, torch.arange(6) % 2)


def test_absent_modalities_are_the_mean_and_are_not_masked() -> None:
    each = conversation()
    masked = MMDFN(SIZES, 3, num_layers=2).eval()
    masked.standardize.fit([each])
    filled = zero_filled(masked).eval()
    assert torch.equal(filled(each), masked(each))
    present = torch.arange(6) < 4
    audio = each.features["audio"].where(
        present[:, None], masked.standardize.statistics["audio"].mean.float()
    )
    expected = masked(Conversation(each.features | {"audio": audio}, each.speaker))
    each.present["audio"] = present
    assert torch.equal(filled(each), expected)
    assert not torch.equal(masked(each), expected)


def test_it_is_saved_and_loaded(tmp_path) -> None:
    model, other = (zero_filled(MMDFN(SIZES, 3, num_layers=1)).eval() for _ in range(2))
    each = conversation()
    model.standardize.fit([each])
    model.save_pretrained(tmp_path)
    parts = {part: getattr(other, part) for part in ("encoder", "graph", "fusion", "head")}
    loaded = ConversationModel.from_pretrained(tmp_path, **parts)
    assert torch.equal(loaded(each), model(each))
