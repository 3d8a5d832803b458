import contextlib
import errno
import inspect
import itertools
import json
import os
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphfusion import (
    MMDFN,
    Classifier,
    Conversation,
    ConversationGraph,
    ConversationModel,
    DynamicFusion,
    UtteranceEncoder,
)
from graphfusion.models.identity import NoFusion
from graphfusion.models.saved_checksum import with_checksum
from graphfusion.testing.strategies import seeds, windows

SMALL = {"channels": 4, "hidden_channels": 3, "num_layers": 2}
SIZES = {"text": 6, "audio": 7}


@st.composite
def arguments(draw: st.DrawFn) -> dict[str, Any]:
    """Any arguments of a small model; names are any text."""
    names = draw(st.lists(st.text(min_size=1), min_size=1, max_size=3, unique=True))
    num_classes = draw(st.integers(2, 4))
    unit = st.floats(0, 1)
    causal = draw(st.booleans())
    classes = st.lists(st.text(), min_size=num_classes, max_size=num_classes, unique=True)
    return {
        "in_channels": {name: draw(st.integers(1, 4)) for name in names},
        "num_classes": num_classes,
        "task": draw(st.sampled_from(["classification", "regression", "multilabel"])),
        "speaker_weights": draw(st.dictionaries(st.sampled_from(names), st.floats(-3, 3))),
        "context": draw(st.lists(st.sampled_from(names), unique=True)),
        "channels": draw(st.sampled_from([2, 4])),
        "utterance_channels": draw(st.none() | st.integers(1, 3)),
        "hidden_channels": draw(st.integers(1, 3)),
        "num_layers": draw(st.integers(1, 3)),
        "alpha": draw(unit),
        "theta": draw(unit),
        "dropout": draw(unit),
        "past": draw(windows),
        "future": draw(st.sampled_from([None, 0]) if causal else windows),
        "cross_weight": draw(unit),
        "gated": draw(st.booleans()),
        "concat": draw(st.booleans()),
        "checkpoint": draw(st.booleans()),
        "causal": causal,
        "class_names": draw(st.none() | classes),
    }


def conversation(sizes: dict[str, int], dtype: torch.dtype = torch.float32) -> Conversation:
    features = {name: 3 + 7 * torch.randn(5, size, dtype=dtype) for name, size in sizes.items()}
    present = {name: torch.rand(5) < 0.7 for name in sizes}
    return Conversation(features, torch.tensor([0, 1, 0, 0, 1]), present=present)


def same(one: MMDFN, other: MMDFN) -> bool:
    states = one.state_dict(), other.state_dict()
    return (
        # As text: the order of the modalities counts.
        json.dumps(one.config) == json.dumps(other.config)
        and all(a.dtype == b.dtype for a, b in zip(*(s.values() for s in states), strict=True))
        and all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    )


@given(arguments(), seeds, st.sampled_from([torch.float32, torch.float64, torch.bfloat16]))
def test_a_model_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory,
    arguments: dict[str, Any],
    seed: int,
    dtype: torch.dtype,
) -> None:
    torch.manual_seed(seed)
    model = MMDFN(**arguments).to(dtype)
    one = conversation(model.in_channels, dtype)
    model.standardize.fit([one])
    assert set(model.config) == set(inspect.signature(MMDFN).parameters)
    assert same(model, MMDFN(**model.config).to(dtype)) is False  # other weights
    folder = tmp_path_factory.mktemp("models") / "new" / "folder"
    model.save_pretrained(folder)
    state = torch.get_rng_state()
    again = MMDFN.from_pretrained(folder)
    assert torch.equal(torch.get_rng_state(), state)
    assert same(again, model)
    assert again.class_names == model.class_names
    assert not any(module.training for module in again.modules())
    assert all(parameter.requires_grad for parameter in again.parameters())
    assert again.predict(one) == model.predict(one)
    shown = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert shown == {"format": "graphfusion.model", "version": 1, **model.config}
    again.save_pretrained(folder)  # over the file that it was read from
    assert same(MMDFN.from_pretrained(folder), model)
    assert {path.name for path in folder.iterdir()} == {"config.json", "model.safetensors"}


