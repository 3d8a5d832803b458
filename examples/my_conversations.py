"""Your own conversations: from plain Python lists to a file that the library reads."""

from math import nan

import torch

from graphfusion import Conversation
from graphfusion.datasets import Corpus, load, save, validate

# Id, split, who spoke, what they felt, and a vector of text and of audio an utterance, or None.
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
    vectors = [each or [nan] for each in audio]  # anything of the same size
    features = {"text": torch.tensor(text), "audio": torch.tensor(vectors)}
    speaker = torch.tensor([list(dict.fromkeys(who)).index(each) for each in who])
    y = torch.tensor([classes.index(each) for each in felt])
    splits[split].append(Conversation(features, speaker, y, present, id=name))
save(Corpus(classes, splits), "conversations.safetensors")
print(load("conversations.safetensors"))
print(*validate("conversations.safetensors"), sep="\n")  # every problem; here, there is none
