"""The page about runs: all is in it, it asks nothing of anyone, and a browser shows it."""

import base64
import json
import math
import re
import shutil
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from graphfusion import Conversation
from graphfusion.datasets import Corpus
from graphfusion.training import Recipe, Run, Settings, fit, fit_seeds, plots, write_report
from graphfusion.training.report_predictions import _windows
from graphfusion.training.report_sections import picture

Make = Callable[..., Recipe]
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
pytestmark = pytest.mark.filterwarnings("ignore::Warning")  # the trainer's, about tiny data


class Page(HTMLParser):
    """What a page shows and what it asks for."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.titles: list[str] = []
        self.asked: list[str] = []
        self.pictures = 0
        self.tag = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tag = tag
        given = dict(attrs)
        assert tag != "script"
        if tag == "img":
            self.pictures += 1
            assert given["alt"]
        self.asked += [given[key] or "" for key in ("src", "href") if key in given]

    def handle_data(self, data: str) -> None:
        if self.tag in ("h1", "h2") and data.strip():
            self.titles.append(data.strip())


@pytest.fixture(scope="module")
def report(runs: list[Run], corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page about two runs, with pictures. Not to be changed."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(runs, path, corpus)
    return path


def test_everything_is_in_it(runs: list[Run], report: Path) -> None:
    page = Page(report)
    assert page.titles == [
        "mmdfn on made.npz",
        "Scores",
        "Learning curves",
        "Confusion matrix of seed 0",
        "F1 of each class of seed 0",
        "Calibration of seed 0",
        "Largest errors of seed 0",
        "Gates of seed 0",
        "Edges of seed 0",
        "Layers of seed 0",
        "Weights of seed 0",
        "Settings",
    ]
    assert page.pictures == 4
    assert all(each.startswith("data:") for each in page.asked)
    text = report.read_text(encoding="utf-8")
    assert "Seeds 0, 1" in text
    mean = sum(run.result["strict"]["f1"] for run in runs) / 2
    assert f"{mean:.3f} ± " in text
    worst = re.findall("<td>→</td>" + 5 * "<td>(.*?)</td>", text)
    assert len(worst) == 10
    table = runs[0].predictions.set_index(["conversation", "utterance"])
    for name, number, label, predicted, error in worst:
        row = table.loc[name, int(number)]
        assert [label, predicted] == [row["label"], row["predicted"]]
        assert error == f"{1 - row[label]:.3f}"


@pytest.mark.usefixtures("undrawn")
def test_without_the_corpus_it_has_no_gates_and_no_diagnosis(
    runs: list[Run], tmp_path: Path
) -> None:
    write_report(runs[:1], tmp_path / "report.html")
    assert Page(tmp_path / "report.html").titles == [
        "mmdfn on made.npz",
        "Scores",
        "Learning curves",
        "Confusion matrix",
        "F1 of each class",
        "Calibration",
        "Largest errors",
        "Settings",
    ]


def test_curves_are_of_what_was_scored() -> None:
    history = pd.DataFrame({"epoch": [0, 1], "train_loss": [2.0, 1.0], "val_f1": [0.1, 0.2]})
    run = SimpleNamespace(history=history, result={"epoch": {"strict": 1}})
    left, right = plots.learning_curves([run, run], "f1").axes
    assert [list(line.get_ydata()) for line in left.lines] == 2 * [[2.0, 1.0]]
    names = [text.get_text() for text in right.get_legend().get_texts()]
    assert names == ["held out"]


@pytest.mark.usefixtures("undrawn")
def test_names_are_shown_as_they_are(corpus: Corpus, folder: Path, small: Make) -> None:
    odd = Corpus(("<b>x</b>", "y & z", '"'), corpus.splits)
    fit_seeds(small("logistic", epochs=1), odd, folder, [0], source="<script>alert(1)</script>")
    page = Page(folder / "report.html")  # which finds no script
    assert "logistic on <script>alert(1)</script>" in "".join(page.titles)
    assert "Gates" not in page.titles


def test_a_score_that_is_not_a_number_is_not_left_out(tmp_path: Path, runs: list[Run]) -> None:
    copied = []
    for run, corr in zip(runs, (math.nan, 0.5), strict=True):
        folder = Path(shutil.copytree(run.folder, tmp_path / run.folder.name))
        scores = {**run.result["strict"], "corr": corr}
        (folder / "result.json").write_text(json.dumps({**run.result, "strict": scores}))
        copied.append(Run(folder))
    write_report(copied, tmp_path / "report.html")
    assert "nan ± nan" in (tmp_path / "report.html").read_text()


def test_scores_are_points() -> None:
    label, predicted = np.array([-1.0, 0.0, 2.0]), np.array([-0.5, 1.0, 1.5])
    (axes,) = plots.scatter(label, predicted).axes
    assert axes.collections[0].get_offsets().tolist() == [[-1, -0.5], [0, 1], [2, 1.5]]
    assert axes.lines[0].get_xydata().tolist() == [[-1, -1], [2, 2]]


@pytest.mark.usefixtures("undrawn")
def test_scores_have_a_picture_of_their_own(corpus: Corpus, folder: Path, small: Make) -> None:
    splits = {
        split: [
            Conversation(each.features, each.speaker, each.y - 1.0, id=each.id)
            for each in conversations
        ]
        for split, conversations in corpus.splits.items()
    }
    fit_seeds(small(preset="mosi", epochs=1), Corpus((), splits), folder, [0])
    titles = Page(folder / "report.html").titles
    assert "True and predicted scores" in titles
    assert "Calibration" not in titles


@pytest.mark.skipif(BROWSER is None, reason="needs Chromium")
# What fits into a narrow window fits into a wide one.
@pytest.mark.parametrize("width", [pytest.param(1200, marks=pytest.mark.slow), 400])
def test_a_browser_draws_it(report: Path, tmp_path: Path, width: int) -> None:
    # The page says itself what the browser made of it; nothing may be asked of a network.
    page = report.read_text(encoding="utf-8")
    probe = """<script>addEventListener("load", () => { document.title = JSON.stringify([
        [...document.images].every(each => each.complete && each.naturalWidth > 0),
        document.documentElement.scrollWidth <= innerWidth,
        performance.getEntriesByType("resource")
            .filter(each => !each.name.startsWith("data:")).length,
    ]); });</script></body>"""
    (tmp_path / "report.html").write_text(page.replace("</body>", probe), encoding="utf-8")
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"]
    command += [f"--window-size={width},900", "--virtual-time-budget=5000", "--dump-dom"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", (tmp_path / "report.html").as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    title = re.search("<title>(.*?)</title>", done.stdout)
    assert title is not None
    assert title[1] == "[true,true,0]"
    assert "CONSOLE" not in done.stderr


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.data())
def test_no_utterance_is_shown_twice(lengths: list[int], data: st.DataObject) -> None:
    owners = [str(number) for number, size in enumerate(lengths) for _ in range(size)]
    rows = st.integers(0, len(owners) - 1)
    places = data.draw(st.lists(rows, unique=True, min_size=1, max_size=10))
    windows = _windows(places, owners)
    shown = [row for window in windows for row in window]
    wanted = {
        row
        for place in places
        for row in range(len(owners))
        if abs(row - place) <= 2 and owners[row] == owners[place]
    }
    assert len(shown) == len(set(shown))
    assert set(shown) == wanted
    ranks = [min(places.index(row) for row in window if row in places) for window in windows]
    assert ranks == sorted(ranks)  # the largest error first
    for window in windows:
        assert window == list(range(window[0], window[-1] + 1))
        assert len({owners[row] for row in window}) == 1


def test_absent_modalities_have_no_gates(
    runs: list[Run], corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[torch.Tensor, Figure]] = []
    draw = plots.gates

    def spy(opened: torch.Tensor, names: list[str]) -> Figure:
        drawn.append((opened, draw(opened, names)))
        return drawn[-1][1]

    monkeypatch.setattr(plots, "gates", spy)
    longest = max(corpus.splits["test"], key=lambda each: len(each.y))
    for absent in ([1], range(len(longest.y))):
        present = torch.ones(len(longest.y), dtype=torch.bool)
        present[list(absent)] = False
        each = Conversation(
            longest.features, longest.speaker, longest.y, {"audio": present}, id=longest.id
        )
        splits = {"train": corpus.splits["train"], "test": [each]}
        write_report(runs[:1], tmp_path / "report.html", Corpus(corpus.classes, splits))
        opened, figure = drawn.pop()
        here = torch.stack([torch.ones_like(present), present], 1)  # of text and audio
        assert torch.equal(opened.isfinite().all(-1).all(0), here)
        low, high = figure.axes[0].images[0].get_clim()
        values = opened[:, here].tolist()
        assert (low, high) == pytest.approx((np.min(values), np.max(values)))


def test_of_nothing_there_is_an_empty_picture_of_gates() -> None:
    figure = plots.gates(torch.full((1, 2, 1, 3), torch.nan), ["text"])
    assert figure.axes[0].images[0].get_clim() == (0, 1)


@pytest.mark.filterwarnings("error")
def test_names_are_no_formulas_and_in_any_script() -> None:
    names = ["$_$", "costs $5 to $10", "悲伤"]
    for figure in (
        plots.confusion(np.eye(3), names),
        plots.gates(torch.rand(2, 3, 3, 3), names),
    ):
        data = picture("", figure, "")["picture"].partition("base64,")[2]
        drawn = base64.b64decode(data).decode()
        assert all(f">{name}<" in drawn for name in names)


@pytest.mark.usefixtures("undrawn")
def test_any_mmdfn_has_gates(corpus: Corpus, folder: Path, small: Make) -> None:
    model = small().build(corpus)
    write_report([fit(model, corpus, folder, Settings(epochs=1))], folder / "a.html", corpus)
    assert {"Gates", "Edges", "Layers", "Weights"} <= set(Page(folder / "a.html").titles)
