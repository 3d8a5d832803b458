"""Properties of numbers with their nouns."""

import pytest

from graphfusion._utils.counted import counted


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (11, "11 rows")]
)
def test_only_one_has_the_singular(number: int, text: str) -> None:
    assert counted(number, "row") == text


@pytest.mark.parametrize(("number", "text"), [(1, "1 class is"), (3, "3 classes are")])
def test_the_plural_may_be_given(number: int, text: str) -> None:
    assert counted(number, "class is", "classes are") == text
