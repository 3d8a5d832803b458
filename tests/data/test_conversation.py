import copy
import pickle
from random import Random

import pytest
import torch
from hypothesis import given
from torch import Tensor
from torch_geometric.data import Batch
from torch_geometric.loader import DataLoader

from graphfusion import Conversation
from graphfusion.testing.strategies import RaggedBatch, batches, seeds


def conversations(batch: RaggedBatch) -> list[Conversation]:
    return [
        Conversation(
            each.features, each.speaker, y=each.speaker + 1, present=each.named_present, id=str(i)
        )
        for i, each in enumerate(batch.conversations())
    ]


@given(batches(max_modalities=4))
def test_pyg_packs_and_unpacks(batch: RaggedBatch) -> None:
    members = conversations(batch)
    packed = Batch.from_data_list(members)
    assert torch.equal(packed.ptr, batch.ptr)
    assert packed.num_nodes == len(batch.x)
    assert list(packed.features) == list(batch.features)
    for name, value in batch.features.items():
        assert torch.equal(packed.features[name], value)
    assert torch.equal(packed.speaker, batch.speaker)
    assert torch.equal(packed.y, batch.speaker + 1)
    for m, name in enumerate(batch.features):
        assert torch.equal(packed.present[name], batch.here[:, m])
    assert packed.id == [member.id for member in members]
    for one, other in zip(packed.to_data_list(), members, strict=True):
        assert isinstance(one, Conversation)
        assert one.id == other.id
        assert torch.equal(one.speaker, other.speaker)
        for name, value in other.features.items():
            assert torch.equal(one.features[name], value)
            assert torch.equal(one.present[name], other.present[name])


def make(names: list[str], size: int = 2, **kwargs: object) -> Conversation:
    speaker = torch.zeros(size, dtype=torch.int64)
    return Conversation({name: torch.ones(size, 3) for name in names}, speaker, **kwargs)


def test_a_mask_of_some_is_kept() -> None:
    mask = {"a": torch.tensor([True, False])}
    for members in (
        [make(["a"]), make(["a"], present=mask)],
        [make(["a"], present=mask), make(["a"])],
    ):
        packed = Batch.from_data_list(members)
        assert packed.present["a"].sum() == 3


LABELS = torch.zeros(2, dtype=torch.int64)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (make(["a"]), make(["a", "b"])),
        (make(["a", "c"]), make(["a", "b"])),
        (make(["a"]), make(["a"], y=torch.zeros(2))),  # scores, and no class numbers
        (make(["a"], y=torch.zeros(2, 3)), make(["a"])),  # several classes, and one
        (make(["a"], y=torch.zeros(2, 3)), make(["a"], y=torch.zeros(2))),
        (make(["a"], y=torch.zeros(2, 3)), make(["a"], y=torch.zeros(2, 4))),
        (make(["a"], y=LABELS), make(["a"], y=torch.zeros(2, 3).long())),
        (
            make(["a"]),
            Conversation({"a": torch.ones(2, 4)}, torch.zeros(2, dtype=torch.int64)),
        ),
    ],
)
@pytest.mark.parametrize("turn", ["as made", "moved", "unpacked", "pickled"])
def test_refuses_a_batch_of_different_kinds(
    one: Conversation, other: Conversation, turn: str
) -> None:
    if turn == "moved":
        one = copy.copy(one).to("cpu")
    if turn == "unpacked":
        one = Batch.from_data_list([one, one])[0]
    if turn == "pickled":
        one = pickle.loads(pickle.dumps(one))
    for members in ([one, other], [other, one]):
        with pytest.raises(ValueError, match="(features|y) of the conversations in one batch must"):
            Batch.from_data_list(members)


def test_data_loader_and_further_attributes() -> None:
    members = [make(["a"], size, id=f"c{size}", mood=torch.ones(1)) for size in (1, 2, 3)]
    for workers in (0, 1):
        loader = DataLoader(members, batch_size=2, num_workers=workers)
        first, last = loader
        assert first.ptr.tolist() == [0, 1, 3]
        assert first.id == ["c1", "c2"]
        assert first.mood.shape == (2,)
        assert last.ptr.tolist() == [0, 3]


def test_copies() -> None:
    one = make(["a"], id="x")
    for other in (copy.deepcopy(one), pickle.loads(pickle.dumps(one)), one.clone()):
        assert torch.equal(other.features["a"], one.features["a"])
        assert other.id == "x"
        assert other.num_nodes == 2


