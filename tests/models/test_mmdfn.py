import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch_geometric.data import Batch

from graphfusion import MMDFN, BatchLayout, Conversation, Standardize
from graphfusion.testing.strategies import RaggedBatch, batches, models, seeds
from tests.asserts import assert_equal, assert_every_parameter_learns, assert_saves
from tests.conversations import members

SMALL = {"channels": 4, "hidden_channels": 3, "num_layers": 2, "dropout": 0.0}


@st.composite
def models_and_batches(draw: st.DrawFn, masked: bool | None = None) -> tuple[MMDFN, RaggedBatch]:
    batch = draw(batches(masked=masked))
    model = draw(models(batch.x.size(1), num_classes=draw(st.integers(2, 3)), **SMALL))
    # In training, it is drawn whether the utterance classifier's logits count.
    return model.train(model.head.utterance_classifier is None), batch


@given(models_and_batches(), seeds)
def test_renumbering_speakers_changes_nothing(case: tuple[MMDFN, RaggedBatch], seed: int) -> None:
    model, batch = case
    names = torch.randperm(9, generator=torch.Generator().manual_seed(seed))
    expected = model(batch.features, batch.layout)
    renamed = model(batch.features, names[batch.speaker], batch.ptr, batch.named_present)
    assert_equal(renamed, expected)


@given(models_and_batches())
def test_all_ways_to_give_a_batch_agree(case: tuple[MMDFN, RaggedBatch]) -> None:
    model, batch = case
    expected = model(batch.features, batch.layout)
    ways = [
        (batch.speaker, batch.ptr, batch.named_present),
        (batch.speaker, BatchLayout(batch.ptr), batch.named_present),
        (batch.speaker, BatchLayout(batch.ptr, present=batch.named_present)),
        (None, batch.layout),
    ]
    shuffled = dict(reversed(batch.features.items()))
    for way in ways:
        assert torch.equal(model(shuffled, *way), expected)


@given(batches(max_conversations=3))
def test_takes_batches_of_pyg(batch: RaggedBatch) -> None:
    model = MMDFN(dict.fromkeys(batch.features, 5), 2, **SMALL).double()
    packed = Batch.from_data_list(members(batch))
    before = {name: value.clone() for name, value in packed.features.items()}
    expected = model(batch.features, batch.layout)
    assert_equal(model(packed), expected)
    assert_equal(model(packed.features, packed.speaker, packed.ptr, packed.present), expected)
    alone = torch.cat([model(each) for each in members(batch)])
    assert_equal(alone, expected)
    assert all(torch.equal(packed.features[name], value) for name, value in before.items())


@given(models_and_batches(), st.booleans())
def test_predicts_one_conversation(case: tuple[MMDFN, RaggedBatch], training: bool) -> None:
    model, batch = case
    expected = model(batch.features, batch.layout).softmax(-1)
    model.train(training)
    probabilities = []
    for each in members(batch):
        # In any order, and what lies in absent places is nothing.
        features = {
            name: x.masked_fill(~each.present[name].unsqueeze(1), math.nan)
            for name, x in each.features.items()
        }
        shuffled = dict(reversed(features.items()))
        other = Conversation(shuffled, each.speaker, present=each.present)
        predicted = model.predict(each)
        assert model.predict(other) == predicted
        assert all(tuple(one) == model.class_names for one in predicted)
        probabilities += [list(one.values()) for one in predicted]
    assert_equal(torch.tensor(probabilities, dtype=torch.float64), expected)
    assert all(module.training == training for module in model.modules())


@given(models_and_batches())
def test_features_are_standardised_once_it_is_fitted(case: tuple[MMDFN, RaggedBatch]) -> None:
    model, batch = case
    shifted = batch.with_x(7 * batch.x + 3)
    standardize = Standardize(model.in_channels).double().fit(members(shifted))
    expected = model(standardize(shifted.features), batch.layout)
    model.standardize.fit(members(shifted))
    assert torch.equal(model(shifted.features, batch.layout), expected)
    junk = shifted.with_x(shifted.x.masked_fill(~batch.here.unsqueeze(-1), math.nan))
    assert torch.equal(model(junk.features, batch.layout), expected)


