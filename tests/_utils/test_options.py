"""Options that would replace one another."""

from argparse import ArgumentParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphfusion._utils.options import check_given_once, config_first


@given(st.lists(st.sampled_from(["--a", "--b", "--ab"])), st.booleans())
def test_what_is_accepted_is_not_lost(names: list[str], joined: bool) -> None:
    parser = ArgumentParser(allow_abbrev=False)
    for name in ("--a", "--b", "--ab"):
        parser.add_argument(name)
    values = [str(number) for number in range(len(names))]
    pairs = zip(names, values, strict=True)
    words = [word for pair in pairs for word in (["=".join(pair)] if joined else pair)]
    kept = {value for value in vars(parser.parse_args(words)).values() if value is not None}
    if kept == set(values):
        check_given_once(parser, words)
    else:
        with pytest.raises(SystemExit):
            check_given_once(parser, words)


@pytest.mark.parametrize(
    ("words", "accepted"),
    [
        (["--a=1", "--a.b=2", "--a.c=3"], True),
        (["--a.b=2", "--a=1"], False),
        (["--a=1", "--a+=2", "--a+=3"], True),
        (["--a+=2", "--a=1"], False),
        (["--config=x", "--config=y"], False),
        (["--a=1", "--", "--a=2"], True),
        (["a", "a", "-1", "-1"], True),
    ],
)
def test_parts_and_appending(words: list[str], accepted: bool) -> None:
    if accepted:
        check_given_once(ArgumentParser(), words)
    else:
        with pytest.raises(SystemExit):
            check_given_once(ArgumentParser(), words)


@given(
    st.lists(st.sampled_from(["--a", "1", "--b=2", "file"])),
    st.sampled_from([["--config", "x"], ["--config=x"]]),
    st.integers(0, 9),
)
def test_a_file_comes_before_all_options(rest: list[str], config: list[str], place: int) -> None:
    words = ["train", *rest[:place], *config, *rest[place:]]
    assert config_first(words) == ["train", *config, *rest]
    assert config_first(["train", *rest]) == ["train", *rest]


@pytest.mark.parametrize("words", [[], ["train", "a", "--config"], ["train", "--", "--config=x"]])
def test_what_is_no_file_of_arguments_stays(words: list[str]) -> None:
    assert config_first(words) == words
