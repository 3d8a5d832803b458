"""The three commands, as people run them."""

import pytest

from graphfusion import MMDFN
from graphfusion.datasets import load
from graphfusion.recordings.__main__ import main, make_extractor
from tests.recordings.made import RATE, make_bert, tone, write_sound

pd = pytest.importorskip("pandas", reason="needs the extra `recordings`")
pytest.importorskip("soundfile", reason="needs the extra `recordings`")
pytest.importorskip("opensmile", reason="needs the extra `opensmile`")


@pytest.fixture
def table(tmp_path):
    write_sound(tmp_path / "a.wav", tone(2.0), RATE)
    (tmp_path / "t.csv").write_text(
        "conversation,speaker,text,start,end,audio,label\n"
        "a,Ann,Hello,0,1,a.wav,calm\na,Bob,Oh,1,2,a.wav,angry\n"
    )
    return tmp_path / "t.csv"


def test_check(table, capsys):
    assert main(["check", str(table)]) == 0
    assert "2 utterances in 1 conversation, no problems" in capsys.readouterr().out
    table.write_text(table.read_text().replace("1,2,a", "1,9,a") + "b,Ann,x,,,gone.wav,glad\n")
    assert main(["check", str(table), "--classes", "calm,angry"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["row 3", "row 2", "row 3"]
    assert main(["check", str(table.with_name("none.csv"))]) == 2
    assert "none.csv" in capsys.readouterr().err


@pytest.mark.filterwarnings("always::UserWarning")
def test_a_warning_is_its_message_alone(table, capsys):
    table.write_text(table.read_text().replace("angry", "Calm"))
    assert main(["check", str(table)]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: label has classes that differ in case or spaces only")


def test_from_a_table_to_predictions(table, tmp_path, capsys):
    corpus = tmp_path / "corpus.safetensors"
    options = ["--audio", "opensmile:IS09", "--cache", str(tmp_path / "f"), "--workers", "2"]
    assert main(["extract", str(table), str(corpus), *options]) == 0
    assert "in_channels={'audio': 384}" in capsys.readouterr().out
    made = load(corpus)
    model = tmp_path / "model"
    untrained = MMDFN(made.in_channels, 2, class_names=made.classes, num_layers=1)
    untrained.extractors = made.extractors
    untrained.save_pretrained(model)
    (model / "data.json").write_text('{"modalities": ["audio"]}')
    subtitles = tmp_path / "new.srt"
    subtitles.write_text("1\n00:00:00,000 --> 00:00:01,500\nHi\n")
    wav = str(tmp_path / "a.wav")
    assert (
        main(["predict", str(model), wav, str(subtitles), "--output", str(tmp_path / "o.csv")]) == 0
    )
    (row,) = pd.read_csv(tmp_path / "o.csv").to_dict("records")
    assert row["predicted"] in ("angry", "calm")
    assert abs(row["angry"] + row["calm"] - 1) < 1e-9
    assert main(["predict", str(model), wav, str(subtitles)]) == 0
    assert capsys.readouterr().out.startswith("predicted,angry,calm,start,end,speaker")


def test_an_output_replaces_no_table_and_no_recording(table, tmp_path, capsys):
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    for arguments, said in (
        (["extract", str(table), str(table), "--audio", "opensmile"], "CORPUS must be a .safe"),
        (["predict", "model", "a.wav", "b.vtt", "--output", "b.vtt"], "--output must be a .csv"),
        (["extract", str(table), "no/c.safetensors", "--audio", "opensmile"], "there is no no."),
    ):
        assert main(arguments) == 2
        assert said in capsys.readouterr().err
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_failed_command_has_a_message(table, tmp_path, capsys):
    out = str(tmp_path / "c.safetensors")
    assert main(["extract", str(table), out]) == 2
    assert "one of --text, --audio and --video must be given" in capsys.readouterr().err
    assert main(["extract", str(table), out, "--audio", "mfcc"]) == 2
    assert (
        "--audio must be one of ['opensmile', 'speech'], but got 'mfcc'" in capsys.readouterr().err
    )
    assert main(["predict", str(tmp_path), "a.wav", "b.vtt"]) == 2
    assert "must have a data.json" in capsys.readouterr().err


def test_extractors_are_named_by_kind(tmp_path):
    pytest.importorskip("transformers", reason="needs the extra `text`")
    folder = make_bert(tmp_path / "bert")
    assert make_extractor("text", f"first:{folder}").pooling == "first"
    assert make_extractor("audio", "opensmile").feature_set == "eGeMAPSv02"
    assert make_extractor("video", "faces").dim == 324
    for wanted in ("blendshapes:none.task", "landmarks:none.task"):
        with pytest.raises((FileNotFoundError, ImportError), match="none.task|mediapipe"):
            make_extractor("video", wanted)
    for wanted in ("landmarks", "faces:more"):
        with pytest.raises(ValueError, match=rf"--video '{wanted}': .*argument"):
            make_extractor("video", wanted)
    at = folder.rename(tmp_path / "ann@home")
    assert make_extractor("text", f"mean:{at}").folder == at
    at.rename(folder)
    with pytest.raises(ValueError, match="revision must be None for a folder, but got 'abc'"):
        make_extractor("text", f"mean:{folder}@abc")
