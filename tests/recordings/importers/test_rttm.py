"""RTTM with words: to which turn a word goes, and what is refused."""

import numpy as np
import pytest

from graphfusion.recordings import TableError, read_rttm

pd = pytest.importorskip("pandas", reason="needs the extra `recordings`")
pytest.importorskip("soundfile", reason="needs the extra `recordings`")

RTTM = (
    "SPEAKER call 1 0.50 1.50 <NA> <NA> spk0 <NA> <NA>\n"
    "SPEAKER call 1 2.00 1.00 <NA> <NA> spk1 <NA> <NA>\n"
    "NON-SPEECH call 1 3.00 1.00 <NA> <NA> <NA> <NA> <NA>\n"
    "SPEAKER call 1 4.00 0.50 <NA> <NA> spk0 <NA> <NA>\n"
)


def test_words_go_to_the_turn_that_they_overlap_longest(tmp_path):
    (tmp_path / "call.rttm").write_text(RTTM)
    (tmp_path / "call.ctm").write_text(
        "call 1 0.6 0.4 so 0.9\ncall 1 1.9 0.3 right\ncall 1 3.1 0.2 yes 1\ncall 1 0.1 0.2 oh 1\n"
    )
    table = read_rttm(tmp_path / "call.rttm", tmp_path / "call.ctm", tmp_path / "call.wav")
    assert table.text.tolist() == ["oh so", "right yes", None]
    assert table.speaker.tolist() == ["spk0", "spk1", "spk0"]
    assert table.end.tolist() == [2.0, 3.0, 4.5]
    assert set(table.audio) == {str(tmp_path / "call.wav")}
    (tmp_path / "call.csv").write_text("start,end,word\n0.6,1.0,so\n1.9,2.2,right\n")
    assert read_rttm(tmp_path / "call.rttm", tmp_path / "call.csv").text.tolist()[:2] == [
        "so",
        "right",
    ]
    triples = read_rttm(tmp_path / "call.rttm", [(4.1, 4.2, "bye")])
    assert triples.text.tolist() == [None, None, "bye"]


def test_wrong_lines_of_rttm_are_named(tmp_path):
    (tmp_path / "x.rttm").write_text(RTTM + "SPEAKER call 1 x 0.50 <NA> <NA> spk0\nSPEAKER other\n")
    with pytest.raises(TableError) as got:
        read_rttm(tmp_path / "x.rttm", [])
    assert [problem.split(": ")[0].split(", ")[1] for problem in got.value.problems] == [
        "line 5",
        "line 6",
    ]
    (tmp_path / "x.rttm").write_text(RTTM + "SPEAKER other 1 1 1 <NA> <NA> spk0\n")
    with pytest.raises(TableError, match=r"of one recording, but is of \['call', 'other'\]"):
        read_rttm(tmp_path / "x.rttm", [])
    (tmp_path / "x.rttm").write_text("")
    with pytest.raises(TableError, match="must have a turn"):
        read_rttm(tmp_path / "x.rttm", [])
    (tmp_path / "x.rttm").write_text(RTTM)
    (tmp_path / "x.ctm").write_text("call 1 0.6 0.4 so\ncall 1\n")
    with pytest.raises(TableError, match="a start, an end after it, and a text, but not in row 2"):
        read_rttm(tmp_path / "x.rttm", tmp_path / "x.ctm")


def test_words_in_milliseconds_are_refused(tmp_path):
    (tmp_path / "x.rttm").write_text(RTTM)  # the last turn ends at 4.5 s
    last = read_rttm(tmp_path / "x.rttm", [(14.5, 14.9, "late")])
    assert last.text.tolist() == [None, None, "late"]
    some = [(0.1, 0.3, "oh"), (0.4, 0.6, "so"), (90.0, 90.5, "music")]
    with pytest.warns(UserWarning, match=r"'music' begins at 90 s, one of 1 .* for the last turn"):
        assert read_rttm(tmp_path / "x.rttm", some).text.tolist()[-1] == "music"
    (tmp_path / "x.csv").write_text("start,end,word\n0,9,oh\n600,1000,so\n1900,2200,right\n")
    words = [(0, 9, "oh"), (600, 1000, "so"), (1900, 2200, "right")]
    for given, name in ((tmp_path / "x.csv", str(tmp_path / "x.csv")), (words, "words")):
        with pytest.raises(TableError) as got:
            read_rttm(tmp_path / "x.rttm", given)
        assert got.value.problems == [
            f"{name}: words must begin at most 10 s after the end of the last turn, at 4.5 s, but "
            "'so' begins at 600 s, one of 2 such words; times must be in seconds."
        ]


