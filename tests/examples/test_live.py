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
    before, _, after = capsys.readouterr().out.partition("true classes:\n")
    predicted, said = (
        [line for line in part.splitlines() if " to " in line] for part in (before, after)
    )
    assert 10 <= len(predicted) <= 14
    assert len(said) == 12
    assert len(times["features"]) == len(times["prediction"]) == len(predicted)
