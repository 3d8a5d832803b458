"""In every format a label of NaN is missing, and an infinite one is refused by its place."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphfusion import Conversation
from graphfusion.datasets import Corpus, FormatError, load, save
from tests.datasets.made_corpora import put_together, take_apart
from tests.datasets.samples import (
    load_bytes,
    make_sample,
    npz_arrays,
    npz_bytes,
    pickle_fields,
    read_all,
)

SAMPLE = make_sample(lengths=((3, 2), (4,)))
IDS = [each.id for each in SAMPLE.conversations for _ in each.labels]
PLACES = [u for each in SAMPLE.conversations for u in range(len(each.labels))]


def archive(scores, classes=False, **further):
    arrays = npz_arrays(SAMPLE) | {"label": scores} | further
    if not classes:
        del arrays["classes"]
    return lambda path: path.write_bytes(npz_bytes(arrays))


def named(scores):
    """Labels that number classes, as floats: a gap in a table makes them of integers."""
    return archive(np.where(np.isfinite(scores), 1.0, scores), classes=True)


def beside(scores):
    return archive(npz_arrays(SAMPLE)["label"], classes=True, score=scores)


def tuples(scores):
    fields, rest = pickle_fields(SAMPLE), iter(scores.tolist())
    fields[2] = {each.id: [next(rest) for _ in each.labels] for each in SAMPLE.conversations}
    return lambda path: path.write_bytes(pickle.dumps(tuple(fields)))


def mmsa(scores):
    parts = {}
    for split, wanted in (("train", "train"), ("valid", "test")):
        rows = [row for row, name in enumerate(IDS) if name.startswith(wanted)]
        parts[split] = {
            "id": [f"{IDS[row]}$_${PLACES[row]}" for row in rows],
            "text": np.ones((len(rows), 2), "f4"),
            "regression_labels": scores[rows],
        }
    return lambda path: path.write_bytes(pickle.dumps(parts))


def own(scores, field="y"):
    def write(path):
        archive(np.full(len(scores), 0.5), score=np.full(len(scores), 0.5))(path)
        save(load(path), path)
        header, tensors = take_apart(path)
        tensors[field] = torch.from_numpy(scores).float()
        put_together(path, header, tensors)

    return write


def own_score(scores):
    return own(scores, "score")


def parquet(scores, column="label"):
    frame = pd.DataFrame({"conversation": IDS, "turn": PLACES, "speaker": "Ann", "label": "x"})
    frame["split"] = [name.rstrip("012") for name in IDS]
    frame["text"] = [[1.0, 2.0]] * len(IDS)
    return lambda path: frame.assign(**{column: scores}).to_parquet(path)


def table_score(scores):
    return parquet(scores, "power")


FORMS = [archive, named, beside, tuples, mmsa, own, own_score, parquet, table_score]


@given(st.sampled_from(FORMS), st.sampled_from([np.inf, -np.inf, np.nan]), st.integers(0, 8))
def test_a_label_that_is_not_finite(form, value, row):
    scores = np.full(9, 0.5)
    scores[row] = value
    options = {"score": "power"} if form is table_score else {}

    def read(path):
        form(scores)(path)
        return read_all(load(path, **options))

    if np.isnan(value):
        corpus = load_bytes(read, b"")
        field = "score" if form in (beside, own_score, table_score) else "y"
        whole = {each.id: each[field] for split in corpus.splits.values() for each in split}
        y = torch.cat([whole[name] for name in dict.fromkeys(IDS)])
        missing = y.isnan() if y.is_floating_point() else y == -100
        assert missing.nonzero().flatten().tolist() == [row]
        return
    with pytest.raises(FormatError) as caught:
        load_bytes(read, b"")
    message = str(caught.value)
    if form in (parquet, table_score):
        assert f"row {row}, column " in message
    else:
        assert repr(IDS[row]) in message
        assert f"utterance {PLACES[row]} has" in message


@pytest.mark.parametrize("value", [torch.inf, -torch.inf])
def test_a_corpus_has_none(value):
    y = torch.tensor([0.5, value])
    one = Conversation({"text": torch.ones(2, 3)}, torch.zeros(2).long(), y, id="one")
    with pytest.raises(
        ValueError, match="'one': y must be finite, .* but utterance 1 has infinity"
    ):
        Corpus((), {"train": [one]})
