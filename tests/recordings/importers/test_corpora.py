"""MELD, IEMOCAP and MMSA in the shape of their releases."""

import pytest

from graphfusion.recordings import TableError, check_table, read_iemocap, read_meld, read_mmsa

pd = pytest.importorskip("pandas", reason="needs the extra `recordings`")
pytest.importorskip("soundfile", reason="needs the extra `recordings`")

MELD = (
    "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,"
    "EndTime\n"
    '1,"also I was the point person on my company\u0092s transition, from the KL-5",Chandler,'
    'neutral,neutral,0,0,8,21,"00:16:16,059","00:16:21,731"\n'
    '2,"You must\u0092ve had your hands full.",The Interviewer,neutral,neutral,0,1,8,21,'
    '"00:16:21,940","00:16:23,442"\n'
    '3,"Oh!",Joey,surprise,positive,1,0,8,21,"00:16:23,442","00:16:26,389"\n'
)


def test_meld(tmp_path):
    path = tmp_path / "train_sent_emo.csv"
    path.write_bytes(MELD.encode() + b'4,"caf\x92 or caf\xe9",Joey,joy,positive,1,1,8,21,x,y\n')
    table = read_meld(path, tmp_path / "train_splits", split="train")
    assert table.conversation.tolist() == ["train_0", "train_0", "train_1", "train_1"]
    assert table.text[0].startswith("also I was the point person on my company\u2019s")
    assert table.text[3] == "caf\u2019 or caf\u00e9"
    assert table.label.tolist() == ["neutral", "neutral", "surprise", "joy"]
    assert table.audio[1] == str(tmp_path / "train_splits/dia0_utt1.mp4")
    assert table.start.isna().all()
    again = read_meld(path, split="dev", label="Sentiment")
    both = pd.concat([table.assign(audio=None, video=None), again])
    check_table(both.reset_index(drop=True))
    assert again.label.tolist()[2:] == ["positive", "positive"]
    assert again.audio.isna().all()