@pytest.mark.parametrize(
    "word", [("so", 0.6, 1.0), (0.6, "so", 1.0), ("0.6", "1.0", "so"), (0.6, 1.0), "abc", None]
)
def test_words_that_are_no_triples_are_refused(tmp_path, word):
    (tmp_path / "x.rttm").write_text(RTTM)
    with pytest.raises(TypeError, match=r"triples of a start and an end .* but word 2 is") as got:
        read_rttm(tmp_path / "x.rttm", [(0.1, 0.2, "oh"), word])
    assert repr(word) in str(got.value)


@pytest.mark.parametrize("times", [(1.0, 0.5), (float("nan"), 1.0), (1.0, float("nan"))])
def test_words_that_end_before_they_start_are_refused(tmp_path, times):
    (tmp_path / "x.rttm").write_text(RTTM)
    with pytest.raises(
        ValueError, match="words: words must have a start, an end after it, .* not in row 1"
    ):
        read_rttm(tmp_path / "x.rttm", [(*times, "oh")])


def test_words_may_have_numbers_of_numpy(tmp_path):
    (tmp_path / "x.rttm").write_text(RTTM)
    table = read_rttm(tmp_path / "x.rttm", [[np.float32(4.125), np.int64(5), "bye"]])
    assert table.text.tolist() == [None, None, "bye"]


def test_words_of_other_recordings_are_left_out(tmp_path):
    (tmp_path / "x.rttm").write_text(RTTM)
    (tmp_path / "all.ctm").write_text(
        "call 1 0.6 0.4 so\nother 1 0.7 0.1 not\ncall 1 2.1 0.2 yes\n"
    )
    table = read_rttm(tmp_path / "x.rttm", tmp_path / "all.ctm", conversation="monday")
    assert table.text.tolist() == ["so", "yes", None]
    assert set(table.conversation) == {"monday"}
    (tmp_path / "all.ctm").write_text("call_16k 1 0.6 0.4 so\n")
    assert read_rttm(tmp_path / "x.rttm", tmp_path / "all.ctm").text[0] == "so"
    (tmp_path / "all.ctm").write_text("a 1 0.6 0.4 so\nb 1 0.7 0.1 not\n")
    with pytest.raises(TableError, match=r"of recording 'call', .* but is of \['a', 'b'\]"):
        read_rttm(tmp_path / "x.rttm", tmp_path / "all.ctm")
    (tmp_path / "all.ctm").write_text("other 1 0.7 0.1 not\ncall 1 0.6 x so\n")
    with pytest.raises(TableError, match="but not in row 2"):
        read_rttm(tmp_path / "x.rttm", tmp_path / "all.ctm")


def test_words_of_one_start_keep_their_order(tmp_path):
    (tmp_path / "x.rttm").write_text(RTTM)
    words = [(0.6, 0.6, "you"), (0.6, 0.9, "are"), (0.6, 0.7, "late"), (0.5, 0.6, "so")]
    assert read_rttm(tmp_path / "x.rttm", words).text[0] == "so you are late"


def test_speakers_with_spaces_and_empty_words_are_refused(tmp_path):
    (tmp_path / "x.rttm").write_text(RTTM + "SPEAKER call 1 5 1 <NA> <NA> Ann Smith <NA> <NA>\n")
    with pytest.raises(TableError, match="line 5: must be a turn of RTTM, but is"):
        read_rttm(tmp_path / "x.rttm", [])
    (tmp_path / "x.rttm").write_text(RTTM)
    (tmp_path / "x.csv").write_text("start,end,word\n0.6,0.7,so\n0.8,0.9,\n")
    with pytest.raises(TableError, match="and a text, but not in row 2"):
        read_rttm(tmp_path / "x.rttm", tmp_path / "x.csv")