@given(st.lists(st.floats(allow_nan=False), min_size=1))
def test_without_statistics_features_are_unchanged(values: list[float]) -> None:
    x = torch.tensor(values, dtype=torch.float64).unsqueeze(1)
    out = MMDFN({"text": 1}, 2, **SMALL).double().standardize({"text": x})["text"]
    assert torch.equal(out.view(torch.int64), x.view(torch.int64))


@given(models_and_batches())
def test_gates_come_with_the_logits(case: tuple[MMDFN, RaggedBatch]) -> None:
    model, batch = case
    expected = model(batch.features, batch.layout)
    if not model.fusion.gated:
        with pytest.raises(ValueError, match="return_gates must be False where gated is"):
            model(batch.features, batch.layout, return_gates=True)
        return
    logits, gates = model(batch.features, batch.layout, return_gates=True)
    assert torch.equal(logits, expected)
    assert gates.shape == (model.fusion.num_layers, *batch.x.shape[:2], 3)
    assert not gates[:, ~batch.here].any()
    assert ((gates[:, batch.here] > 0) & (gates[:, batch.here] < 1)).all()
    alone = [model(each.features, each.layout, return_gates=True) for each in batch.conversations()]
    assert_equal(gates, torch.cat([each for _, each in alone], 1))


def ready() -> tuple[dict[str, Tensor], Tensor, Tensor]:
    features = {"text": torch.randn(5, 6), "audio": torch.randn(5, 7)}
    return features, torch.tensor([0, 1, 0, 0, 1]), torch.tensor([0, 3, 5])


@pytest.mark.parametrize("gated", [True, False])
def test_every_parameter_learns_and_is_saved(gated: bool) -> None:
    model = MMDFN(
        {"text": 6, "audio": 7},
        3,
        context=("text",),
        speaker_normalized=("audio",),
        utterance_channels=8,
        gated=gated,
        num_layers=3,
    ).eval()
    assert_every_parameter_learns(model, model(*ready()))
    assert_saves(model, *ready())


def test_gradcheck() -> None:
    model = MMDFN({"text": 3, "audio": 2}, 2, context=("text",), **SMALL).double()
    speaker, ptr = torch.tensor([0, 1, 0]), torch.tensor([0, 2, 3])
    text = torch.randn(3, 3, dtype=torch.float64, requires_grad=True)
    audio = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda text, audio: model({"text": text, "audio": audio}, speaker, ptr), (text, audio)
    )


def test_a_constant_of_a_speaker_may_be_subtracted() -> None:
    """The projection reads the modality and its difference from the mean, and nothing else."""
    model = MMDFN({"text": 6, "audio": 7}, 3, speaker_normalized=("audio",), **SMALL)
    with torch.no_grad():
        model.encoder.projections["audio"].weight[:, :7] = 0
    features, speaker, ptr = ready()
    expected = model(features, speaker, ptr)
    voices = torch.randn(4, 7)  # two speakers in each of two conversations
    shifted = features["audio"] + voices[2 * torch.tensor([0, 0, 0, 1, 1]) + speaker]
    torch.testing.assert_close(model(features | {"audio": shifted}, speaker, ptr), expected)
    with pytest.raises(ValueError, match="speaker must be given"):
        model(features, None, ptr)


def test_an_utterance_classifier_stands_beside_the_fusion() -> None:
    """Other utterances reach half of the logits, and what is absent none."""
    model = MMDFN({"text": 6, "audio": 7}, 3, utterance_channels=8, **SMALL).double().eval()
    without = MMDFN(**(model.config | {"utterance_channels": None})).double().eval()
    features, speaker, ptr = ready()
    model.standardize.fit([Conversation(features, speaker)])
    without.load_state_dict(model.state_dict(), strict=False)
    features = {name: value.double() for name, value in features.items()}
    present = {
        "text": torch.tensor([True, True, True, False, True]),
        "audio": torch.tensor([True, False, True, False, True]),
    }

    def alone(present: dict[str, Tensor]) -> Tensor:
        """The utterance classifier's logits."""
        both = model(features, speaker, ptr, present)
        return 2 * both - without(features, speaker, ptr, present)

    x = {
        name: value.where(present[name].unsqueeze(1), 0)
        for name, value in model.standardize(features).items()
    }
    classifier = model.head.utterance_classifier
    assert_equal(alone(present), classifier(x, torch.zeros(5, 3).double()) * 2)
    expected = alone(present)
    features["text"][0] += 1
    features["text"][3] = torch.nan
    assert_equal(alone(present)[1:], expected[1:])
    assert not torch.allclose(alone(present)[0], expected[0])