def test_the_damaged_clip_is_found_and_can_be_left_out(tmp_path):
    pytest.importorskip("av", reason="needs the extra `recordings`")
    (tmp_path / "dia0_utt0.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(500))
    lines = MELD.splitlines(keepends=True)
    (tmp_path / "x.csv").write_text("".join(lines[:2]))
    table = read_meld(tmp_path / "x.csv", tmp_path, split="train")
    with pytest.raises(TableError) as got:
        check_table(table)
    assert [problem[:5] for problem in got.value.problems] == ["row 1", "row 1"]
    table.loc[0, ["audio", "video"]] = None
    check_table(table)


def test_a_wrong_folder_of_clips_is_one_problem_for_sound_and_one_for_video(tmp_path):
    (tmp_path / "x.csv").write_text(MELD)
    table = read_meld(tmp_path / "x.csv", tmp_path / "none", split="train")
    with pytest.raises(TableError) as got:
        check_table(table, ["audio", "video"])
    clip = tmp_path / "none/dia0_utt0.mp4"
    assert got.value.problems == [
        f"rows 1 to 3: {kind} must be a readable file, but {clip}: no such file (row 1)."
        for kind in ("audio", "video")
    ]


def test_meld_without_a_column_is_refused(tmp_path):
    (tmp_path / "x.csv").write_text("Utterance,Speaker\nHi,Joey\n")
    with pytest.raises(TableError, match=r"columns must include \['Emotion', 'Dialogue_ID'"):
        read_meld(tmp_path / "x.csv", split="train")


def test_meld_is_in_the_order_of_its_numbers(tmp_path):
    lines = MELD.splitlines(keepends=True)
    (tmp_path / "x.csv").write_text("".join([lines[0], lines[2], lines[3], lines[1]]))
    assert read_meld(tmp_path / "x.csv", split="train").speaker.tolist() == [
        "Chandler",
        "The Interviewer",
        "Joey",
    ]


def iemocap(folder, session, name, transcription, evaluation):
    dialog = folder / f"Session{session}/dialog"
    for part in ("transcriptions", "EmoEvaluation", "wav"):
        (dialog / part).mkdir(parents=True, exist_ok=True)
    (dialog / "transcriptions" / f"{name}.txt").write_text(transcription)
    (dialog / "EmoEvaluation" / f"{name}.txt").write_text(evaluation)
    return dialog


def test_iemocap(tmp_path):
    dialog = iemocap(
        tmp_path,
        1,
        "Ses01F_impro01",
        "Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me.\n"
        "Ses01F_impro01_M000 [007.5712-010.4750]: Do you have your forms?\n"
        "Ses01F_impro01_F001 [010.0100-011.3925]: Yeah.\n"
        "M: [LAUGHTER]\n"
        "Ses01F_impro01_MXX0 [011.5-012.0]: Hm.\n",
        "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n"
        "[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu\t[2.5000, 2.5000, 2.5000]\n"
        "C-E2:\tNeutral;\t()\n\n"
        "[7.5712 - 10.4750]\tSes01F_impro01_M000\txxx\t[2.5000, 3.0000, 2.5000]\n"
        "[10.0100 - 11.3925]\tSes01F_impro01_F001\texc\t[2.5000, 3.0000, 2.5000]\n",
    )
    (dialog / "wav/Ses01F_impro01.wav").write_bytes(b"")
    iemocap(
        tmp_path,
        5,
        "Ses05M_script01_1b",
        "Ses05M_script01_1b_M000 [001.0-002.0]: No.\n",
        "[1.0000 - 2.0000]\tSes05M_script01_1b_M000\tfru\t[2.5000, 3.0000, 2.5000]\n",
    )
    table = read_iemocap(tmp_path)
    assert table.label.tolist() == ["neutral", None, "excited", None, "frustrated"]
    assert table.speaker.tolist() == ["Ses01F", "Ses01M", "Ses01F", "Ses01M", "Ses05M"]
    assert table.start.tolist() == [6.2901, 7.5712, 10.01, 11.5, 1.0]
    assert table.split.tolist() == ["train"] * 4 + ["test"]
    assert table.audio.tolist()[0].endswith("Session1/dialog/wav/Ses01F_impro01.wav")
    assert table.audio[4] is None
    check_table(table, ())


def test_iemocap_names_a_line_that_it_does_not_know(tmp_path):
    iemocap(tmp_path, 1, "Ses01F_impro01", "Ses01F_impro01_F000: Excuse me.\n", "")
    with pytest.raises(TableError, match=r"line 1: must be an utterance, but is 'Ses01F_impro01_F"):
        read_iemocap(tmp_path)
    with pytest.raises(FileNotFoundError, match="must have Session1/dialog/transcriptions"):
        read_iemocap(tmp_path / "none")


@pytest.mark.parametrize("session", ["5", 6, 0])
def test_iemocap_has_five_sessions(tmp_path, session):
    with pytest.raises(ValueError, match="test_session must be a number from 1 to 5, but got"):
        read_iemocap(tmp_path, test_session=session)


MMSA = (
    "video_id,clip_id,text,label,label_T,label_A,label_V,annotation,mode\n"
    "aqgy3_0001,00000,part A,0.4,0.2,0.6,0.4,Positive,train\n"
    "aqgy3_0001,00001,part B,-1.0,0,0,0,Negative,train\n"
    "aqgy3_0001,00002,part C,0,,,,Neutral,valid\n"
)


def test_mmsa(tmp_path):
    (tmp_path / "label.csv").write_text(MMSA)
    table = read_mmsa(tmp_path / "label.csv", tmp_path / "Raw")
    assert table.label.tolist() == [0.4, -1.0, 0.0]
    assert table.conversation.tolist() == ["train_aqgy3_0001"] * 2 + ["dev_aqgy3_0001"]
    assert table.split.tolist() == ["train", "train", "dev"]
    assert table.video[1] == str(tmp_path / "Raw/aqgy3_0001/00001.mp4")
    check_table(table, (), classes=())
    named = read_mmsa(tmp_path / "label.csv", label="annotation")
    assert named.label.tolist() == ["Positive", "Negative", "Neutral"]
    check_table(named)


def test_mmsa_refuses_another_split(tmp_path):
    (tmp_path / "label.csv").write_text(MMSA.replace("valid", "later"))
    with pytest.raises(ValueError, match=r"row 3: mode must be one of .* 'later'"):
        read_mmsa(tmp_path / "label.csv")
    for wrong in ("inf", "-inf", "", "high"):
        (tmp_path / "label.csv").write_text(MMSA.replace("-1.0", wrong))
        with pytest.raises(ValueError, match=f"row 2: label must be a finite .* is '{wrong}'"):
            read_mmsa(tmp_path / "label.csv")
    (tmp_path / "short.csv").write_text(MMSA + "only,two\n")
    with pytest.raises(TableError, match="row 4: must have as many cells"):
        read_mmsa(tmp_path / "short.csv")


def test_mmsa_is_in_the_order_of_its_clips(tmp_path):
    rows = [("v", 10), ("v", 2), ("w", 3), ("v", 1), ("u", "b"), ("u", "a"), ("u", 1)]
    lines = [f"{video},{clip},{video}{clip},0.5,train" for video, clip in rows]
    (tmp_path / "label.csv").write_text("\n".join(["video_id,clip_id,text,label,mode", *lines]))
    text = read_mmsa(tmp_path / "label.csv").text.tolist()
    assert text == ["v1", "v2", "v10", "w3", "ub", "ua", "u1"]  # of u, the order is unknown