def test_predicts_in_three_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = MMDFN(SIZES, 2, class_names=("happy", "sad"), **SMALL)
    made.save_pretrained("folder")
    new = conversation(SIZES)

    model = MMDFN.from_pretrained("folder")
    probabilities = model.predict(new)
    assert [set(each) for each in probabilities] == [{"happy", "sad"}] * 5
    assert probabilities == made.predict(new)


def test_a_loaded_model_trains_on(tmp_path: Path) -> None:
    MMDFN(SIZES, 2, context=("text",), **SMALL).save_pretrained(tmp_path)
    model = MMDFN.from_pretrained(tmp_path).train()
    weights = [each.clone() for each in model.parameters()]
    one = conversation(SIZES)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    out = model(one.features, one.speaker, torch.tensor([0, 5]))
    (out * torch.randn_like(out)).sum().backward()
    optimizer.step()
    for before, after in zip(weights, model.parameters(), strict=True):
        assert not torch.equal(before, after)
    assert same(MMDFN.from_pretrained(tmp_path), MMDFN.from_pretrained(tmp_path))


def test_how_features_were_extracted_is_saved_with_the_model(tmp_path: Path) -> None:
    model = MMDFN(SIZES, 2, **SMALL)
    assert model.extractors == {}
    model.extractors = {"text": {"extractor": "A", "options": [1, None]}}
    model.save_pretrained(tmp_path / "first")
    loaded = MMDFN.from_pretrained(tmp_path / "first")
    loaded.save_pretrained(tmp_path / "again")
    (tmp_path / "again/config.json").unlink()  # the weights have it, too
    assert MMDFN.from_pretrained(tmp_path / "again").extractors == model.extractors
    parts = {name: getattr(model, name) for name in ("encoder", "graph", "fusion", "head")}
    own = ConversationModel(**parts)
    own.extractors = model.extractors
    own.save_pretrained(tmp_path / "own")
    found = ConversationModel.from_pretrained(tmp_path / "own", **parts)
    assert found.extractors == model.extractors
    with pytest.raises(ValueError, match=r"extractors must name some of .* but got \['video'\]"):
        model.extractors = {"video": {}}
    assert "video" not in model.extractors


def test_weights_that_share_memory_are_saved(tmp_path: Path) -> None:
    """As those of a recurrent encoder do on a GPU."""
    model = MMDFN(SIZES, 2, context=("text",), **SMALL)
    weights = list(model.encoder.contexts["text"].parameters())
    flat = torch.cat([each.detach().flatten() for each in weights])
    for each, part in zip(weights, flat.split([each.numel() for each in weights]), strict=True):
        each.data = part.view(each.shape)
    hidden = model.fusion.lin
    hidden.weight.data = hidden.weight.detach().T.contiguous().T
    model.save_pretrained(tmp_path)
    assert same(MMDFN.from_pretrained(tmp_path), model)


def test_numbers_of_other_kinds_are_saved(tmp_path: Path) -> None:
    model = MMDFN(
        {"text": np.int64(6)},
        num_classes=np.int64(2),
        hidden_channels=np.int64(3),
        num_layers=np.int32(2),
        past=np.int64(2),
        future=np.int64(1),
        alpha=np.float32(0.1),
        theta=np.float64(0.5),
        dropout=np.float32(0.1),
        cross_weight=np.float32(0.3),
        gated=np.bool_(True),
        causal=np.bool_(False),
    )
    model.save_pretrained(tmp_path)
    again = MMDFN.from_pretrained(tmp_path)
    assert same(again, model)
    one = conversation({"text": 6})
    assert again.predict(one) == model.predict(one)