def test_without_speaker_weights_there_is_no_speaker() -> None:
    weights = {"text": 0.0, "audio": 0.0}
    model = MMDFN({"text": 6, "audio": 7}, 3, speaker_weights=weights)
    features, _, ptr = ready()
    assert model(features, None, ptr).shape == (5, 3)
    assert not any("speaker" in name for name, _ in model.named_parameters())


@pytest.mark.parametrize("name", ["text.v2", "type", "batch_index", "a b", "forward"])
def test_any_modality_name_is_accepted(name: str) -> None:
    model = MMDFN({name: 6, "audio": 7}, 3, context=(name,))
    features, speaker, ptr = ready()
    features[name] = features.pop("text")
    assert model(features, speaker, ptr).shape == (5, 3)


POSE = {"text_minilm": 1.5, "pose": 1.0}


def test_presets_are_the_published_settings_or_ours() -> None:
    sizes = {"audio": 1582, "visual": 342, "text": 100}
    model = MMDFN.from_preset("iemocap", sizes, num_classes=6)
    assert model.encoder.speaker_weights == {"audio": 3.0, "visual": 0.0, "text": 1.0}
    assert list(model.encoder.contexts) == ["text"]
    assert model.fusion.num_layers == 16
    assert (model.fusion.alpha, model.fusion.theta, model.fusion.dropout.p) == (0.2, 0.5, 0.4)
    assert model.fusion.in_channels == 200
    assert model.fusion.hidden_channels == 100
    assert sum(model.head.linear.in_channels.values()) == 900
    meld = MMDFN.from_preset(
        "meld", {"text_minilm": 600, "pose": 3}, num_classes=7, num_layers=32, speaker_weights=POSE
    )
    assert meld.encoder.speaker_weights == {"text_minilm": 1.5, "pose": 1.0}
    assert list(meld.encoder.contexts) == ["text_minilm"]
    with pytest.raises(
        ValueError, match=r"in_channels must name modali.* but got \['texts', 'pose'\]"
    ):
        MMDFN.from_preset("meld", {"texts": 600, "pose": 3}, num_classes=7)
    MMDFN.from_preset("meld", {"pose": 3}, 7, context=("pose",), speaker_weights={"pose": 2})
    assert meld.fusion.num_layers == 32
    ours = MMDFN.from_preset(
        "meld_regularized", {"text_minilm": 600, "pose": 3}, num_classes=7, speaker_weights=POSE
    )
    assert ours.config == meld.config | {"num_layers": 4, "utterance_channels": 1000}
    ours = MMDFN.from_preset("iemocap_speaker_normalized", sizes, num_classes=6)
    assert ours.config == model.config | {"speaker_normalized": ["audio"]}
    fewer = MMDFN.from_preset("iemocap_regularized", sizes, num_classes=6)
    assert fewer.config == ours.config | {"num_layers": 4}
    named = MMDFN.from_preset("iemocap_speaker_normalized", {"text": 3, "audio_mel": 4}, 6)
    assert named.encoder.speaker_normalized == ("audio_mel",)
    with pytest.raises(ValueError, match="preset must be one of .* but got 'dialogue'"):
        MMDFN.from_preset("dialogue", sizes, num_classes=6)


def published(model: MMDFN) -> dict[str, Tensor]:
    """The state dict that the authors' model with the same weights has."""
    state = model.state_dict()
    letters = {"audio": "a", "visual": "v", "text": "l"}
    unused = """
        att_model.scalar.weight att_model.att.0.weight gatedatt.transform_l.bias
        graph_model.a_fc.weight graph_model.v_fc.bias graph_model.l_fc.weight
        graph_model.feature_fc.weight graph_model.final_fc.bias graph_model.modal_embeddings.weight
        graph_model.speaker_embeddings.weight graph_model.a_spk_embs.weight
    """
    theirs = {key: torch.ones(1) for key in unused.split()}
    for key, value in state.items():
        _, _, place = key.partition(".")
        module, _, rest = place.partition(".")
        name, _, weight = rest.partition(".")
        match module:
            case "projections":
                theirs[f"linear_{letters[name]}.{weight}"] = value
            case "contexts":
                theirs[f"lstm_{letters[name]}.{weight.removeprefix('rnn.')}"] = value
            case "speaker_encoder":
                theirs[f"rnn_parties.{weight}"] = value
    theirs["smax_fc.bias"] = state["head.linear.bias"]
    columns = [state[f"head.linear.weight.{name}"] for name in model.in_channels]
    theirs["smax_fc.weight"] = torch.cat(columns, 1)
    graph_net = "graph_model.graph_net."
    for layer, value in enumerate(state["fusion.weight"]):
        theirs[f"{graph_net}convs.{layer}.weight"] = value
    theirs[f"{graph_net}fcs.0.weight"] = state["fusion.lin.weight"]
    theirs[f"{graph_net}fcs.0.bias"] = state["fusion.lin.bias"]
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        theirs[f"{graph_net}rnn.{name}_l0"] = state[f"fusion.cell.{name}"]
    return theirs


