"""Checks of a table: all errors at once with their rows, and warnings of likely mistakes."""

import numpy as np
import pytest

from graphfusion.datasets.checks.splits import VALIDATION
from graphfusion.recordings import check_table, read_table
from graphfusion.recordings.table import utterances
from tests.recordings.asserts import problems
from tests.recordings.made import RATE, frame, tone, write_sound

pd = pytest.importorskip("pandas", reason="needs the extra `recordings`")
pytest.importorskip("soundfile", reason="needs the extra `recordings`")


def warned(table, **options):
    """The one warning of a table without errors, files aside."""
    with pytest.warns(UserWarning, match=" ") as caught:
        check_table(read_table(table), (), **options)
    (one,) = caught
    assert one.filename == __file__
    return str(one.message)


def test_scores_stay_numbers():
    table = read_table(frame(label=[0.5, np.nan]))
    assert [each.label for each in utterances(table)] == [0.5, None]
    check_table(table, classes=())


def test_all_problems_are_named_at_once(tmp_path):
    write_sound(tmp_path / "good.wav", tone(2.0), RATE)
    (tmp_path / "bad.wav").write_bytes(b"nothing")
    table = pd.DataFrame(
        [
            ("a", "A", 0.0, 1.0, "good.wav", "calm", "train"),
            ("a", "B", 1.0, 9.0, "good.wav", "cross", "train"),
            ("a", "A", 0.5, 1.0, "good.wav", "calm", "test"),
            ("b", "A", 1.0, 1.0, "good.wav", "calm", "train"),
            ("b", "A", None, 1.0, "bad.wav", None, "train"),
            ("b", "A", None, None, "gone.wav", None, "train"),
        ],
        columns=["conversation", "speaker", "start", "end", "audio", "label", "split"],
    )
    got = problems(
        lambda: check_table(read_table(table, tmp_path), {"audio"}, classes=["calm", "angry"])
    )
    for part in (
        "row 3: utterances must be in order, but it starts at 0.5 s, before row 2",
        "row 4: start must be at least 0 and before end, but got 1 and 1",
        "row 5: start and end must both be given, or neither, but one is",
        "row 3: conversation 'a' must be in one split, but is in 'test' and, in row 1, in 'train'",
        "row 2: label must be one of ['calm', 'angry'], but is 'cross'",
        "row 2: end must be within",
        "row 5: audio must be a readable file",
        "row 6: audio must be a readable file",
    ):
        assert sum(part in problem for problem in got) == 1, (part, got)
    assert len(got) == 8


def test_only_the_files_that_are_needed_are_looked_into(tmp_path):
    table = read_table(frame(audio=["gone.wav"]), tmp_path)
    check_table(table, {"text", "video"})
    assert len(problems(lambda: check_table(table, {"audio"}))) == 1


def test_an_end_may_be_rounded_up(tmp_path):
    write_sound(tmp_path / "a.wav", tone(1.97), RATE)
    check_table(read_table(frame(start=[0], end=[2.0], audio=["a.wav"]), tmp_path))


@pytest.mark.parametrize(
    ("labels", "classes", "said"),
    [
        ([0.5, -1.0], None, "pass classes=() if they are scores"),
        (["0.5", "-1.25"], None, "pass classes=() if they are scores"),
        (["calm"], (), "must be a finite score, but is 'calm'"),
        (["-inf"], (), "must be a finite score, but is '-inf'"),
    ],
)
def test_labels_that_may_be_either_are_refused(labels, classes, said):
    (got,) = problems(lambda: check_table(read_table(frame(label=labels)), classes=classes))
    assert said in got


def test_numbers_may_be_names_of_classes():
    check_table(read_table(frame(label=["0", "1"])))
    check_table(read_table(frame(label=["0", "1"])), classes=())


def test_the_training_split_must_not_be_empty():
    (got,) = problems(lambda: check_table(read_table(frame(split=["test"]))))
    assert "must be 'train'" in got


def test_the_same_problem_of_many_rows_is_one_line(tmp_path):
    write_sound(tmp_path / "a.wav", tone(1.0), RATE)
    times = [0.0, 0.5, 500.0, 900.0]
    table = frame(start=times, end=[each + 1 for each in times], audio=["gone.wav"] * 4)
    got = problems(lambda: check_table(read_table(table, tmp_path)))
    path = tmp_path / "gone.wav"
    assert got == [f"rows 1 to 4: audio must be a readable file, but {path}: no such file."]
    table["audio"] = "a.wav"
    got = problems(lambda: check_table(read_table(table, tmp_path)))
    rule = f"end must be within the audio of {tmp_path / 'a.wav'}, which lasts 1.00 s"
    assert got == [f"rows 2 to 4: {rule}, but is 1.5 (row 2)."]


def test_every_unknown_label_is_named():
    table = read_table(frame(label=["glad", "calm", "sad", "glad"]))
    assert problems(lambda: check_table(table, classes=["calm"])) == [
        "rows 1 and 4: label must be one of ['calm'], but is 'glad'.",
        "row 3: label must be one of ['calm'], but is 'sad'.",
    ]