class _KilledError(BaseException):
    """Nothing runs any more."""


@pytest.mark.parametrize("killed", [True, False])
def test_a_save_that_is_cut_off_leaves_the_old_model_or_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed: bool
) -> None:
    """Cut off at every step, by the end of the process or a full disk."""
    old = MMDFN(SIZES, 2, **SMALL)
    new = MMDFN(SIZES, 2, class_names=("happy", "sad"), alpha=0.1, **SMALL)
    found = []
    for last in range(99):
        folder = tmp_path / str(last)
        old.save_pretrained(folder)
        steps = 0

        def cut_off(does: Any, last: int = last) -> Any:
            def step(*args: Any, **kwargs: Any) -> Any:
                nonlocal steps
                steps += 1
                if killed and steps > last:
                    raise _KilledError
                if steps == last + 1:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                return does(*args, **kwargs)

            return step

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", cut_off(os.fsync))
            for name in ("open", "replace", "unlink"):
                patch.setattr(Path, name, cut_off(getattr(Path, name)))
            try:
                new.save_pretrained(folder)
            except (_KilledError, OSError):
                done = False
            else:
                done = True
        again = MMDFN.from_pretrained(folder)
        assert same(again, old) or same(again, new)
        found.append((same(again, new), (folder / "config.json").exists()))
        if not killed:  # what had been begun is tidied up
            assert not list(folder.glob(".*"))
        if done and steps <= last:
            break
    # The old, the old without its config.json, the new without, the new.
    assert list(dict.fromkeys(found)) == [
        (False, True),
        (False, False),
        (True, False),
        (True, True),
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a model in it."""
    MMDFN(SIZES, 2, **SMALL).save_pretrained(tmp_path)
    return tmp_path


def refused(folder: Path, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        MMDFN.from_pretrained(folder)
    assert str(folder) in str(caught.value)


@given(st.data())
def test_a_truncated_or_altered_file_is_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("models")
    model = MMDFN({"text": 2}, 2, channels=2, hidden_channels=1, num_layers=1)
    model.save_pretrained(folder)
    path = folder / "model.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    refused(folder, r"model\.safetensors: the file must be whole, but is damaged: ")
    altered = bytearray(content)
    altered[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(altered)
    with contextlib.suppress(ValueError):  # only what means the same is read
        assert same(MMDFN.from_pretrained(folder), model)


def test_nothing_is_unpickled(folder: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (folder / "sprung").touch, ()

    for content in (pickle.dumps(Trap()), b""):
        (folder / "model.safetensors").write_bytes(content)
        refused(folder, "model.safetensors: the file must be whole, but is damaged: ")
    torch.save({"fusion.weight": Trap()}, folder / "model.safetensors")
    refused(folder, "model.safetensors: the file must be whole, but is damaged: ")
    assert not (folder / "sprung").exists()


def test_a_missing_folder_or_file(folder: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"folder must have a model.safetensors, but .*no"):
        MMDFN.from_pretrained(folder / "nowhere")
    model = MMDFN.from_pretrained(folder)
    (folder / "config.json").unlink()
    assert same(MMDFN.from_pretrained(folder), model)  # the weights have it, too
    run = folder / "run"
    model.save_pretrained(run / "seed_0/model")
    for outer in (run, run / "seed_0"):
        with pytest.raises(FileNotFoundError, match=r"has none; did you mean .*seed_0.model\?"):
            MMDFN.from_pretrained(outer)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the config must be JSON, but: Expecting value"),
        (b"{", "the config must be JSON, but: Expecting property name"),
        (b"\xff\xff", "the config must be JSON, but: .*decode"),
        (b"[" * 100_000, "RecursionError"),
        (b"[]", 'the config must have "format": "graphfusion.model", but has not'),
        (b'{"model_type": "bert"}', 'the config must have "format": "graphfusion.model"'),
        (
            b'{"format": "graphfusion.model", "version": 2}',
            "the config's version must be 1, but got 2",
        ),
        (b'{"format": "graphfusion.model"}', "the config's version must be 1, but got None"),
    ],
)
def test_a_foreign_config(folder: Path, content: bytes, message: str) -> None:
    (folder / "config.json").write_bytes(content)
    refused(folder, rf"config\.json: {message}")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFO")
@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_only_regular_files_are_read(folder: Path, name: str) -> None:
    """A device may never end, and a FIFO waits for a writer."""
    (folder / name).unlink()
    (folder / name).symlink_to("/dev/zero")
    with pytest.raises((ValueError, FileNotFoundError), match=name):
        MMDFN.from_pretrained(folder)
    (folder / name).unlink()
    os.mkfifo(folder / name)
    with pytest.raises((ValueError, FileNotFoundError), match=name):
        MMDFN.from_pretrained(folder)


def test_an_altered_config(folder: Path) -> None:
    path = folder / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config))  # only laid out otherwise
    MMDFN.from_pretrained(folder)
    path.write_text(json.dumps(config | {"speakers": 2}))
    refused(folder, r"config.json: it must be as .* but differs in \['speakers'\]")
    path.write_text(json.dumps({name: config[name] for name in config if name != "theta"}))
    refused(folder, r"config.json: it must be as .* but differs in \['theta'\]")
    path.write_text(json.dumps(config | {"theta": 0.1, "class_names": ["no", "yes"]}))
    refused(folder, r"config.json: it must be as .* but differs in \['theta', 'class_names'\]")
    path.write_text(json.dumps(config | {"in_channels": dict(reversed(SIZES.items()))}))
    refused(folder, r"config.json: it must be as .* but differs in \['in_channels'\]")


def test_weights_that_are_not_those_of_the_config(folder: Path) -> None:
    path = folder / "model.safetensors"
    (folder / "config.json").unlink()
    model = MMDFN.from_pretrained(folder)
    config = {"format": "graphfusion.model", "version": 1, **model.config}

    def write(changes: dict[str, Any], **weights: torch.Tensor | None) -> None:
        state = model.state_dict() | weights
        state = {name: value for name, value in state.items() if value is not None}
        safetensors.torch.save_file(state, path, with_checksum({**config, **changes}, state))

    write({})
    assert same(MMDFN.from_pretrained(folder), model)
    safetensors.torch.save_file(model.state_dict(), path)
    refused(folder, "it must be of save_pretrained, with a config in its metadata")
    write({}, **{"fusion.lin.bias": None})
    refused(
        folder,
        r"it must have exactly the weights .* but lacks \['fusion.lin.bias'\] and also has \[\]",
    )
    write({}, extra=torch.ones(1))
    refused(folder, r"it must have exactly the weights .* but lacks \[\] and also has \['extra'\]")
    safetensors.torch.save_file(model.state_dict(), path, {"config": json.dumps(config)})
    refused(folder, "its checksum is another one: the file has changed since it was saved")
    old = json.dumps(config | {"format": "graphfusion.mmdfn"})
    safetensors.torch.save_file(model.state_dict(), path, {"config": old})
    refused(folder, "it was saved by a development version before 0.1.0, whose weights had other")
    write({"speakers": 2})
    refused(folder, "its config must have the arguments of MMDFN, .* 'speakers'")
    write({}, **{"head.linear.bias": torch.ones(3)})
    refused(folder, r"head.linear.bias must have shape \[2\], but got \[3\]")
    write({}, **{"head.linear.bias": torch.ones(2, dtype=torch.int64)})
    refused(folder, "head.linear.bias must be of a floating dtype, but got torch.int64")
    write({"num_layers": 0})
    refused(folder, "num_layers must be at least 1, but got 0")
    write({"context": ["pose"]})
    refused(folder, r"context must name some of .* but got \['pose'\]")
    write({"channels": "4"})
    refused(folder, "TypeError: channels must be an integer, but got '4'")
    write({"num_layers": 10**10})  # nothing of that size is allocated
    refused(folder, r"fusion.weight must have shape \[10000000000, 6, 3\], but got \[2, 6, 3\]")
    write({"num_layers": 10**30})
    refused(folder, "Overflow")
    write({"in_channels": []})
    refused(folder, "in_channels must map names to sizes, but got list")
    write({"in_channels": dict.fromkeys(map(str, range(10**5)), 1)})  # nor are as many modules made
    refused(folder, "in_channels must have a weight for each modality, but has 100000 of them for")
    write({"num_classes": 10**12, "class_names": None})  # nor as many names
    refused(folder, "class_names must be a list of names, but got None")
    write({"extractors": {"video": {}}})
    refused(folder, r"extractors must name some of \['text', 'audio'\], but got \['video'\]")
    for wrong in (None, ["text"], {"text": 3}):
        write({"extractors": wrong})
        refused(folder, "extractors must map modalities to objects, but got")


def test_without_safetensors(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = MMDFN(SIZES, 2, **SMALL)
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    for use in (model.save_pretrained, MMDFN.from_pretrained):
        with pytest.raises(ImportError, match="safetensors must .* extra 'data' brings it"):
            use(folder)


def test_arguments_that_were_added_since_take_their_defaults(folder: Path) -> None:
    (folder / "config.json").unlink()
    model = MMDFN.from_pretrained(folder)
    config = {"format": "graphfusion.model", "version": 1, **model.config}
    del config["cross_weight"]
    state = model.state_dict()
    metadata = with_checksum(config, state)
    safetensors.torch.save_file(state, folder / "model.safetensors", metadata)
    assert same(MMDFN.from_pretrained(folder), model)


class Louder(MMDFN):
    """A subclass with an argument of its own."""

    def __init__(self, *args: Any, gain: float = 1.0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.gain = gain

    @property
    def config(self) -> dict[str, Any]:
        return super().config | {"gain": self.gain}


class Forgetful(Louder):
    """One whose argument would be lost."""

    def __init__(self, *args: Any, pitch: float = 1.0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.pitch = pitch


def test_a_subclass_with_an_argument_of_its_own(tmp_path: Path) -> None:
    model = Louder(SIZES, 2, gain=3.0, **SMALL)
    model.save_pretrained(tmp_path)
    again = Louder.from_pretrained(tmp_path)
    assert again.gain == 3
    assert same(again, model)
    refused(tmp_path, "its config must have the arguments of MMDFN, .* 'gain'")
    with pytest.raises(TypeError, match=r"config must have every argument .* lacks \['pitch'\]"):
        Forgetful(SIZES, 2, **SMALL).save_pretrained(tmp_path)
    assert same(Louder.from_pretrained(tmp_path), model)  # as it was


def parts() -> dict[str, torch.nn.Module]:
    return {
        "encoder": UtteranceEncoder(SIZES, 4),
        "graph": ConversationGraph(past=1),
        "fusion": DynamicFusion(4, 3, 2),
        "head": Classifier(list(SIZES), 7, 2),
    }


def test_a_model_of_parts_is_loaded_with_parts(tmp_path: Path) -> None:
    one = conversation(SIZES)
    model = ConversationModel(**parts(), class_names=["sad", "happy"])
    model.standardize.fit([one])
    model.save_pretrained(tmp_path)
    again = ConversationModel.from_pretrained(tmp_path, **parts())
    assert again.predict(one) == model.predict(one)
    assert again.class_names == ("sad", "happy")
    with pytest.raises(ValueError, match="its parts must be given, but: missing a required arg"):
        ConversationModel.from_pretrained(tmp_path)
    with pytest.raises(
        ValueError, match=r"parts must not have \['task'\], which its config has already"
    ):
        ConversationModel.from_pretrained(tmp_path, **parts(), task="regression")
    with pytest.raises(ValueError, match=r"fusion.weight must have shape \[3, 6, 3\], but got"):
        ConversationModel.from_pretrained(
            tmp_path, **(parts() | {"fusion": DynamicFusion(4, 3, 3)})
        )


def test_tied_weights_are_tied_when_loaded(tmp_path: Path) -> None:
    def tied() -> dict[str, torch.nn.Module]:
        encoder = UtteranceEncoder({"text": 4, "audio": 4}, 4)
        encoder.projections["audio"].weight = encoder.projections["text"].weight
        return parts() | {"encoder": encoder, "head": Classifier(["text", "audio"], 7, 2)}

    model = ConversationModel(**tied())
    model.save_pretrained(tmp_path)
    again = ConversationModel.from_pretrained(tmp_path, **tied())
    assert [name for name, _ in again.named_parameters()] == [
        name for name, _ in model.named_parameters()
    ]
    assert same(again, model)


def test_modalities_in_another_order_are_the_same_model(tmp_path: Path) -> None:
    one = conversation(SIZES)
    model = MMDFN(SIZES, 2, utterance_channels=3, context=["text"], **SMALL).eval()
    model.standardize.fit([one])
    model.save_pretrained(tmp_path)
    other = MMDFN(
        **(model.config | {"in_channels": dict(reversed(SIZES.items()))}),
    ).eval()
    other.load_state_dict(MMDFN.from_pretrained(tmp_path).state_dict())
    torch.testing.assert_close(other(one), model(one))


def test_the_same_model_is_the_same_file(tmp_path: Path) -> None:
    model = MMDFN(SIZES, 2, **SMALL)
    contents = set()
    for number in range(20):
        model.save_pretrained(tmp_path / str(number))
        contents.add((tmp_path / str(number) / "model.safetensors").read_bytes())
    assert len(contents) == 1


@pytest.mark.parametrize("number", range(2))
@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), KeyboardInterrupt()]
)
def test_a_full_disk_names_the_file_and_nothing_is_half_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch, number: int, error: BaseException
) -> None:
    """Nor after Ctrl-C; `number` is the file that it strikes."""
    old, calls = MMDFN.from_pretrained(folder), itertools.count()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    sync = os.fsync

    def strike(descriptor: int) -> None:
        if next(calls) == number:
            raise error
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", strike)
    with pytest.raises(type(error)) as caught:
        MMDFN(SIZES, 2, alpha=0.1, **SMALL).save_pretrained(folder)
    monkeypatch.undo()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert same(MMDFN.from_pretrained(folder), old)
    if isinstance(error, OSError):
        name = ("model.safetensors", "config.json")[number]
        assert caught.value.errno == errno.ENOSPC
        assert str(folder / name) in str(caught.value)


class WithBuffer(MMDFN):
    """A subclass with a buffer that its folder does not hold."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.register_buffer("scale", torch.ones(1), persistent=False)


def test_what_a_folder_does_not_hold_is_named(tmp_path: Path) -> None:
    WithBuffer(in_channels={"text": 3}, num_classes=2, num_layers=1).save_pretrained(tmp_path)
    with pytest.raises(
        ValueError, match=r"every buffer must be saved, but \['scale'\] are not per"
    ):
        WithBuffer.from_pretrained(tmp_path)


class Built(ConversationModel):
    """A user's model of parts that it makes itself, whose config has more than it takes."""

    def __init__(self) -> None:
        parts = UtteranceEncoder({"text": 3}, channels=4), ConversationGraph(), NoFusion(4)
        super().__init__(*parts, Classifier(["text"], 4, 2))


def test_a_model_that_makes_its_own_parts_is_saved(tmp_path: Path) -> None:
    Built().save_pretrained(tmp_path)
    assert (tmp_path / "model.safetensors").is_file()
