import os
import pickle
import subprocess
import sys
import tempfile
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphfusion.datasets import load, save
from graphfusion.datasets.__main__ import main
from tests.datasets.made_corpora import assert_same, put_together, small_corpus, small_file
from tests.datasets.samples import make_sample, npz_arrays, npz_bytes, pickle_fields


@pytest.mark.parametrize("form", ["npz", "pickle", "safetensors"])
def test_convert(tmp_path, capsys, form):
    source, target = tmp_path / "in", tmp_path / "out.safetensors"
    if form == "npz":
        source.write_bytes(npz_bytes(npz_arrays(make_sample())))
    elif form == "pickle":
        source.write_bytes(pickle.dumps(tuple(pickle_fields(make_sample()))))
    else:
        save(small_corpus(), source)
    assert main(["convert", str(source), str(target)]) == 0
    assert capsys.readouterr() == (f"{target}: {load(target)}\n", "")
    assert_same(load(target), load(source))
    assert main(["validate", str(target)]) == 0
    assert capsys.readouterr() == (f"{target}: {load(target)}, no problems\n", "")


def test_every_problem_has_a_line(tmp_path, capsys):
    source, target = tmp_path / "in", tmp_path / "out.safetensors"
    header, tensors = small_file(source)
    tensors["features.text"][0] = torch.nan
    tensors["y"][5] = 7
    put_together(source, header, tensors)
    lines = (
        f"{source}: conversation 'one': text must be finite, but utterance 0 has NaN or infinity "
        "at position 0.\n"
        f"{source}: conversation 'three': labels must be in [0, 2), or -100 where missing, "
        "but utterance 0 has 7.\n"
    )
    assert main(["validate", str(source)]) == 1
    assert capsys.readouterr() == (lines, "")
    assert main(["convert", str(source), str(target)]) == 1
    assert capsys.readouterr() == (lines, "")
    assert not target.exists()


@given(st.sets(st.sampled_from(["text", "y", "speaker"])), st.booleans())
def test_convert_lists_all_errors_and_no_doubts(kinds, doubtful):
    """As it does of other formats; a class without an example is a doubt alone."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        source, target = Path(folder, "in"), Path(folder, "out.safetensors")
        header, tensors = small_file(source)
        if "text" in kinds:
            tensors["features.text"][[0, 8], 1] = torch.inf
        if "y" in kinds:
            tensors["y"][3] = 7
        if "speaker" in kinds:
            tensors["speaker"][5] = -1
        header["classes"] += ["glad"] * doubtful
        put_together(source, header, tensors)
        with redirect_stdout(StringIO()) as told:
            code = main(["convert", str(source), str(target)])
        assert code == (1 if kinds else 0)
        assert target.exists() != bool(kinds)
    if kinds:
        expected = {"text": ["'one'", "'three'"], "y": ["'two'"], "speaker": ["'three'"]}
        lines = told.getvalue().splitlines()
        assert len(lines) == sum(len(expected[kind]) for kind in kinds)
        for kind in kinds:
            said = {"text": "text must be finite", "y": "labels must", "speaker": "speaker must"}
            for name in expected[kind]:
                assert any(name in line and said[kind] in line for line in lines)


def test_convert_lists_all_damage(tmp_path, capsys):
    source = tmp_path / "in"
    save(small_corpus(), source)
    data = bytearray(source.read_bytes())
    start = data.index(torch.full((9, 3), 0.5).numpy().tobytes())  # text, 12 bytes an utterance
    for utterance in (1, 6):
        data[start + 12 * utterance] ^= 1
    source.write_bytes(data)
    assert main(["convert", str(source), str(tmp_path / "out.safetensors")]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[1] for line in lines] == [
        f"conversation {n!r}" for n in ("one", "three")
    ]


def test_silent_utterances_are_noted(tmp_path, capsys):
    path = tmp_path / "corpus"
    header, tensors = small_file(path)
    present = torch.ones(9, 2, dtype=torch.bool)
    present[[1, 4]] = False
    present[5, 1] = False
    put_together(path, header, tensors | {"present": present})
    assert main(["validate", str(path)]) == 0
    assert capsys.readouterr().out.endswith(
        "no problems; utterances without any modality: 2; utterances without 'text': 2; utterances "
        "without 'audio': 3\n"
    )


@pytest.mark.parametrize("command", [["validate", "none"], ["convert", "none", "out.safetensors"]])
def test_a_missing_file(tmp_path, monkeypatch, capsys, command):
    monkeypatch.chdir(tmp_path)
    assert main(command) == 2
    assert "No such file or directory: 'none'" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_without_safetensors(tmp_path, monkeypatch, capsys):
    source = tmp_path / "in"
    source.write_bytes(npz_bytes(npz_arrays(make_sample())))
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    assert main(["convert", str(source), str(tmp_path / "out.safetensors")]) == 2
    assert "graphfusion's extra 'data' brings it" in capsys.readouterr().err
    assert main(["validate", str(source)]) == 0


@pytest.mark.parametrize("arguments", [[], ["mend", "file"], ["convert", "file"]])
def test_bad_arguments(capsys, arguments):
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert "usage: python -m graphfusion.datasets" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["convert", "IN", "OUT"], ["validate", "IN"]])
@pytest.mark.parametrize(
    ("option", "message"),
    [
        (
            ["--columns", "label=joy", "turn=", "label=anger"],
            "--columns must have each ROLE once, but got 'label' twice; several columns are "
            "label=A,B.",
        ),
        (
            ["--features", "audio=a1", "audio=a2"],
            "--features must have each NAME once, but got 'audio' twice; several columns are "
            "audio=A,B.",
        ),
    ],
)
def test_a_name_that_is_given_twice_within_an_option(capsys, command, option, message):
    with pytest.raises(SystemExit, match="2"):
        main([*command, *option])
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("name", ["table.csv", "table.tsv"])
@pytest.mark.parametrize(
    "option",
    [["--labels", "scores"], ["--missing", "nan"], ["--frames", "mean"], ["--splits", "a"]],
)
def test_options_of_other_files_are_not_for_tables(tmp_path, capsys, name, option):
    path = tmp_path / name
    path.write_text("conversation\na\n")
    assert main(["validate", str(path), *option]) == 2
    message = f"{option[0][2:]} must be given for a pickle or an .npz file, not for a table, but"
    assert capsys.readouterr().err == f"{message} {path} is csv.\n"


@pytest.mark.slow
def test_as_a_module(tmp_path):
    path = tmp_path / "corpus"
    save(small_corpus(), path)
    command = [sys.executable, "-m", "graphfusion.datasets", "validate", str(path)]
    pygs = {"PYTHONWARNINGS": "ignore:`torch.jit.script` is:FutureWarning"}  # see pyproject.toml
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | pygs)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{path}: Corpus(train=2, test=1, ")


def test_a_file_is_not_converted_into_itself(tmp_path, capsys):
    source, link = tmp_path / "in.safetensors", tmp_path / "link.safetensors"
    save(small_corpus(), source)
    link.symlink_to(source)
    before = source.read_bytes()
    for target in (source, link):
        assert main(["convert", str(source), str(target)]) == 2
        assert "OUT must be another file than" in capsys.readouterr().err
    assert source.read_bytes() == before


def test_nothing_but_a_corpus_is_replaced(tmp_path, capsys):
    source, table = tmp_path / "in.safetensors", tmp_path / "table.csv"
    save(small_corpus(), source)
    table.write_text("a table")
    assert main(["convert", str(source), str(table)]) == 2
    assert "OUT must be a .safetensors file, but got" in capsys.readouterr().err
    assert table.read_text() == "a table"
