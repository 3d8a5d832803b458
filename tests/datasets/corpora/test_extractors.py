"""What holds for every corpus by name: what its file says beside the labels stays."""

import pytest
import torch

from graphfusion import Conversation
from graphfusion.datasets import IEMOCAP, MELD, MOSEI, MOSI, Corpus, save

EXTRACTORS = {"text": {"model": "some/encoder", "revision": "1", "options": {"layer": -1}}}
CLASSES = {
    IEMOCAP: ("happy", "sad", "neutral", "angry", "excited", "frustrated"),
    MELD: ("neutral", "surprise", "fear", "sadness", "joy", "disgust", "anger"),
}
CORPORA = (
    (IEMOCAP, "iemocap6", {}),
    (IEMOCAP, "iemocap6", {"num_classes": 4}),
    (MELD, "meld", {}),
    (MOSI, "mosi", {}),
    (MOSI, "mosi", {"num_classes": 7}),
    (MOSEI, "mosei", {}),
)


@pytest.mark.parametrize(("dataset", "name", "options"), CORPORA)
@pytest.mark.parametrize("further", [False, True])
def test_extractors_are_kept(tmp_path, dataset, name, options, further):
    classes = CLASSES.get(dataset, ())
    y = torch.arange(len(classes)) if classes else torch.tensor([-1.0, 2.0])
    score = {"score": torch.linspace(-3, 3, len(y))} if further else {}
    conversations = [
        Conversation(
            {"text": torch.randn(len(y), 3)}, torch.zeros(len(y)).long(), y, id=each, **score
        )
        for each in ("one", "two")
    ]
    splits = {"train": conversations[:1], "test": conversations[1:]}
    save(Corpus(classes, splits, EXTRACTORS), tmp_path / f"{name}.safetensors")
    corpus = dataset(tmp_path, **options)
    assert corpus.extractors == EXTRACTORS
    assert corpus.select(["text"]).extractors == EXTRACTORS
