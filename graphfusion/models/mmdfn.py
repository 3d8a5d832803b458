"""MM-DFN, assembled from the parts."""

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, Self

import torch
from einops import rearrange
from torch import Tensor
from torch_geometric.data import Batch
from torch_geometric.nn.module_dict import ModuleDict

from graphfusion._kernels.dropout import Dropout
from graphfusion._utils.checks import (
    check_bool,
    check_dtype,
    check_features,
    check_in_channels,
    check_known,
    check_real,
    check_size,
    unique_names,
)
from graphfusion._utils.evaluation import evaluating
from graphfusion.data.conversation import Conversation
from graphfusion.data.layout import BatchLayout, as_layout
from graphfusion.data.standardize import Standardize
from graphfusion.encoders.context import ContextEncoder
from graphfusion.encoders.speaker import SpeakerEncoder
from graphfusion.encoders.speaker_normalize import speaker_normalize
from graphfusion.fusion.dynamic_fusion import DynamicFusion
from graphfusion.graph.builder import ConversationGraph
from graphfusion.graph.impute import impute
from graphfusion.models import presets, published, saved
from graphfusion.models.utterance_classifier import UtteranceClassifier
from graphfusion.streaming.stream import Stream


class MMDFN(torch.nn.Module):
    r"""Multimodal dynamic fusion network (Hu et al., ICASSP 2022, arXiv 2203.02385).

    Every modality is standardised, once `standardize` has been fitted to the training
    conversations, and projected, together with its deviation from the speaker's mean if
    `speaker_normalized` names it; a context encoder runs over the conversation for some of them,
    and a speaker encoder over each speaker's own utterances; a modality's node vectors are
    `context + w * speaker`, with the projection for the context where there is no context encoder.
    The graph joins them, dynamic fusion fuses them, and one linear map of an utterance's nodes
    gives its logits, perhaps with an expert on single utterances beside it. For a modality that an
    utterance lacks, the mean of what fusion made of it at turns nearby stands in, if the graph
    reaches any. With the settings of the paper:
    :meth:`from_preset`.

    A trained model, with all that it needs, in three lines, and one conversation's predictions::

        model.save_pretrained("folder")
        model = MMDFN.from_pretrained("folder")
        probabilities = model.predict(conversation)

    Args:
        in_channels: `{modality: d_m}`; its order is the order of the modalities.
        num_classes: Number K of classes.
        speaker_weights: `{modality: w}`, 1 for those not named. Without any weight but 0 there is
            no speaker encoder, and it needs no speaker.
        context: The modalities that have a context encoder.
        speaker_normalized: The modalities of which the projection sees how an utterance differs
            from its speaker's others, too (:func:`speaker_normalize`; not of the paper). They need speakers
            even where no encoder does.
        utterance_channels: Size of the hidden layer of an :class:`UtteranceClassifier` on all
            modalities' standardised features, beside the fusion (not of the paper); None: there is
            none. It drops half of that layer, whatever `dropout` is, and in training an utterance's
            logits are either its own or the fusion's.
        channels: Size D of the projections and node vectors, even.
        hidden_channels: Size H of the fusion.
        num_layers: Number of fusion layers.
        alpha: See :class:`DynamicFusion`.
        theta: See :class:`DynamicFusion`.
        dropout: Probability of dropping a value, in the encoders, the fusion and before the
            classifier.
        past: See :class:`ConversationGraph`.
        future: See :class:`ConversationGraph`.
        cross_weight: See :class:`ConversationGraph`.
        relations: See :class:`ConversationGraph`; they need speakers even where no encoder does.
        gated: See :class:`DynamicFusion`.
        concat: See :class:`DynamicFusion`.
        checkpoint: See :class:`DynamicFusion`.
        causal: Whether the model never looks ahead: the encoders read forward alone, and the graph
            has no future. Such a model can follow live conversations: :meth:`stream`.
        class_names: What the classes are called, K different names; None: "0", "1", and so on.

    Attributes:
        standardize: The :class:`Standardize` that the features pass first. Before training,
            `model.standardize.fit(conversations)`; until then they pass unchanged.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If a size is not positive, a number is out of its range, `speaker_weights`,
            `context` or `speaker_normalized` names an unknown modality, `class_names` are not K
            different ones, or a causal model is given a `future` or a `speaker_normalized`.
    """

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
        relations: bool = False,
        gated: bool = True,
        concat: bool = True,
        checkpoint: bool = False,
        causal: bool = False,
        class_names: Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        speaker_weights = {} if speaker_weights is None else speaker_weights
        check_in_channels(in_channels)
        if not isinstance(speaker_weights, Mapping):
            raise TypeError(
                f"speaker_weights must map names to numbers, but got {speaker_weights!r}."
            )
        context = unique_names("context", context)
        speaker_normalized = unique_names("speaker_normalized", speaker_normalized)
        check_size("num_classes", num_classes)
        if class_names is None:
            class_names = [str(number) for number in range(num_classes)]
        class_names = unique_names("class_names", class_names)
        if len(class_names) != num_classes:
            raise ValueError(
                f"class_names must be {num_classes} names, as num_classes is, "
                f"but got {len(class_names)}."
            )
        check_size("channels", channels, least=2)
        if channels % 2:
            raise ValueError(f"channels must be even, for two directions, but got {channels}.")
        check_bool("causal", causal)
        if causal and future not in (None, 0):
            raise ValueError(f"future must be left out or 0 where causal is, but got {future}.")
        check_known("speaker_weights", speaker_weights, in_channels)
        check_known("context", context, in_channels)
        check_known("speaker_normalized", speaker_normalized, in_channels)
        if causal and speaker_normalized:
            raise ValueError(
                "speaker_normalized must be empty where causal is, for a speaker's mean "
                f"looks ahead, but got {list(speaker_normalized)}."
            )
        for name, weight in speaker_weights.items():
            check_real(f"speaker_weights[{name!r}]", weight)

        self.in_channels = dict(in_channels)
        self.num_classes = num_classes
        self.causal = bool(causal)
        self.class_names = class_names
        self.speaker_weights = {name: float(speaker_weights.get(name, 1)) for name in in_channels}
        self.speaker_normalized = speaker_normalized
        self.standardize = Standardize(in_channels)
        self.projections = ModuleDict(
            {
                name: torch.nn.Linear(size * 2 if name in speaker_normalized else size, channels)
                for name, size in in_channels.items()
            }
        )
        if len(self.projections) != len(in_channels):  # they would share a projection
            raise ValueError(
                f"in_channels must not have names alike but for '.' and '#', but got "
                f"{list(in_channels)}."
            )
        size = channels if causal else channels // 2  # of a direction
        self.contexts = ModuleDict(
            {
                name: ContextEncoder(channels, size, dropout=dropout, bidirectional=not causal)
                for name in context
            }
        )
        self.speaker_encoder = (
            SpeakerEncoder(channels, size, dropout=dropout, bidirectional=not causal)
            if any(self.speaker_weights.values())
            else None
        )
        self.graph = ConversationGraph(past, 0 if causal else future, cross_weight, relations)
        self.fusion = DynamicFusion(
            channels,
            hidden_channels,
            num_layers,
            alpha,
            theta,
            dropout,
            gated,
            concat,
            checkpoint,
        )
        self.dropout = Dropout(dropout)
        self.classifier = torch.nn.Linear(len(in_channels) * self.fusion.out_channels, num_classes)
        self.expert: UtteranceClassifier | None = None
        if utterance_channels is not None:
            check_size("utterance_channels", utterance_channels)
            self.expert = UtteranceClassifier(
                sum(in_channels.values()), utterance_channels, num_classes
            )

    @classmethod
    def from_preset(
        cls, preset: str, in_channels: Mapping[str, int], num_classes: int, **kwargs: Any
    ) -> Self:
        """A model with the settings of the paper, or with ours.

        Args:
            preset: "iemocap" or "meld", as published, or ours, chosen by cross-validation on other
                features: "meld_tuned" has four layers and an expert on single utterances,
                "iemocap_tuned" the deviation of audio; their training differs, too (see the
                documentation on the paper).
            in_channels: `{modality: d_m}`. The preset has a speaker weight for each of audio,
                visual and text, and a context encoder for text. A modality is one of them if that
                is its name, or its name goes on with an underscore, as in "text_minilm"; for
                others, the speaker weight is 1.
            num_classes: Number of classes.
            **kwargs: Arguments of the constructor that replace the preset's.

        Raises:
            ValueError: If there is no such preset, or it knows none of the modalities and
                `speaker_weights` and `context` are not given.
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
        """Takes over a model trained with the authors' code.

        Args:
            state_dict: Its state dict (`graph_type` GDF, `mm_fusion_mthd` concat_subsequently,
                without `use_speaker` and `use_modal`, whose embeddings `MMDFN` does not have). All
                sizes come from it.
            modalities: Our names for its modalities, in its order: audio, visual, text, without
                those that it does not have.
            **kwargs: What the weights do not tell: `speaker_weights` (if not given, the published
                default: 3, 0 and 1 for audio, visual and text), `alpha`, `theta` (there `lamda`),
                `dropout`, `cross_weight` (there `modal_weight`), and `gated` (there `reason_flag`,
                off by default): a checkpoint has the gate's weights whether it was trained with the
                gate or not, so pass `gated=False` if it was not.

        Raises:
            TypeError: If `state_dict` is not a mapping.
            ValueError: If a weight has no place here, or a name is too few or too many.
            RuntimeError: If a weight is missing or of another shape.
        """
        arguments, state = published.read_model(state_dict, modalities)
        model = cls(**(arguments | kwargs))
        if model.speaker_encoder is None:
            state = {key: value for key, value in state.items() if "speaker_encoder" not in key}
        if not model.fusion.gated:
            state = {key: value for key, value in state.items() if "fusion.cell" not in key}
        model.to(state["classifier.weight"].dtype)
        ours = ("standardize.", "expert.")
        own = {key: value for key, value in model.state_dict().items() if key.startswith(ours)}
        model.load_state_dict(own | state)
        return model

    @classmethod
    def from_pretrained(cls, folder: str | PathLike[str]) -> Self:
        """The model that :meth:`save_pretrained` wrote there, on the CPU and ready to predict.

        It is in evaluation mode, in the dtype in which it was saved. Reading it runs no code that
        it may contain.

        Args:
            folder: The path of a folder.

        Raises:
            ImportError: If safetensors is not installed.
            FileNotFoundError: If the folder has no model.
            ValueError: If anything in its files is wrong.
        """
        return saved.load(cls, folder)

    def save_pretrained(self, folder: str | PathLike[str]) -> None:
        """Writes the model, with its statistics and its classes' names, for good.

        The weights go to `model.safetensors` and the arguments to `config.json`. Wherever this is
        cut off, the folder has the old model or the new one.

        Args:
            folder: The path of a folder, made if need be.

        Raises:
            ImportError: If safetensors is not installed.
            OSError: If a file cannot be written.
        """
        saved.save(folder, self.config, self.state_dict())

    @property
    def config(self) -> dict[str, Any]:
        """The constructor's arguments by name, as JSON has them."""
        fusion, graph = self.fusion, self.graph
        return {
            "in_channels": {name: int(size) for name, size in self.in_channels.items()},
            "num_classes": int(self.num_classes),
            "speaker_weights": dict(self.speaker_weights),
            "context": [name for name in self.in_channels if name in self.contexts],
            "speaker_normalized": [
                name for name in self.in_channels if name in self.speaker_normalized
            ],
            "utterance_channels": (
                None if self.expert is None else int(self.expert.hidden.out_features)
            ),
            "channels": fusion.in_channels,
            "hidden_channels": int(fusion.hidden_channels),
            "num_layers": int(fusion.num_layers),
            "alpha": fusion.alpha,
            "theta": fusion.theta,
            "dropout": float(self.dropout.p),
            "past": None if graph.past is None else int(graph.past),
            "future": None if graph.future is None else int(graph.future),
            "cross_weight": float(graph.cross_weight),
            "relations": graph.relations is not None,
            "gated": bool(fusion.gated),
            "concat": bool(fusion.concat),
            "checkpoint": bool(fusion.checkpoint),
            "causal": self.causal,
            "class_names": list(self.class_names),
        }

    def reset_parameters(self) -> None:
        """Draws new weights; the statistics of `standardize` are the data's, and stay."""
        encoders = (*self.contexts.values(), self.speaker_encoder)
        for module in (*self.projections.values(), *encoders, self.expert):
            if module is not None:
                module.reset_parameters()
        self.graph.reset_parameters()
        self.fusion.reset_parameters()
        self.classifier.reset_parameters()

    def forward(
        self,
        features: Mapping[str, Tensor],
        speaker: Tensor | BatchLayout | None,
        ptr: Tensor | BatchLayout | None = None,
        present: Tensor | None = None,
        return_gates: bool = False,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Predicts every utterance of a batch.

        Args:
            features: `{modality: [U, d_m]}`, matched by name; finite where present.
            speaker: `[U]` int64, numbered within each conversation; or the batch's layout, which
                then stands for all that follows.
            ptr: `[B + 1]`, where the conversations start, and U; or a layout, whose own speakers
                and mask, if it has them, count.
            present: `[U, M]` bool, its columns in the order of `in_channels`, whatever that of
                `features`; None: everything is present.
            return_gates: Whether to return how open the fusion's gates were, too.

        Returns:
            Logits, `[U, K]`; with `return_gates`, these and the gates, `[L, U, M, 3]`, as
            :class:`DynamicFusion` gives them.

        Raises:
            TypeError: If an argument is not a tensor of the right dtype.
            ValueError: If a modality is missing or unknown, shapes disagree, `ptr` is not one, or
                `return_gates` is asked of a model without gates.
        """
        if isinstance(speaker, BatchLayout):
            if ptr is not None or present is not None:
                raise ValueError("ptr and present must be left out where a BatchLayout is given.")
            speaker, ptr = None, speaker
        if ptr is None:
            raise ValueError(
                "ptr must be given, torch.tensor([0, U]) for one conversation of U utterances, or "
                "a BatchLayout in speaker's place, but got None."
            )
        layout = as_layout(ptr, self.classifier.weight.device, speaker, present)
        self._check(features, layout)
        prepared = self.prepare(features, layout.present)
        projected = self.project(self._join_deviation(prepared, layout))
        context = {
            name: self.contexts[name](x, layout, m)
            for m, (name, x) in enumerate(projected.items())
            if name in self.contexts
        }
        x = self.join(projected, context, self._encode_speakers(projected, layout))
        out = self.fusion(x, self.graph(x, layout), return_gates=return_gates)
        out, gates = out if return_gates else (out, None)
        filled = impute(out, layout, self.graph.past, self.graph.future)
        logits = self.classify(filled, prepared)
        return logits if gates is None else (logits, gates)

    def prepare(self, features: Mapping[str, Tensor], present: Tensor | None) -> dict[str, Tensor]:
        """The first step: standardised features, `[U, d_m]` each, zeros where absent."""
        features = self.standardize(features)
        if present is None:
            return {name: features[name] for name in self.in_channels}
        here = zip(self.in_channels, present.unsqueeze(2).unbind(1), strict=True)
        return {name: features[name].where(each, 0) for name, each in here}  # whatever lies there

    def project(self, x: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The second step: what is prepared, with any deviations, projected to `[U, D]` each."""
        return {name: self.projections[name](value) for name, value in x.items()}

    def join(
        self,
        projected: Mapping[str, Tensor],
        context: Mapping[str, Tensor],
        history: Mapping[str, Tensor],
    ) -> Tensor:
        """The node vectors `[U, M, D]`, from what was said, in what context, and by whom."""
        nodes = []
        for name, x in projected.items():
            node = context.get(name, x)
            if weight := self.speaker_weights[name]:
                node = node + weight * history[name]
            nodes.append(node)
        return torch.stack(nodes, 1)

    def classify(self, x: Tensor, prepared: Mapping[str, Tensor]) -> Tensor:
        """The last step: logits `[U, K]` from the fused nodes `[U, M, C]`, absent ones filled.

        What was prepared is for the expert on single utterances, if there is one.
        """
        logits: Tensor = self.classifier(self.dropout(rearrange(x, "u m c -> u (m c)")).relu())
        if self.expert is not None:
            logits = self.expert(torch.cat(list(prepared.values()), 1), logits)
        return logits

    @torch.inference_mode()
    def predict(self, conversation: Conversation) -> list[dict[str, float]]:
        """Predicts every utterance of one conversation, without dropout.

        Args:
            conversation: In any floating dtype, on any device.

        Returns:
            Each utterance's probabilities, by the classes' names.

        Raises:
            TypeError: If it is not one conversation.
            ValueError: If a modality is missing, unknown or of another size.
        """
        if isinstance(conversation, Batch) or not isinstance(conversation, Conversation):
            raise TypeError(
                f"conversation must be one Conversation, but got {type(conversation).__name__}."
            )
        check_features(conversation.features, self.in_channels, "U")
        columns = [list(conversation.features).index(name) for name in self.in_channels]
        features = {
            name: value.to(self.classifier.weight) for name, value in conversation.features.items()
        }
        speaker, present = conversation.speaker, conversation.present[:, columns]
        ptr = torch.tensor([0, len(speaker)])
        with evaluating(self):
            logits = self(features, speaker, ptr, present)
        probabilities = logits.cpu().double().softmax(-1).tolist()
        return [dict(zip(self.class_names, each, strict=True)) for each in probabilities]

    def stream(self, num_conversations: int = 1) -> Stream:
        """Begins live conversations, of which each utterance is predicted as it comes.

        Args:
            num_conversations: How many go on side by side.

        Raises:
            TypeError: If `num_conversations` is not an integer.
            ValueError: If it is not positive, or the model is not causal.
        """
        return Stream(self, num_conversations)

    def _join_deviation(self, x: dict[str, Tensor], layout: BatchLayout) -> dict[str, Tensor]:
        joined = dict(x)
        for m, name in enumerate(x):
            if name in self.speaker_normalized:
                joined[name] = torch.cat([x[name], speaker_normalize(x[name], layout, m)], 1)
        return joined

    def _encode_speakers(self, x: dict[str, Tensor], layout: BatchLayout) -> dict[str, Tensor]:
        if self.speaker_encoder is None:
            return {}
        names = list(x)
        if layout.present is None:  # else the layout's sequences are those of all modalities
            names = [name for name in names if self.speaker_weights[name]]
        history = self.speaker_encoder(torch.stack([x[name] for name in names], 1), layout)
        return dict(zip(names, history.unbind(1), strict=True))

    def _check(self, features: Mapping[str, Tensor], layout: BatchLayout) -> None:
        check_features(features, self.in_channels, layout.num_utterances)
        for name, value in features.items():
            check_dtype(f"features[{name!r}]", value, self.classifier.weight)
        if layout.num_modalities not in (None, len(self.in_channels)):
            raise ValueError(
                f"present must have {len(self.in_channels)} modalities, "
                f"but got {layout.num_modalities}."
            )

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.in_channels}, num_classes={self.num_classes}, "
            f"num_layers={self.fusion.num_layers})"
        )
