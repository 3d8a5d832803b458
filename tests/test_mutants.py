import io

import pytest

from tests import mutants

RESULTS = """
    graphfusion._kernels.lstm.xǁNodeLSTMǁstep__mutmut_1: killed
    graphfusion._kernels.lstm.x_f__mutmut_2: timeout
    graphfusion.graph.blocks.x_cover__mutmut_1: survived
    graphfusion.graph.blocks.x_cover__mutmut_2: no tests
"""


def test_counts_by_file() -> None:
    counts = mutants.count(RESULTS.splitlines())
    assert counts == {
        "_kernels/lstm.py": {"killed": 1, "timeout": 1},
        "graph/blocks.py": {"survived": 1, "no tests": 1},
    }
    assert mutants.share(counts["_kernels/lstm.py"]) == 1
    assert mutants.share(counts["graph/blocks.py"]) == 0


@pytest.mark.parametrize(
    ("results", "message"),
    [
        (RESULTS, "At least 90% of the mutants must be killed, but got 50.0%"),
        ("", "There must be mutants, but got none"),
    ],
)
def test_fails_where_too_many_live(
    results: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(results))
    with pytest.raises(SystemExit, match=message):
        mutants.main()


def test_passes_where_enough_die(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    results = (
        "graphfusion._kernels.lstm.x: killed\n" * 9 + "graphfusion._kernels.lstm.y: survived\n"
    )
    monkeypatch.setattr("sys.stdin", io.StringIO(results))
    mutants.main()
    first = capsys.readouterr().out.splitlines()[0]
    assert " ".join(first.split()) == "_kernels/lstm.py 90.0% of 10: killed 9, survived 1"


def test_an_untried_mutant_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"must have been tried, but got 'graphfusion\._kernels\.lstm\.x: not"
    ):
        mutants.count(["graphfusion._kernels.lstm.x: not checked"])
