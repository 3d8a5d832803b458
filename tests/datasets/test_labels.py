import torch
from hypothesis import given
from hypothesis import strategies as st

from graphfusion.data.conversation import MISSING
from graphfusion.datasets.labels import LEAVE_OUT, relabel
from tests.datasets.made_corpora import corpora


@given(
    corpora().filter(lambda corpus: corpus.classes),
    st.lists(st.integers(-1, 2), min_size=3, max_size=3),
)
def test_utterances_are_relabelled_or_left_out(corpus, table):
    table = torch.tensor(table)

    def label(conversation):
        """What is missing stays so."""
        y = conversation.y
        return torch.where(y == MISSING, MISSING, table[y.clamp(min=0)])

    splits = relabel(corpus, label)
    assert list(splits) == list(corpus.splits)
    for split, conversations in splits.items():
        kept = {
            old.id: [u for u, number in enumerate(label(old).tolist()) if number != LEAVE_OUT]
            for old in corpus.splits[split]
        }
        assert [each.id for each in conversations] == [name for name, rows in kept.items() if rows]
        for new in conversations:
            (old,) = [each for each in corpus.splits[split] if each.id == new.id]
            rows = kept[new.id]
            assert new.num_nodes == len(rows)
            assert new.y.dtype == torch.int64
            assert new.y.tolist() == label(old)[rows].tolist()
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
                assert torch.equal(new.score.nan_to_num(9), old.score[rows].nan_to_num(9))
            # Who said it is who said it before, numbered by first appearance.
            said = old.speaker[rows].tolist()
            order = list(dict.fromkeys(said))
            assert new.speaker.tolist() == [order.index(who) for who in said]