@pytest.mark.parametrize("column", ["audio", "video"])
def test_rows_that_share_a_file_need_times(column):
    table = frame(start=[0, None, None, None], end=[1, None, None, None])
    table[column] = ["/a.mp4", "/a.mp4", "/a.mp4", "/b.mp4"]
    (got,) = (each for each in problems(lambda: check_table(read_table(table))) if "share" in each)
    check_table(read_table(table), ["text"])  # no file is used
    assert got == (
        "rows 2 to 3: start and end must be given where rows share a file, but are empty, and "
        "/a.mp4 is in rows 1 to 3."
    )


def test_a_whole_file_may_be_sound_and_video():
    files = ["/a.mp4", "/b.mp4", None, None]
    found = problems(lambda: check_table(read_table(frame(audio=files, video=files))))
    assert not any("share" in each for each in found)
    shared = frame(audio=["/a.mp4", None], video=[None, "/a.mp4"])
    found = problems(lambda: check_table(read_table(shared)))
    assert sum("share" in each for each in found) == 1


def test_labels_that_differ_in_case_are_warned_of():
    table = frame(label=["calm", "Calm ", "angry", None, "calm"])
    assert "label has classes that differ in case or spaces only: [['calm', 'Calm']]" in warned(
        table
    )
    check_table(read_table(table), classes=["calm", "Calm ", "angry"])
    check_table(read_table(frame(label=[None, None])))
    # Problems come first, and here warnings are errors.
    assert problems(lambda: check_table(read_table(table.assign(end=0.0, start=1.0))))


def test_speakers_that_differ_in_case_are_warned_of():
    names = ["Ann", "ann", "Bob", "Ann  B", "Ann B", "BOB"]
    got = warned(frame(conversation=list("aabccd"), speaker=names))
    assert (
        "differ in case or spaces only: ['Ann', 'ann'] in 'a'; ['Ann  B', 'Ann B'] in 'c'; if"
        in got
    )


def test_conversations_that_differ_in_case_are_warned_of():
    got = warned(frame(conversation=["monday", "Monday", "tuesday"]))
    assert "differ in case or spaces only: ['monday', 'Monday']; if they are the same con" in got


def test_times_that_start_again_in_another_file_are_warned_of():
    table = frame(
        conversation=["a"] * 4 + ["b"] * 2,
        start=[0.0, 2, 0, 2, 0, 2],
        end=[2.0, 4, 2, 4, 2, 4],
        audio=["/x.wav"] * 2 + ["/y.wav"] * 2 + ["/z.wav"] * 2,
    )
    got = warned(table)
    assert got.endswith("need different names of conversations: 'a' in rows 2 and 3.")
    check_table(read_table(table.assign(start=range(6), end=range(1, 7))), ())  # one clock
    clips = [f"/{n}.wav" for n in range(6)]
    check_table(read_table(table.assign(start=[0.2, 0.1, 0.3, 0, 0.4, 0.3], audio=clips)), ())
    check_table(read_table(table.assign(start=None, end=None, audio=clips)), ())


def test_splits_that_training_refuses_are_warned_of():
    got = warned(frame(conversation=list("abcd"), split=["train", "trian", "test", "trian"]))
    assert "has ['train', 'trian', 'test']: 'trian' in rows 2 and 4." in got
    assert "'dev' in row 2, 'val' in row 3" in warned(
        frame(conversation=list("abc"), split=["train", "dev", "val"])
    )
    for name in VALIDATION:
        table = frame(conversation=list("abc"), split=["train", name, "test"])
        check_table(read_table(table))


@pytest.mark.parametrize("column", ["audio", "video"])
def test_files_in_two_splits_are_warned_of(column):
    size = 8
    table = frame(
        conversation=[str(row) for row in range(size)],
        split=["train"] * 5 + ["test"] * 3,
        start=[float(row) for row in range(size)],
        end=[row + 1.0 for row in range(size)],
    )
    table[column] = [f"/{name}.wav" for name in "abcdeabc"]
    got = warned(table)
    assert "3 files are: /a.wav is used in 'train' (row 1) and in 'test' (row 6);" in got
    table[column] = [f"/{name}.wav" for name in "abcdabcd"]
    table["split"] = ["train"] * 4 + ["test"] * 4
    got = warned(table)
    assert "but 4 files are: " in got
    assert got.endswith("in 'test' (row 7); and 1 more.")
    table[column] = [f"/{name}.wav" for name in "abcdefga"]
    assert "but 1 file is: /a.wav is used in 'train' (row 1) and in 'test' (row 8)." in warned(
        table
    )
    table[column] = [f"/{name}.wav" for name in "aabbcccc"]
    check_table(read_table(table), ())
    table["split"] = ["train"] * 3 + ["dev"] * 2 + ["test"] * 3
    table[column] = [f"/{name}.wav" for name in "aabcdcef"]
    assert "1 file is: /c.wav is used in 'dev' (row 4) and in 'test' (row 6)." in warned(table)
