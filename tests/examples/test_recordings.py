"""The example of recordings, small: what it makes is found, and its plumbing holds."""

import importlib

import pytest

for module in (
    "av",
    "cv2",
    "opensmile",
    "pandas",
    "pytorch_lightning",
    "sentence_transformers",
    "tqdm",
):
    pytest.importorskip(module, reason="needs the extras `train`, `opensmile`, `text` and `faces`")

example = importlib.import_module("recordings")


@pytest.mark.slow
def test_it_runs_from_nothing_to_a_page(tmp_path, capsys):
    scores = example.main(tmp_path, num_conversations=10, epochs=20)
    assert scores["test"] > 0.6  # a third would be chance
    printed = capsys.readouterr().out
    assert "in_channels={'text': 32, 'audio': 88, 'video': 324}" in printed
    assert "no face" in printed or "absent" in printed
    assert (tmp_path / "new.html").stat().st_size > 10_000