@pytest.mark.parametrize("names", [("audio", "visual", "text"), ("audio", "text"), ("visual",)])
@pytest.mark.parametrize("context", [True, False])
@pytest.mark.parametrize("concat", [True, False])
def test_from_published_finds_every_size(
    names: tuple[str, ...], context: bool, concat: bool
) -> None:
    weights = {"audio": 3.0, "visual": 0.0, "text": 1.0}
    model = MMDFN(
        {name: 3 + i for i, name in enumerate(names)},
        num_classes=4,
        speaker_weights={name: weights[name] for name in names},
        context=names if context else (),
        concat=concat,
        **SMALL,
    ).eval()
    ours = MMDFN.from_published(published(model), modalities=names).eval()
    features = {name: torch.randn(5, 3 + i) for i, name in enumerate(names)}
    _, speaker, ptr = ready()
    assert torch.equal(ours(features, speaker, ptr), model(features, speaker, ptr))


def test_from_published_names_weights_that_do_not_fit_the_arguments() -> None:
    model = MMDFN({"audio": 3, "text": 4}, 2, context=("text",), **SMALL)
    names, state = ("audio", "text"), published(model)
    without = {key: value for key, value in state.items() if "graph_net.rnn" not in key}
    with pytest.raises(
        ValueError, match=r"with \{'gated': True\}, but it lacks those of \['fusion"
    ):
        MMDFN.from_published(without, names, gated=True)
    with pytest.raises(ValueError, match=r"'causal': True\}, but it also has those of \['encoder"):
        MMDFN.from_published(state, names, gated=False, causal=True)
    state["linear_a.weight"] = torch.full_like(state["linear_a.weight"], torch.nan)
    with pytest.raises(ValueError, match="must be finite, but has NaN or infinity in our encoder"):
        MMDFN.from_published(state, names, gated=False)


def test_from_published_refuses_unknown_weights() -> None:
    model = MMDFN({"audio": 3, "text": 4}, 2, context=("text",), **SMALL)
    state = published(model)
    with pytest.raises(ValueError, match="modalities must name 2, as state_dict has .* but got"):
        MMDFN.from_published(state)
    with pytest.raises(
        ValueError, match="state_dict must be that of an MM-DFN model, but has 'mfn"
    ):
        MMDFN.from_published(state | {"mfn.weight": torch.ones(1)}, ("audio", "text"))
    with pytest.raises(
        ValueError, match="state_dict must be that of the authors' model, but has no"
    ):
        MMDFN.from_published(model.state_dict(), ("audio", "text"))
    wrapped = {f"module.{key}": value for key, value in state.items()}
    with pytest.raises(ValueError, match="all begin with 'module.', as DataParallel saves them"):
        MMDFN.from_published(wrapped, ("audio", "text"))
    with pytest.raises(ValueError, match="the weights themselves, but they are in its 'model': "):
        MMDFN.from_published({"model": state, "epoch": 3}, ("audio", "text"))
    with pytest.raises(TypeError, match="state_dict must be a mapping, but got MMDFN"):
        MMDFN.from_published(model)
    with pytest.raises(ValueError, match="modalities must name 2, as state_dict has .* but got"):
        MMDFN.from_published(state, ("audio", "audio"))
    for key in ("smax_fc.bias", "smax_fc.weight"):
        del state[key]
        with pytest.raises(ValueError, match=f"state_dict must have '{key}', but has not"):
            MMDFN.from_published(state, ("audio", "text"))


