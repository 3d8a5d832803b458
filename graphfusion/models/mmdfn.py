"""MM-DFN, composed of the parts of this library."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, Self

from torch import Tensor

from graphfusion._utils.checks import check_bool, check_in_channels, check_size
from graphfusion.encoders.utterance_encoder import UtteranceEncoder
from graphfusion.fusion.dynamic_fusion import DynamicFusion
from graphfusion.graph.builder import ConversationGraph
from graphfusion.models import presets, published
from graphfusion.models.classifier import Classifier
from graphfusion.models.conversation_model import ConversationModel
from graphfusion.models.utterance_classifier import UtteranceClassifier


class MMDFN(ConversationModel):
    r"""Multimodal dynamic fusion network (Hu et al., ICASSP 2022, arXiv 2203.02385).

    A :class:`ConversationModel` of an :class:`UtteranceEncoder`, a :class:`ConversationGraph`, a
    :class:`DynamicFusion` and a :class:`Classifier`. Nodes that are absent are imputed before the
    classifier, from present ones within the window. With the settings of the paper:
    :meth:`from_preset`.

    Args:
        in_channels: `{modality: d_m}`; its order numbers the nodes.
        num_classes: Number K of classes, or of scores.
        speaker_weights: `{modality: w}`, 1 for those not named. With no weight but 0 there is no
            speaker encoder, and no speaker is needed.
        context: The modalities that have a context encoder.
        speaker_normalized: The modalities of which the projection also reads the features less
            their speaker's mean (:func:`speaker_normalize`; not in the paper).
        utterance_channels: Size of the hidden layer of an :class:`UtteranceClassifier` beside the
            fusion (not in the paper); None: there is none.
        channels: Size D of the projections and node vectors, even.
        hidden_channels: Size H of the fusion.
        num_layers: Number of fusion layers.
        alpha, theta, gated, concat, checkpoint: See :class:`DynamicFusion`.
        dropout: Probability of dropping a value, in the encoders, the fusion and before the
            classifier.
        past, future, cross_weight: See :class:`ConversationGraph`.
        causal: Whether no prediction depends on later utterances: the encoders read forward only,
            and the graph has no future. Such a model can :meth:`stream`.
        class_names: Names of the K classes, or scores; None: "0", "1", and so on.
        task: "classification", "regression" or "multilabel".

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If a size is not positive, a number is out of its range, `speaker_weights`,
            `context` or `speaker_normalized` names an unknown modality, `class_names` are not K
            different ones, or a causal model is given a `future` or a `speaker_normalized`.

    Shapes:
        - **input:** a batch of :class:`Conversation` objects, U utterances in all.
        - **output:** logits `[U, K]`.

    Example:
        >>> import torch
        >>> from graphfusion import Conversation
        >>> model = MMDFN({"audio": 6, "text": 10}, num_classes=4, context=["text"])
        >>> features = {"audio": torch.randn(5, 6), "text": torch.randn(5, 10)}
        >>> model(Conversation(features, speaker=torch.tensor([0, 1, 0, 0, 1]))).shape
        torch.Size([5, 4])
    """

    encoder: UtteranceEncoder
    graph: ConversationGraph
    fusion: DynamicFusion
    head: Classifier

    def __init__(
        self,
        in_channels: Mapping[str, int],
        num_classes: int,
        speaker_weights: Mapping[str, float] | None = None,
        context: Sequence[str] = (),
        speaker_normalized: Sequence[str] = (),
        utterance_channels: int | None = None,
        channels: int = 200,
        hidden_channels: int = 100,
        num_layers: int = 16,
        alpha: float = 0.2,
        theta: float = 0.5,
        dropout: float = 0.4,
        past: int | None = None,
        future: int | None = None,
        cross_weight: float = 1.0,
        gated: bool = True,
        concat: bool = True,
        checkpoint: bool = False,
        causal: bool = False,
        class_names: Sequence[str] | None = None,
        task: str = "classification",
    ) -> None:
        check_bool("causal", causal)
        if causal and future not in (None, 0):
            raise ValueError(f"future must be left out or 0 where causal is, but got {future}.")
        check_size("num_classes", num_classes)
        encoder = UtteranceEncoder(
            in_channels,
            channels,
            speaker_weights,
            context,
            speaker_normalized,
            dropout,
            bidirectional=not causal,
        )
        graph = ConversationGraph(past, 0 if causal else future, cross_weight)
        fusion = DynamicFusion(
            channels, hidden_channels, num_layers, alpha, theta, dropout, gated, concat, checkpoint
        )
        head = Classifier(encoder.modalities, fusion.out_channels, num_classes, dropout)
        if utterance_channels is not None:
            check_size("utterance_channels", utterance_channels)
            head.utterance_classifier = UtteranceClassifier(
                in_channels, utterance_channels, num_classes
            )
        super().__init__(encoder, graph, fusion, head, class_names, task)
        self._arguments = {
            "in_channels": {name: int(size) for name, size in in_channels.items()},
            "num_classes": int(num_classes),
            "speaker_weights": encoder.speaker_weights,
            "context": [name for name in in_channels if name in encoder.contexts],
            "speaker_normalized": list(encoder.speaker_normalized),
            "utterance_channels": None if utterance_channels is None else int(utterance_channels),
            "channels": int(channels),
            "hidden_channels": int(hidden_channels),
            "num_layers": int(num_layers),
            "alpha": float(alpha),
            "theta": float(theta),
            "dropout": float(dropout),
            "past": None if past is None else int(past),
            "future": None if graph.future is None else int(graph.future),
            "cross_weight": float(cross_weight),
            "gated": bool(gated),
            "concat": bool(concat),
            "checkpoint": bool(checkpoint),
            "causal": bool(causal),
        }

    @property
    def config(self) -> dict[str, Any]:
        """The constructor's arguments by name, as JSON has them."""
        return deepcopy(self._arguments) | super().config

    @classmethod
    def from_preset(
        cls, preset: str, in_channels: Mapping[str, int], num_classes: int, **kwargs: Any
    ) -> Self:
        """Builds a model with the settings of a preset.

        Args:
            preset: "iemocap" or "meld", as published, or ours, chosen by cross-validation on other
                features: "iemocap_speaker_normalized" has speaker-normalised audio,
                "iemocap_regularized" also has four layers, and "meld_regularized" four layers and
                an utterance classifier. "mosi" is "iemocap" for regression. Their training differs,
                too (see the documentation on the paper).
            in_channels: `{modality: d_m}`. The preset has a speaker weight for each of audio,
                visual and text, and a context encoder for text. A modality is one of them by that
                name, by an alias (acoustic, speech; vision, video; language), or by one of these
                and an underscore, as in "text_minilm". Others need a weight in `speaker_weights`.
            num_classes: Number of classes.
            **kwargs: Arguments of the constructor that replace the preset's.

        Raises:
            ValueError: If there is no such preset, or a modality is neither known nor in the given
                `speaker_weights`.
        """
        check_in_channels(in_channels)
        return cls(in_channels, num_classes, **presets.arguments(preset, in_channels, kwargs))

    @classmethod
    def from_published(
        cls,
        state_dict: Mapping[str, Tensor],
        modalities: Sequence[str] = ("audio", "visual", "text"),
        **kwargs: Any,
    ) -> Self:
        """Converts a model trained with the authors' code.

        Args:
            state_dict: Its state dict (`graph_type` GDF, `mm_fusion_mthd` concat_subsequently,
                without `use_speaker` and `use_modal`, whose embeddings `MMDFN` does not have). All
                sizes come from it.
            modalities: Our names for its modalities, in its order: audio, visual, text, without
                those that it does not have.
            **kwargs: Arguments that the weights do not determine: `speaker_weights` (if not given,
                the published default: 3, 0 and 1 for audio, visual and text), `alpha`, `theta`
                (there `lamda`), `dropout`, `cross_weight` (there `modal_weight`), and `gated`
                (there `reason_flag`, off by default). A checkpoint has the gate's weights whether
                it was trained with the gate or not, so pass `gated=False` if it was not.

        Raises:
            TypeError: If `state_dict` is not a mapping.
            ValueError: If a weight is missing, not finite or has no place here, or a name is too
                few or too many.
            RuntimeError: If a weight is of another shape.
        """
        return published.load(cls, state_dict, modalities, kwargs)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.in_channels}, num_classes={self.num_classes}, "
            f"num_layers={self._arguments['num_layers']})"
        )
