"""The live example, small: the detector finds the utterances, and each is predicted."""

import importlib

import pytest

for module in (
    "av",
    "cv2",
    "opensmile",
    "pandas",
    "pytorch_lightning",
    "sentence_transformers",
    "silero_vad",
):
    pytest.importorskip(
        module, reason="needs the extras `train`, `opensmile`, `text`, `faces`, and silero-vad"
    )

example = importlib.import_module("live")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:corpus should have an example of each class")  # five are few
def test_it_listens_to_a_new_conversation(tmp_path, capsys):
    times = example.main(tmp_path, num_conversations=5)
    printed = capsys.readouterr().out
    predicted = [line for line in printed.splitlines() if " to " in line]
    assert 10 <= len(predicted) <= 14  # twelve were said
    assert len(times["features"]) == len(times["prediction"]) == len(predicted)
