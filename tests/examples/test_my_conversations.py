"""The example of plain Python lists, as people run it."""

import runpy
from pathlib import Path

import torch

from graphfusion.datasets import load, validate

EXAMPLE = Path(__file__).parents[2] / "examples/my_conversations.py"


def test_the_lists_come_back(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    assert capsys.readouterr().out.split("\n") == [
        "Corpus(train=2, test=1, in_channels={'text': 2, 'audio': 1}, num_classes=2)",
        "",  # no problem
        "",
    ]
    assert validate("conversations.safetensors") == []
    corpus = load("conversations.safetensors")
    (monday, tuesday), (wednesday,) = corpus.splits.values()
    assert (monday.id, tuesday.id, wednesday.id) == ("monday", "tuesday", "wednesday")
    assert monday.speaker.tolist() == [0, 1, 0]
    assert wednesday.speaker.tolist() == [0, 1]
    assert [corpus.classes[label] for label in wednesday.y] == ["angry", "calm"]
    present = {"text": [True, True], "audio": [True, False]}
    assert {name: each.tolist() for name, each in tuesday.present.items()} == present
    assert all(each.all() for each in monday.present.values())
    assert torch.equal(monday.features["audio"], torch.tensor([[1.5], [3.0], [1.0]]))
