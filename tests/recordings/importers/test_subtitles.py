"""What is written as SubRip or WebVTT is read: times, words and who said them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphfusion.recordings import TableError, read_subtitles
from graphfusion.recordings.importers.subtitles import parse_subtitles

pd = pytest.importorskip("pandas", reason="needs the extra `recordings`")
pytest.importorskip("soundfile", reason="needs the extra `recordings`")

NAMES = st.text("abcÄß 12", min_size=1, max_size=8).map(str.strip).filter(bool)
TEXTS = st.text("abc é,.!?'-", max_size=12).map(lambda text: " ".join(text.split()))
CUES = st.lists(st.tuples(NAMES, st.integers(0, 10**7), st.integers(1, 10**5), TEXTS), min_size=1)


def clock(milliseconds, comma):
    seconds, rest = divmod(milliseconds, 1000)
    whole = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{whole}{',' if comma else '.'}{rest:03}"


@given(CUES)
def test_vtt_comes_back(cues):
    blocks = [
        f"{clock(start, False)} --> {clock(start + length, False)} align:start\n<v {who}>{text}</v>"
        for who, start, length, text in cues
    ]
    read = parse_subtitles("\n\n".join(["WEBVTT - a title", "NOTE one\ntwo", *blocks]), "x.vtt")
    expected = [(who, s / 1000, (s + length) / 1000, text) for who, s, length, text in cues]
    assert [(who, text) for who, _, _, text in read] == [(who, text) for who, *_, text in expected]
    assert [each[1:3] for each in read] == [pytest.approx(each[1:3]) for each in expected]


@given(CUES)
def test_srt_comes_back(cues):
    blocks = [
        f"{n}\n{clock(start, True)} --> {clock(start + length, True)}\n{text}"
        for n, (_, start, length, text) in enumerate(cues, 1)
    ]
    read = parse_subtitles(
        "\r\n\r\n".join(block.replace("\n", "\r\n") for block in blocks), "x.srt"
    )
    assert [text for *_, text in read] == [text for *_, text in cues]
    assert {who for who, *_ in read} == {"?"}


def test_a_file_as_people_write_it(tmp_path):
    (tmp_path / "monday.vtt").write_text(
        """\ufeffWEBVTT
Kind: captions

STYLE
::cue { color: red }

intro
00:01.000 --> 00:02.500 position:10%
<v.loud Ann Smith>Hello <i>there</i> &amp; welcome!

00:02.500 --> 00:03.000
<v Bob>Hi.</v> <v Ann Smith>Oh,
you?

00:03.000 --> 00:04.000

