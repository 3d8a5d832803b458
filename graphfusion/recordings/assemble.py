"""Assembles a corpus from utterances and their extracted features."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from graphfusion import Conversation
from graphfusion.data.labels import MISSING
from graphfusion.datasets import Corpus
from graphfusion.recordings.cache import Vectors
from graphfusion.recordings.extractors.protocol import Extractor
from graphfusion.recordings.grouped import grouped
from graphfusion.recordings.table import Utterance, by_conversation


def assemble(
    rows: Sequence[Utterance],
    features: Mapping[str, Mapping[str, Vectors]],
    extractors: Mapping[str, Extractor],
    classes: Sequence[str] | None,
) -> Corpus:
    """Creates a corpus from utterances and their features.

    Args:
        rows: All utterances, those of a conversation in order.
        features: `{conversation: {modality: vectors}}`.
        extractors: The extractor of each modality.
        classes: The names of the classes; empty: the labels are scores; None: the sorted labels.
    """
    if classes is None:
        classes = sorted({str(each.label) for each in rows if each.label is not None})
    splits = grouped(
        (utterances[0].split, make_conversation(utterances, features[name], classes))
        for name, utterances in by_conversation(rows).items()
    )
    rates = sampling_rates(features)
    fingerprints = {
        modality: {
            **each.fingerprint,
            **({"sampling_rates": rates[modality]} if modality in rates else {}),
        }
        for modality, each in extractors.items()
    }
    return Corpus(tuple(classes), splits, fingerprints)


def sampling_rates(features: Mapping[str, Mapping[str, Vectors]]) -> dict[str, list[int]]:
    """Returns the different sampling rates of each modality of sound, in Hz."""
    rates = grouped(
        (modality, rate)
        for each in features.values()
        for modality, vectors in each.items()
        for rate in vectors.rates
    )
    return {modality: sorted(set(own)) for modality, own in rates.items()}


def make_conversation(
    utterances: Sequence[Utterance], vectors: Mapping[str, Vectors], classes: Sequence[str]
) -> Conversation:
    """Creates a conversation; features with a reason for their absence are absent."""
    order = {speaker: n for n, speaker in enumerate(dict.fromkeys(u.speaker for u in utterances))}
    present = {
        name: torch.tensor([reason is None for reason in each.reasons])
        for name, each in vectors.items()
    }
    return Conversation(
        {name: each.values for name, each in vectors.items()},
        torch.tensor([order[each.speaker] for each in utterances]),
        _labels(utterances, classes),
        present,
        id=utterances[0].conversation,
    )


def _labels(utterances: Sequence[Utterance], classes: Sequence[str]) -> Tensor:
    labels = [each.label for each in utterances]
    if not classes:
        return torch.tensor([float("nan") if label is None else float(label) for label in labels])
    numbers = {name: number for number, name in enumerate(classes)}
    return torch.tensor([MISSING if label is None else numbers[str(label)] for label in labels])
