"""A warning names the line that called the library, whatever lies between."""

import warnings

from hypothesis import given
from hypothesis import strategies as st

from graphfusion._utils.warn import warn

# Functions as the library's own, and as those of another package with such a name.
DEEP = "def deep(n):\n    deep(n - 1) if n else warn('odd')"


@given(st.integers(0, 8), st.sampled_from(["graphfusion", "graphfusion.datasets.corpus"]))
def test_the_callers_line_is_named(depth: int, module: str) -> None:
    ours = {"__name__": module, "warn": warn}
    exec(DEEP, ours)  # noqa: S102
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ours["deep"](depth)
    assert [each.filename for each in caught] == [__file__]


def test_another_package_is_a_caller() -> None:
    other = {"__name__": "graphfusionist", "warn": warn}
    exec(compile(DEEP, "other.py", "exec"), other)  # noqa: S102
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        other["deep"](2)
    assert [each.filename for each in caught] == ["other.py"]