SIZES = {"text": 6, "audio": 7}


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"in_channels": {}}, ValueError, "in_channels must name at least one modality"),
        ({"in_channels": [3, 4]}, TypeError, "in_channels must map names to sizes, but got list"),
        ({"in_channels": {0: 4}}, TypeError, "in_channels must be keyed by non-empty names"),
        ({"in_channels": {"": 4}}, TypeError, "in_channels must be keyed by non-empty names"),
        ({"in_channels": {"text": 0}}, ValueError, r"in_channels\['text'\] must be at least 1"),
        ({"num_classes": 0}, ValueError, "num_classes must be at least 1, but got 0"),
        ({"channels": 5}, ValueError, "channels must be even, for two directions, but got 5"),
        ({"speaker_weights": {"pose": 1.0}}, ValueError, r"speaker_weights must .* got \['pose'\]"),
        ({"speaker_weights": {"text": "1"}}, TypeError, r"speaker_weights\['text'\] must be a num"),
        ({"context": ("pose",)}, ValueError, r"context must name some of .* but got \['pose'\]"),
        ({"context": "text"}, TypeError, "context must be a sequence of names, but got 'text'"),
        ({"context": True}, TypeError, "context must be a sequence of names, but got True"),
        ({"context": ("text", "text")}, ValueError, "context must name each once, but got"),
        ({"context": (3,)}, TypeError, r"context must be strings, but got \[3\]"),
        (
            {"class_names": ["a"]},
            ValueError,
            "class_names must be 3 names, as num_classes is, but got 1",
        ),
        ({"class_names": "ab"}, TypeError, "class_names must be a sequence of names, but got 'ab'"),
        ({"class_names": 2}, TypeError, "class_names must be a sequence of names, but got 2"),
        ({"class_names": ["a", 1]}, TypeError, r"class_names must be strings, but got \['a', 1\]"),
        ({"class_names": ["a", "a"]}, ValueError, "class_names must name each once, but got"),
        ({"speaker_weights": [1, 2]}, TypeError, "speaker_weights must map names to numbers"),
        ({"speaker_weights": {"text": math.nan}}, ValueError, "must be finite, but got nan"),
        (
            {"causal": True, "future": 3},
            ValueError,
            "future must be left out or 0 where causal is, but got 3",
        ),
        (
            {"causal": True, "speaker_normalized": ("text",)},
            ValueError,
            r"speaker_normalized must be empty where causal is.* but got \['text'\]",
        ),
        ({"causal": "False"}, TypeError, "causal must be True or False, but got 'False'"),
        (
            {"speaker_normalized": "text"},
            TypeError,
            "speaker_normalized must be a sequence of names, but got 'text'",
        ),
        (
            {"speaker_normalized": ["face"]},
            ValueError,
            r"speaker_normalized must name some of .* got \['face'\]",
        ),
        ({"utterance_channels": 0}, ValueError, "utterance_channels must be at least 1, but got 0"),
        ({"utterance_channels": True}, TypeError, "utterance_channels must be an integer, but got"),
        ({"alpha": 2}, ValueError, "alpha must be finite and in"),
        ({"cross_weight": -1}, ValueError, "cross_weight must be finite and at least 0"),
    ],
)
def test_bad_arguments(arguments: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        MMDFN(**({"in_channels": SIZES, "num_classes": 3} | arguments))


def test_bad_input() -> None:
    model = MMDFN(SIZES, 3, **SMALL)
    features, speaker, ptr = ready()
    with pytest.raises(ValueError, match="features must be those of .* but got"):
        model({"text": features["text"]}, speaker, ptr)
    with pytest.raises(ValueError, match="features must be those of .* but got"):
        model(features | {"pose": torch.ones(5, 2)}, speaker, ptr)
    with pytest.raises(TypeError, match="features must map names to tensors, but got Tensor"):
        model(features["text"], speaker, ptr)
    with pytest.raises(ValueError, match=r"features\['text'\] must have shape \[5, 6\], but got"):
        model(features | {"text": torch.ones(5, 7)}, speaker, ptr)
    with pytest.raises(ValueError, match="ptr must be given, .* or a BatchLayout"):
        model(features, speaker)
    with pytest.raises(ValueError, match="ptr and present must be left out"):
        model(features, BatchLayout(ptr, speaker), ptr)
    with pytest.raises(ValueError, match="speaker must be given to the layout, but got none"):
        model(features, None, ptr)
    for fill in (False, True):
        mask = torch.full((5, 2), fill)
        with pytest.raises(TypeError, match="present must be given by name, .* but got Tensor"):
            model(features, speaker, ptr, mask)
    with pytest.raises(ValueError, match="present must be given by name, .* 2 columns without"):
        model(features, BatchLayout(ptr, speaker, torch.full((5, 2), False)))
    with pytest.raises(ValueError, match="present must be given by name, .* 2 columns without"):
        model(features, speaker, BatchLayout(ptr, present=torch.full((5, 2), False)))
    with pytest.raises(ValueError, match="present must have 2 modalities, but the layout has 3"):
        model(features, BatchLayout(ptr, speaker, torch.full((5, 3), True)))
    with pytest.raises(ValueError, match=r"present must name some of .* has \['pose'\]"):
        model(features, speaker, ptr, {"pose": torch.full((5,), False)})
    one = Conversation(features, speaker)
    with pytest.raises(ValueError, match="speaker, ptr and present must be left out where a"):
        model(one, speaker)
    with pytest.raises(ValueError, match="features must be those of .* but got"):
        model(Conversation({"text": features["text"]}, speaker))
    with pytest.raises(ValueError, match=r"ptr must strictly increase .* but got \[0, 5, 5\]"):
        model(features, speaker, torch.tensor([0, 5, 5]))


def test_names_that_would_share_a_projection_are_refused() -> None:
    with pytest.raises(ValueError, match="in_channels must not have names that differ only"):
        MMDFN({"a.b": 3, "a#b": 3}, 2)


def test_context_may_be_any_iterable() -> None:
    model = MMDFN(SIZES, 2, context=(name for name in ["text"]))
    assert list(model.encoder.contexts) == ["text"]


def test_a_layout_is_used_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    model = MMDFN(SIZES, 2, **SMALL)
    features, speaker, ptr = ready()
    layout = BatchLayout(ptr, speaker)

    def never(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(BatchLayout, "__init__", never)
    model(features, layout)
    model(features, None, layout)
    with pytest.raises(ValueError, match="speaker must be left out where the layout has its own"):
        model(features, speaker, layout)
    masked = layout.to("cpu")
    masked.num_modalities = 2
    with pytest.raises(ValueError, match="present must be left out where the layout has its"):
        model(features, None, masked, {})


def test_dropout_is_everywhere_the_paper_has_it() -> None:
    model = MMDFN(SIZES, 2, context=("text",), dropout=0.5)
    assert model.encoder.contexts["text"].rnn.dropout == 0.5
    assert model.encoder.speaker_encoder.rnn.dropout == 0.5
    assert model.fusion.dropout.p == 0.5
    seen = []
    model.head.dropout.register_forward_hook(lambda *args: seen.append(args[2]))
    model(*ready())
    assert 0.3 < (seen[0] == 0).float().mean() < 0.9
    assert not torch.equal(model(*ready()), model(*ready()))


def test_a_weight_of_zero_skips_the_encoder() -> None:
    model = MMDFN(SIZES, 2, speaker_weights={"audio": 0.0}, **SMALL)
    rows = []
    model.encoder.speaker_encoder.rnn.register_forward_pre_hook(
        lambda _, args: rows.append(len(args[0].data))
    )
    model(*ready())
    assert rows == [5]  # one modality of two


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("masked", [False, True])
def test_autocast(dtype: torch.dtype, masked: bool) -> None:
    model = MMDFN(SIZES, 3, context=("text",), **SMALL)
    features, speaker, ptr = ready()
    present = {"text": torch.tensor([True, False, True, True, False])} if masked else None
    expected = model(features, speaker, ptr, present)
    with torch.autocast("cpu", dtype=dtype):
        out = model(features, speaker, ptr, present)
    torch.testing.assert_close(out.float(), expected, rtol=0.1, atol=0.1)
    out.sum().backward()
    assert all(each.grad.isfinite().all() for each in model.parameters())


def test_gradcheck_with_a_mask() -> None:
    model = MMDFN({"text": 3, "audio": 2}, 2, context=("text",), **SMALL).double()
    present = {
        "text": torch.tensor([True, True, False]),
        "audio": torch.tensor([False, True, True]),
    }
    layout = BatchLayout(torch.tensor([0, 2, 3]), torch.tensor([0, 1, 0]), present)
    text = torch.randn(3, 3, dtype=torch.float64, requires_grad=True)
    audio = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda text, audio: model({"text": text, "audio": audio}, layout), (text, audio)
    )


def test_class_names() -> None:
    assert MMDFN(SIZES, 3).class_names == ("0", "1", "2")
    assert MMDFN(SIZES, 2, class_names=iter(["sad", "happy"])).class_names == ("sad", "happy")
    assert MMDFN.from_preset("meld", SIZES, 2, class_names=["a", "b"]).class_names == ("a", "b")


def test_predicting_leaves_the_model_as_it_is() -> None:
    model = MMDFN(SIZES, 2, dropout=0.5, **{key: SMALL[key] for key in ("channels", "num_layers")})
    model.encoder.speaker_encoder.eval()
    features, speaker, _ = ready()
    one = Conversation({name: x.double() for name, x in features.items()}, speaker)
    before = [module.training for module in model.modules()]
    assert model.predict(one) == model.predict(one)
    assert [module.training for module in model.modules()] == before
    assert len(set(before)) == 2

    def fail(*_: object) -> None:
        raise RuntimeError

    model.head.register_forward_hook(fail)
    with pytest.raises(RuntimeError):
        model.predict(one)
    assert [module.training for module in model.modules()] == before


def test_reset_parameters_resets_the_statistics() -> None:
    model = MMDFN(SIZES, 2, **SMALL)
    features, speaker, _ = ready()
    model.standardize.fit([Conversation(features, speaker)])
    model.reset_parameters()
    assert torch.equal(model.standardize(features)["text"], features["text"])


def test_predict_takes_one_conversation_only() -> None:
    model = MMDFN(SIZES, 2, **SMALL)
    features, speaker, _ = ready()
    one = Conversation(features, speaker)
    with pytest.raises(TypeError, match="conversation must be one Conversation, but got .*Batch"):
        model.predict(Batch.from_data_list([one, one]))
    with pytest.raises(TypeError, match="conversation must be one Conversation, but got dict"):
        model.predict(features)
    with pytest.raises(ValueError, match=r"features must be those of .* but got \['text'\]"):
        model.predict(Conversation({"text": features["text"]}, speaker))
    with pytest.raises(ValueError, match=r"features\['text'\] must have shape \[5, 6\], but got"):
        model.predict(Conversation(features | {"text": torch.ones(5, 7)}, speaker))


def test_repr() -> None:
    model = MMDFN({"audio": 3}, num_classes=4, num_layers=2)
    assert repr(model) == "MMDFN({'audio': 3}, num_classes=4, num_layers=2)"


def test_an_utterance_classifier_may_join_a_published_model() -> None:
    model = MMDFN({"text": 4}, 2, **SMALL).eval()
    joined = MMDFN.from_published(published(model), ("text",), utterance_channels=3).eval()
    x, speaker, ptr = torch.randn(3, 4), torch.tensor([0, 1, 0]), torch.tensor([0, 3])
    theirs = MMDFN.from_published(published(model), ("text",)).eval()({"text": x}, speaker, ptr)
    torch.testing.assert_close(
        joined({"text": x}, speaker, ptr), joined.head.utterance_classifier({"text": x}, theirs)
    )


def test_from_published_without_the_gate() -> None:
    gated = MMDFN({"text": 4}, 2, **SMALL).eval()
    static = MMDFN({"text": 4}, 2, gated=False, **SMALL).eval()
    static.load_state_dict(
        {key: value for key, value in gated.state_dict().items() if "fusion.cell" not in key}
    )
    ours = MMDFN.from_published(published(gated), ("text",), gated=False).eval()
    inputs = {"text": torch.randn(5, 4)}, torch.zeros(5, dtype=torch.int64), torch.tensor([0, 5])
    assert torch.equal(ours(*inputs), static(*inputs))
    assert not torch.equal(ours(*inputs), gated(*inputs))


def test_new_weights_without_an_encoder_of_speakers() -> None:
    model = MMDFN({"text": 4}, 2, speaker_weights={"text": 0}, **SMALL)
    before = [each.clone() for each in model.parameters()]
    model.reset_parameters()
    for one, other in zip(model.parameters(), before, strict=True):
        assert not torch.equal(one, other)
