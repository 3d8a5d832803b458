import pytest

from graphfusion.datasets import FormatError, Problem
from graphfusion.datasets.readers._reading import error_context

PROBLEMS = (Problem("one", "y", "wrong"), Problem("two", "y", "wrong"))


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("y must be here"), "file: y must be here"),
        (KeyError("y"), "file: KeyError: 'y'"),
        (FormatError("y must be here", PROBLEMS), "file: y must be here"),
        (FormatError("file: y must be here", PROBLEMS), "file: y must be here"),
        (OSError("no space"), "file: OSError: no space"),
    ],
)
def test_every_error_names_the_file_once(error, message):
    with pytest.raises(FormatError) as caught, error_context("file"):
        raise error
    assert str(caught.value) == message
    assert len(caught.value.problems) == (2 if isinstance(error, FormatError) else 1)


@pytest.mark.parametrize("error", [ImportError("no safetensors"), FileNotFoundError(2, "", "file")])
def test_what_is_no_fault_of_the_content_is_not_changed(error):
    with pytest.raises(type(error)) as caught, error_context("file"):
        raise error
    assert caught.value is error
