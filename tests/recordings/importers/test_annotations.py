"""TextGrid and ELAN, in the shapes that their programs write."""

import pytest

from graphfusion.recordings import read_elan, read_textgrid

pd = pytest.importorskip("pandas", reason="needs the extra `recordings`")
pytest.importorskip("soundfile", reason="needs the extra `recordings`")

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
    older = SHORT.replace('"ooTextFile"', '"ooTextFile short"').replace("Object class = ", "")
    (tmp_path / "short.TextGrid").write_text(older)
    table = read_textgrid(tmp_path / "short.TextGrid", conversation="monday")
    assert table[["conversation", "text"]].values.tolist() == [["monday", "Hello"]]


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
  <TIER LINGUISTIC_TYPE_REF="time" PARENT_REF="Bob" TIER_ID="words">
    <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a5" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts3">
      <ANNOTATION_VALUE>Is</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
    <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a6" TIME_SLOT_REF1="ts3" TIME_SLOT_REF2="ts4">
      <ANNOTATION_VALUE>it</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
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


def test_times_of_another_recording_are_refused(tmp_path):
    """ELAN can place the beginning of the annotations within a recording."""
    header = (
        '<HEADER><MEDIA_DESCRIPTOR MEDIA_URL="file:///c/talk.mp4"/>'
        '<MEDIA_DESCRIPTOR MEDIA_URL="file:///c/talk.wav" TIME_ORIGIN="5000"/></HEADER>'
    )
    path = tmp_path / "x.eaf"
    path.write_text(EAF.replace("  <TIME_ORDER>", f"  {header}<TIME_ORDER>"))
    for recording in (None, "talk.wav", "other.wav"):
        with pytest.raises(
            ValueError, match="TIME_ORIGIN must be 0, so that .* but is 5000: remove"
        ):
            read_elan(path, recording)
    assert len(read_elan(path, "here/talk.mp4", conversation="monday")) == 2
