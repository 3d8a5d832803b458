"""Gated dynamic graph fusion (MM-DFN) for multimodal conversations, as composable modules.

Two conversations of three and two utterances, packed one after the other, heard and seen:

>>> import torch
>>> from graphfusion import ConversationGraph, DynamicFusion, BatchLayout
>>> layout = BatchLayout(ptr=torch.tensor([0, 3, 5]))
>>> x = torch.randn(5, 2, 16)  # 5 utterances, 2 modalities, 16 channels
>>> graph = ConversationGraph()(x, layout)
>>> fusion = DynamicFusion(in_channels=16, hidden_channels=8, num_layers=4)
>>> fusion(x, graph).shape  # each node's own vector, and what it learned from the others
torch.Size([5, 2, 24])

The same layer works on any graph, the way PyG gives it:

>>> edge_index = torch.tensor([[0, 1, 2], [1, 2, 0]])
>>> fusion(torch.randn(3, 16), edge_index).shape
torch.Size([3, 24])

The whole model of the paper, from features to one prediction per utterance:

>>> from graphfusion import MMDFN
>>> model = MMDFN({"audio": 6, "text": 10}, num_classes=4, context=("text",))
>>> features = {"audio": torch.randn(5, 6), "text": torch.randn(5, 10)}
>>> speaker = torch.tensor([0, 1, 0, 0, 1])
>>> model(features, speaker, ptr=torch.tensor([0, 3, 5])).shape
torch.Size([5, 4])
"""

from importlib.metadata import version

from graphfusion.data.conversation import Conversation
from graphfusion.data.layout import BatchLayout
from graphfusion.data.modality_dropout import modality_dropout
from graphfusion.data.standardize import Standardize
from graphfusion.encoders.context import ContextEncoder, ModalityEmbedding
from graphfusion.encoders.speaker import SpeakerEmbedding, SpeakerEncoder
from graphfusion.encoders.speaker_normalize import speaker_normalize
from graphfusion.fusion.dynamic_fusion import DynamicFusion
from graphfusion.graph.builder import ConversationGraph, MultimodalGraph
from graphfusion.graph.similarity import angular_similarity
from graphfusion.models.losses import focal_loss
from graphfusion.models.mmdfn import MMDFN
from graphfusion.models.utterance_classifier import UtteranceClassifier
from graphfusion.streaming.stream import Stream

__version__ = version("graphfusion")

__all__ = [
    "MMDFN",
    "BatchLayout",
    "ContextEncoder",
    "Conversation",
    "ConversationGraph",
    "DynamicFusion",
    "ModalityEmbedding",
    "MultimodalGraph",
    "SpeakerEmbedding",
    "SpeakerEncoder",
    "Standardize",
    "Stream",
    "UtteranceClassifier",
    "angular_similarity",
    "focal_loss",
    "modality_dropout",
    "speaker_normalize",
]
