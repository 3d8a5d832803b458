"""Gated dynamic graph fusion (MM-DFN) for multimodal conversations, as composable modules.

A graph of two conversations of three and two utterances in two modalities, and the layer on it:

>>> import torch
>>> from graphfusion import BatchLayout, ConversationGraph, DynamicFusion
>>> layout = BatchLayout(ptr=torch.tensor([0, 3, 5]))
>>> x = torch.randn(5, 2, 16)  # 5 utterances, 2 modalities, 16 channels
>>> graph = ConversationGraph()(x, layout)
>>> fusion = DynamicFusion(in_channels=16, hidden_channels=8, num_layers=4)
>>> fusion(x, graph).shape  # [x ; z]: each node's own vector, and its fused one
torch.Size([5, 2, 24])

The same layer on any graph of PyG:

>>> edge_index = torch.tensor([[0, 1, 2], [1, 2, 0]])
>>> fusion(torch.randn(3, 16), edge_index).shape
torch.Size([3, 24])

The model of the paper, from a batch of conversations to one prediction per utterance:

>>> from torch_geometric.loader import DataLoader
>>> from graphfusion import MMDFN, Conversation
>>> conversations = [
...     Conversation(
...         features={"audio": torch.randn(size, 6), "text": torch.randn(size, 10)},
...         speaker=torch.arange(size) % 2,
...     )
...     for size in (3, 2)
... ]
>>> model = MMDFN({"audio": 6, "text": 10}, num_classes=4, context=("text",))
>>> for batch in DataLoader(conversations, batch_size=2):
...     model(batch).shape
torch.Size([5, 4])
"""

from importlib.metadata import version

from graphfusion.data.conversation import Conversation
from graphfusion.data.layout import BatchLayout
from graphfusion.data.modality_dropout import modality_dropout
from graphfusion.data.standardize import Standardize
from graphfusion.encoders.context import ContextEncoder
from graphfusion.encoders.embedding import ModalityEmbedding, SpeakerEmbedding
from graphfusion.encoders.speaker import SpeakerEncoder
from graphfusion.encoders.speaker_normalize import speaker_normalize
from graphfusion.encoders.utterance_encoder import UtteranceEncoder
from graphfusion.fusion.conv_fusion import ConvFusion
from graphfusion.fusion.dynamic_fusion import DynamicFusion
from graphfusion.graph.builder import ConversationGraph
from graphfusion.graph.multimodal_graph import MultimodalGraph
from graphfusion.graph.similarity import angular_similarity
from graphfusion.models.classifier import Classifier
from graphfusion.models.conversation_model import ConversationModel
from graphfusion.models.losses import class_weights, focal_loss
from graphfusion.models.mmdfn import MMDFN
from graphfusion.models.task import task_loss
from graphfusion.models.utterance_classifier import UtteranceClassifier
from graphfusion.streaming.stream import Stream

__version__ = version("graphfusion")

__all__ = [
    "MMDFN",
    "BatchLayout",
    "Classifier",
    "ContextEncoder",
    "ConvFusion",
    "Conversation",
    "ConversationGraph",
    "ConversationModel",
    "DynamicFusion",
    "ModalityEmbedding",
    "MultimodalGraph",
    "SpeakerEmbedding",
    "SpeakerEncoder",
    "Standardize",
    "Stream",
    "UtteranceClassifier",
    "UtteranceEncoder",
    "angular_similarity",
    "class_weights",
    "focal_loss",
    "modality_dropout",
    "speaker_normalize",
    "task_loss",
]
