"""Conversion of conversations in Python lists to a file that the library can load."""

from math import nan

import torch

from graphfusion import Conversation
from graphfusion.datasets import Corpus, load, save, validate

# Id and split of a conversation; of each utterance: speaker, label, text and audio features (None
# if there is no audio).
Row = tuple[str, str, list[str], list[str], list[list[float]], list[list[float] | None]]
ROWS: list[Row] = [
    ("monday", "train", ["Ann", "Bob", "Ann"], ["calm", "angry", "calm"],
     [[0.1, 0.9], [0.8, 0.2], [0.2, 0.7]], [[1.5], [3.0], [1.0]]),
    ("tuesday", "train", ["Eve", "Ann"], ["calm", "angry"],
     [[0.3, 0.6], [0.7, 0.1]], [[1.2], None]),
    ("wednesday", "test", ["Bob", "Eve"], ["angry", "calm"],
     [[0.9, 0.1], [0.3, 0.8]], [[2.5], [1.5]]),
]  # fmt: skip

classes = ("calm", "angry")
splits: dict[str, list[Conversation]] = {"train": [], "test": []}
for name, split, who, felt, text, audio in ROWS:
    present = {"audio": torch.tensor([each is not None for each in audio])}
    vectors = [each or [nan] for each in audio]  # ignored, but must have the same size
    features = {"text": torch.tensor(text), "audio": torch.tensor(vectors)}
    speaker = torch.tensor([list(dict.fromkeys(who)).index(each) for each in who])
    y = torch.tensor([classes.index(each) for each in felt])
    splits[split].append(Conversation(features, speaker, y, present, id=name))
save(Corpus(classes, splits), "conversations.safetensors")
print(load("conversations.safetensors"))
print(*validate("conversations.safetensors"), sep="\n")  # lists all problems; this file has none