1:00:03.000 --> 1:00:04.250
[SPEAKER_01]: <00:00:04.100>It <c>works</c>
""",
        encoding="utf-8",
    )
    table = read_subtitles(tmp_path / "monday.vtt", tmp_path / "monday.mp4", video=True)
    assert table[["speaker", "text", "start", "end"]].values.tolist() == [
        ["Ann Smith", "Hello there & welcome!", 1.0, 2.5],
        ["Bob", "Hi.", 2.5, 3.0],
        ["Ann Smith", "Oh, you?", 2.5, 3.0],
        ["?", None, 3.0, 4.0],
        ["SPEAKER_01", "It works", 3603.0, 3604.25],
    ]
    assert set(table.conversation) == {"monday"}
    assert set(table.video) == set(table.audio) == {str(tmp_path / "monday.mp4")}


def test_what_is_no_subtitle_is_named_with_its_line():
    with pytest.raises(TableError) as got:
        parse_subtitles("1\n00:00:01,000 --> 00:00:02,000\nHi\n\nnot a cue\n\nnor this", "a.srt")
    assert got.value.problems == [
        "a.srt, line 5: must be a subtitle, but is 'not a cue'.",
        "a.srt, line 7: must be a subtitle, but is 'nor this'.",
    ]
    with pytest.raises(TableError, match="must have a subtitle, but has none"):
        parse_subtitles("WEBVTT\n", "a.vtt")


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("Hi\n2\n00:00:02,000 --> 00:00:03,000\nNo\n", 5, "'00:00:02,000 --> 00:00:03,000'"),
        ("\n2\n00:00:02:000 --> 00:00:03:000\nNo\n", 5, "'00:00:02:000 --> 00:00:03:000'"),
        ("Hi\n\n00:00:02 --> 00:00:03\nNo\n", 5, "'00:00:02 --> 00:00:03'"),
    ],
)
def test_times_in_the_words_are_refused(text, line, said):
    """An empty line lacks before them, or they are in another form; they are no words."""
    with pytest.raises(TableError) as got:
        parse_subtitles(f"1\n00:00:01,000 --> 00:00:02,000\n{text}", "a.srt")
    rule = "times must be as in 00:01.000 --> 00:02.000, after an empty line"
    assert got.value.problems == [f"a.srt, line {line}: {rule}, but the line is {said}."]


def test_words_beside_a_voice_are_kept():
    text = "No! - <v Ann>Go <i>away</i></v> right now\n- <v Bob>Oh.</v>\n<v Ann>Yes.\nYes."
    found = parse_subtitles(f"WEBVTT\n\n00:01.000 --> 00:02.000\n{text}", "a.vtt")
    assert [(name, words) for name, _, _, words in found] == [
        ("?", "No! -"),
        ("Ann", "Go away"),
        ("?", "right now -"),
        ("Bob", "Oh."),
        ("Ann", "Yes. Yes."),
    ]


def test_files_of_one_name_may_be_two_conversations(tmp_path):
    (tmp_path / "call.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:02.000\nHi")
    table = read_subtitles(tmp_path / "call.vtt", conversation="day 2")
    assert table.conversation.tolist() == ["day 2"]
    assert read_subtitles(tmp_path / "call.vtt").conversation.tolist() == ["call"]


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"must be a \.srt or \.vtt file"):
        read_subtitles(tmp_path / "a.txt")


@pytest.mark.parametrize("name", ["Ann", "JÜRGEN"])
def test_names_in_the_text_are_warned_of(tmp_path, name):
    path = tmp_path / "a.vtt"
    cue = "00:01.000 --> 00:02.000\n"
    path.write_text(f"WEBVTT\n\n{cue}{name}: Hi\n\n{cue}Oh.\n\n{cue}Bob: No", encoding="utf-8")
    with pytest.warns(UserWarning, match=f"<v Ann>.* 2 subtitles .* the first with '{name}:'"):
        table = read_subtitles(path)
    assert table.speaker.tolist() == ["?"] * 3
    assert table.text.tolist() == [f"{name}: Hi", "Oh.", "Bob: No"]


@pytest.mark.parametrize(
    "texts",
    [
        ["Ann: Hi", "No."],
        ["Ann: Hi", "<v Bob>Note: no."],
        ["[SPEAKER_00]: Note: yes", "[SPEAKER_01]: Note: no"],
        ["10:30 it is", "At 10: no", "https://a.b", "https://a.c"],
    ],
)
def test_other_colons_are_not_warned_of(tmp_path, texts):
    cues = [f"00:01.000 --> 00:02.000\n{text}" for text in texts]
    (tmp_path / "a.vtt").write_text("\n\n".join(["WEBVTT", *cues]))
    assert len(read_subtitles(tmp_path / "a.vtt")) == len(texts)


YOUTUBE = """WEBVTT
Kind: captions
Language: en

00:00:00.160 --> 00:00:02.389 align:start position:0%
 
hello<00:00:00.480><c> everyone</c><00:00:00.800><c> welcome</c>

00:00:02.389 --> 00:00:02.399 align:start position:0%
hello everyone welcome
 

00:00:02.399 --> 00:00:04.710 align:start position:0%
hello everyone welcome
to<00:00:02.639><c> the</c><00:00:02.800><c> show</c>

00:00:04.710 --> 00:00:04.720 align:start position:0%
to the show
 

00:00:04.720 --> 00:00:06.000 align:start position:0%
to the show
yes

00:00:06.000 --> 00:00:06.010 align:start position:0%
yes
 

00:00:06.010 --> 00:00:08.000 align:start position:0%
yes
yes
"""  # noqa: W293 - as YouTube writes it


@pytest.mark.parametrize("kind", ["vtt", "srt"])
def test_lines_that_roll_up_are_read_once(kind):
    text = YOUTUBE
    if kind == "srt":  # as converted
        text = re.sub(r"<[^>]*>| align.*", "", text.partition("\n\n")[2]).replace(".", ",")
    found = parse_subtitles(text, f"a.{kind}")
    assert [(words, start, end) for _, start, end, words in found] == [
        ("hello everyone welcome", 0.16, 2.389),
        ("to the show", 2.399, 4.71),
        ("yes", 4.72, 6.0),
        ("yes", 6.01, 8.0),
    ]


def test_repeated_words_of_people_stay():
    cues = [f"00:0{n}.000 --> 00:0{n + 1}.000\n{text}" for n, text in enumerate(("No.", "No.", ""))]
    found = parse_subtitles("\n\n".join(["WEBVTT", *cues]), "a.vtt")
    assert [words for *_, words in found] == ["No.", "No.", ""]


def test_a_subtitle_for_each_word_is_warned_of(tmp_path):
    words = ["one", "two", "three", "four"]
    cues = [
        f"00:0{n}.000 --> 00:0{n + 1}.000\n"
        + " ".join(f"<u>{each}</u>" if each == word else each for each in words)
        for n, word in enumerate(words)
    ]
    (tmp_path / "a.vtt").write_text("\n\n".join(["WEBVTT", *cues]))
    with pytest.warns(UserWarning, match="3 of 4 repeat the words of the one before"):
        read_subtitles(tmp_path / "a.vtt")