ONES = torch.ones(2, 3)
SPEAKER = torch.zeros(2, dtype=torch.int64)
NAN = torch.full((2, 3), float("nan"))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"features": ONES}, TypeError, "features must be a mapping .* but got Tensor"),
        ({"features": {}}, ValueError, "features must have at least one modality, but got none"),
        (
            {"features": {1: ONES}},
            TypeError,
            "features must be keyed by non-empty names, but got 1",
        ),
        ({"features": {"": ONES}}, TypeError, "features must be keyed by non-empty names"),
        ({"features": {"a": [1.0]}}, TypeError, r"features\['a'\] must be a tensor, but got list"),
        (
            {"features": {"a": ONES.long()}},
            TypeError,
            r"features\['a'\] must be of a floating dtype, but got torch.int64",
        ),
        (
            {"features": {"a": ONES, "b": torch.ones(3, 1)}},
            ValueError,
            r"features\['b'\] must have shape \[2, d\], but got \[3, 1\]",
        ),
        (
            {"features": {"a": torch.ones(0, 3)}},
            ValueError,
            r"features\['a'\] must not be empty, but got \[0, 3\]",
        ),
        ({"features": {"a": NAN}}, ValueError, r"features\['a'\] must be finite where present"),
        ({"speaker": None}, TypeError, "speaker must be a tensor, but got NoneType"),
        ({"speaker": SPEAKER.float()}, TypeError, "speaker must be of dtype torch.int64"),
        ({"speaker": SPEAKER - 1}, ValueError, "speaker must not be negative, but got -1"),
        ({"speaker": SPEAKER[:1]}, ValueError, r"speaker must have shape \[2\], but got \[1\]"),
        ({"y": SPEAKER[:1]}, ValueError, r"y must have shape \[2, ...\], but got \[1\]"),
        ({"y": [0, 1]}, TypeError, "y must be a tensor, int64 or floating, but got list"),
        ({"y": SPEAKER.int()}, TypeError, "int64 or floating, but got torch.int32"),
        ({"y": SPEAKER.bool()}, TypeError, "int64 or floating, but got torch.bool"),
        ({"y": SPEAKER.cfloat()}, TypeError, "int64 or floating, but got torch.complex64"),
        (
            {"present": ONES[:, :1].bool()},
            TypeError,
            "present must be given by name, .* got Tensor",
        ),
        (
            {"present": {"a": ONES.bool()}},
            ValueError,
            r"present\['a'\] must have shape \[2\], but got \[2, 3\]",
        ),
        ({"present": {"a": ONES[:, 0]}}, TypeError, r"present\['a'\] must be of dtype torch.bool"),
        (
            {"present": {"b": ONES[:, 0].bool()}},
            ValueError,
            r"present must name some of \['a'\], but got \['b'\]",
        ),
    ],
)
def test_bad_input(arguments: dict[str, Tensor], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Conversation(**({"features": {"a": ONES}, "speaker": SPEAKER} | arguments))


def test_absent_features_may_be_anything() -> None:
    one = Conversation({"a": NAN}, SPEAKER, present={"a": torch.zeros(2, dtype=torch.bool)})
    assert one.features["a"].isnan().all()
    with pytest.raises(TypeError, match="features must be a mapping"):
        Conversation(speaker=SPEAKER)
    with pytest.raises(TypeError, match="features must be a mapping"):
        Conversation(feature={"a": ONES}, speakers=SPEAKER)


def test_labels_and_presence_are_completed() -> None:
    one = make(["a", "b"], present={"b": torch.tensor([True, False])})
    assert one.y.tolist() == [-100, -100]
    assert {name: mask.tolist() for name, mask in one.present.items()} == {
        "a": [True, True],
        "b": [True, False],
    }


@given(batches(max_modalities=4, masked=True), seeds)
def test_members_may_differ_in_order_and_in_having_labels(batch: RaggedBatch, seed: int) -> None:
    random = Random(seed)
    members = []
    for each in batch.conversations():
        names = list(each.features)
        random.shuffle(names)
        members.append(
            Conversation(
                {name: each.features[name] for name in names},
                each.speaker,
                y=each.speaker + 1 if random.random() < 0.5 else None,
                present=dict(random.sample(list(each.named_present.items()), len(names) // 2)),
            )
        )
    packed = Batch.from_data_list(members)
    for name, value in batch.features.items():
        assert torch.equal(packed.features[name], value)
        assert torch.equal(packed.present[name], torch.cat([one.present[name] for one in members]))
    assert torch.equal(packed.y, torch.cat([one.y for one in members]))
    for one, other in zip(packed.to_data_list(), members, strict=True):
        assert torch.equal(one.y, other.y)


def test_a_stale_conversation_is_refused() -> None:
    """PyG would drop the feature, or miss it in the others."""
    one, other = make(["a"]), make(["a"])
    one.features["face"] = torch.ones(2, 5)
    for members in ([one, other], [other, one], [one, one]):
        with pytest.raises(ValueError, match="features must be those that the conversation was"):
            Batch.from_data_list(members)


@pytest.mark.parametrize("reverse", [False, True])
def test_a_mask_of_some_that_is_set_later_is_refused(reverse: bool) -> None:
    """PyG would drop the mask of the other conversation, or miss this one's."""
    one, other = make(["a", "b"]), make(["a", "b"], present={"b": torch.tensor([False, True])})
    one.present = {"a": torch.tensor([True, False])}
    members = [other, one] if reverse else [one, other]
    with pytest.raises(ValueError, match=r"present must have a mask of each of \['a', 'b'\], but"):
        Batch.from_data_list(members)


def test_utterances_that_are_moved_are_refused() -> None:
    """The batch would have the right number of them, in the wrong conversations."""
    one, other = make(["a", "b"], 3), make(["a", "b"], 2)
    for old, new in ((one, slice(0, 2)), (other, [0, 1, 1])):
        old.features = {name: x[new] for name, x in old.features.items()}
        old.present = {name: x[new] for name, x in old.present.items()}
        old.speaker, old.y = old.speaker[new], old.y[new]
    with pytest.raises(ValueError, match=r"speaker must have 3 utterances, .* but have \[2\]"):
        Batch.from_data_list([one, other])
    shorter = make(["a"], 3)
    shorter.present["a"] = shorter.present["a"][:2]
    with pytest.raises(ValueError, match=r"must have 3 utterances, .* but have \[2, 3\]"):
        Batch.from_data_list([make(["a"]), shorter])


@pytest.mark.parametrize(
    ("y", "got"),
    [
        (torch.zeros(2), r"torch.float32 \[2\]"),
        (torch.zeros(2, dtype=torch.uint8), r"torch.uint8 \[2\]"),
        (torch.zeros(2, 1, dtype=torch.int64), r"torch.int64 \[2, 1\]"),
        (torch.zeros(3, dtype=torch.int64), r"torch.int64 \[3\]"),
        (torch.tensor(0), r"torch.int64 \[\]"),
        (None, "NoneType"),
    ],
)
@pytest.mark.parametrize("turn", ["one", "packed"])
def test_labels_of_another_kind_than_the_conversation_was_made_with_are_refused(
    y: Tensor | None, got: str, turn: str
) -> None:
    """PyG would turn -100 to a score, or have more labels than utterances."""
    one, other = make(["a"]), make(["a"])
    if turn == "packed":
        one = Batch.from_data_list([one, other])[0]
    one.y = y
    for members in ([one, other], [other, one], [one, one]):
        with pytest.raises(ValueError, match=rf"y must be classes \[2\], as .* got {got};"):
            Batch.from_data_list(members)


def test_labels_of_the_same_kind_may_be_set() -> None:
    one = make(["a"])
    one.y = torch.tensor([3, 4])
    assert Batch.from_data_list([one, make(["a"])]).y.tolist() == [3, 4, -100, -100]


@pytest.mark.parametrize("subset", [torch.tensor([0, 2]), torch.tensor([True, False, True])])
def test_subgraph_takes_utterances(subset: Tensor) -> None:
    mask = {"a": torch.tensor([True, True, False])}
    one = make(["a"], 3, present=mask, y=torch.arange(3), id="x")
    one.features["a"] = torch.arange(9.0).view(3, 3)
    part = one.subgraph(subset)
    assert part.num_nodes == len(part.speaker) == 2
    assert part.features["a"].tolist() == [[0, 1, 2], [6, 7, 8]]
    assert part.present["a"].tolist() == [True, False]
    assert part.y.tolist() == [0, 2]
    assert part.id == "x"
    assert one.num_nodes == 3
    with pytest.raises(ValueError, match="subset must have at least one utterance"):
        one.subgraph(torch.zeros(3, dtype=torch.bool))


def test_a_schema_is_no_other_tuple() -> None:
    """Else PyG would join what is no schema with it."""
    (schema,) = make(["a"]).schema
    assert not schema == tuple(schema)  # noqa: SIM201 - `!=` is that of a tuple
