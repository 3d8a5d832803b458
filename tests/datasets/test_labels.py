import torch
from hypothesis import given
from hypothesis import strategies as st

from graphfusion.datasets.labels import relabel, translate
from tests.datasets.made_corpora import corpora


def labels_by_id(corpus):
    return [
        pair
        for split in corpus.splits
        for pair in zip(corpus.ids(split), corpus.labels(split), strict=True)
    ]


ONE_CLASS = corpora(least_classes=1).filter(lambda corpus: corpus.task == "classification")


@given(ONE_CLASS, st.lists(st.integers(-1, 2), min_size=3, max_size=3))
def test_utterances_are_relabelled_or_left_out(corpus, table):
    table = torch.tensor(table)
    new_labels = {name: translate(y, table).tolist() for name, y in labels_by_id(corpus)}
    splits = relabel(corpus, lambda talk: translate(talk.y, table))
    assert list(splits) == list(corpus.splits)
    for split, talks in splits.items():
        kept = {
            old.id: [u for u, label in enumerate(new_labels[old.id]) if label != -1]
            for old in corpus.splits[split]
        }
        assert [talk.id for talk in talks] == [name for name, rows in kept.items() if rows]
        for new in talks:
            (old,) = [each for each in corpus.splits[split] if each.id == new.id]
            rows = kept[new.id]
            assert new.num_nodes == len(rows)
            assert new.y.dtype == torch.int64
            assert new.y.tolist() == [new_labels[old.id][u] for u in rows]
            for name, mask in old.present.items():
                assert torch.equal(new.present[name], mask[rows])
            assert list(new.features) == list(old.features)
            for name, value in new.features.items():
                # To the bit: what is absent may be anything.
                assert torch.equal(
                    value.view(torch.uint8), old.features[name][rows].view(torch.uint8)
                )
            assert ("score" in new) == ("score" in old)
            if "score" in new:
                assert torch.equal(new.score.view(torch.int32), old.score[rows].view(torch.int32))
            # Who said it is who said it before, numbered by first appearance.
            said = old.speaker[rows].tolist()
            order = list(dict.fromkeys(said))
            assert new.speaker.tolist() == [order.index(who) for who in said]
