"""RTTM with words, TextGrid and ELAN, in the shapes that their programs write."""

import numpy as np
import pytest

from graphfusion.recordings import TableError, read_elan, read_rttm, read_textgrid

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


LONG = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 5.25
tiers? <exists>
size = 3
item []:
    item [1]:
        class = "IntervalTier"
        name = "Ann 2"
        xmin = 0
        xmax = 5.25
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 1.5
            text = "He said ""no"" 3 times"
        intervals [2]:
            xmin = 1.5
            xmax = 2.5
            text = ""
        intervals [3]:
            xmin = 2.5
            xmax = 5.25
            text = "Twice"
    item [2]:
        class = "TextTier"
        name = "clicks"
        xmin = 0
        xmax = 5.25
        points: size = 1
        points [1]:
            number = 1.25
            mark = "click"
    item [3]:
        class = "IntervalTier"
        name = "Bob"
        xmin = 0
        xmax = 5.25
        intervals: size = 1
        intervals [1]:
            xmin = 1.25
            xmax = 2.75
            text = "Oh?"
"""
SHORT = """File type = "ooTextFile"
Object class = "TextGrid"

0
5.25
<exists>
1
"IntervalTier"
"Ann"
0
5.25
2
0
1.5
"Hello"
1.5
5.25
""
"""


def test_textgrid(tmp_path):
    (tmp_path / "talk.TextGrid").write_text(LONG)
    table = read_textgrid(tmp_path / "talk.TextGrid", "talk.wav")
    assert table[["speaker", "text", "start", "end"]].values.tolist() == [
        ["Ann 2", 'He said "no" 3 times', 0, 1.5],
        ["Bob", "Oh?", 1.25, 2.75],
        ["Ann 2", "Twice", 2.5, 5.25],
    ]
    (tmp_path / "short.TextGrid").write_text(SHORT, encoding="utf-16")
    assert read_textgrid(tmp_path / "short.TextGrid").text.tolist() == ["Hello"]


def test_what_is_no_textgrid_is_refused(tmp_path):
    for text in (
        "",
        "Hello 3",
        LONG[: LONG.index("Twice")],
        LONG.replace("size = 3", "size = no"),
        LONG.replace('"TextGrid"', '"PitchTier"'),  # another object of Praat
    ):
        (tmp_path / "x.TextGrid").write_text(text)
        with pytest.raises(ValueError, match="must be a complete TextGrid, but is not"):
            read_textgrid(tmp_path / "x.TextGrid")
    (tmp_path / "x.TextGrid").write_text(SHORT.replace("Hello", ""))
    with pytest.raises(ValueError, match="must have an interval with text"):
        read_textgrid(tmp_path / "x.TextGrid")


EAF = """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT FORMAT="3.0" VERSION="3.0">
  <TIME_ORDER>
    <TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="250"/>
    <TIME_SLOT TIME_SLOT_ID="ts2" TIME_VALUE="1750"/>
    <TIME_SLOT TIME_SLOT_ID="ts3" TIME_VALUE="1500"/>
    <TIME_SLOT TIME_SLOT_ID="ts4"/>
  </TIME_ORDER>
  <TIER LINGUISTIC_TYPE_REF="default-lt" PARTICIPANT="Ann" TIER_ID="A-words">
    <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="ts3" TIME_SLOT_REF2="ts2">
      <ANNOTATION_VALUE>Yes</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
  </TIER>
  <TIER LINGUISTIC_TYPE_REF="default-lt" TIER_ID="Bob">
    <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a2" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts3">
      <ANNOTATION_VALUE>Is it
 you?</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
    <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a4" TIME_SLOT_REF1="ts3" TIME_SLOT_REF2="ts2">
      <ANNOTATION_VALUE> </ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
  </TIER>
  <TIER LINGUISTIC_TYPE_REF="dep" PARENT_REF="Bob" TIER_ID="gloss">
    <ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a3" ANNOTATION_REF="a2">
      <ANNOTATION_VALUE>question</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION>
  </TIER>
</ANNOTATION_DOCUMENT>
"""


def test_elan(tmp_path):
    (tmp_path / "talk.eaf").write_text(EAF, encoding="utf-8")
    table = read_elan(tmp_path / "talk.eaf", "talk.mp4", video=True)
    assert table[["speaker", "text", "start", "end"]].values.tolist() == [
        ["Bob", "Is it you?", 0.25, 1.5],
        ["Ann", "Yes", 1.5, 1.75],
    ]
    assert table.video.notna().all()


def test_what_is_no_elan_is_refused(tmp_path):
    for text, said in (
        ("no xml", "must be XML"),
        (EAF.replace('REF2="ts2"', 'REF2="ts4"'), "annotation a1 must have times"),
        ("<ANNOTATION_DOCUMENT/>", "must have an annotation with text"),
    ):
        (tmp_path / "x.eaf").write_text(text)
        with pytest.raises(ValueError, match=said):
            read_elan(tmp_path / "x.eaf")
