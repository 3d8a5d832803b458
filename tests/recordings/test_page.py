"""The page of a recording: whole in itself, safe, and working by mouse and keyboard."""

import re
import shutil
import time

import pytest

from graphfusion.recordings.page.page import make_page
from tests.recordings.made import RATE, tone, write_sound

pd = pytest.importorskip("pandas", reason="needs the extra `recordings`")
pytest.importorskip("soundfile", reason="needs the extra `recordings`")

EVIL = '<script>alert("x")</script>{{style}}'


@pytest.fixture
def page(tmp_path):
    write_sound(tmp_path / "talk.wav", tone(4.0), RATE)
    frame = pd.DataFrame(
        [
            ("calm", 0.9, 0.1, 0.0, 1.0, "Ann", EVIL, ""),
            ("angry", 0.2, 0.8, 1.0, 2.5, EVIL, None, "text: no words"),
            ("calm", 0.7, 0.3, 2.5, 4.0, "Ann", "So.", "video: no face"),
        ],
        columns=["predicted", "calm", "angry", "start", "end", "speaker", "text", "absent"],
    )
    path = tmp_path / "page.html"
    path.write_text(make_page(frame, tmp_path / "talk.wav", ["calm", "angry"]), encoding="utf-8")
    return path


def test_it_has_all_that_is_known(page):
    text = page.read_text(encoding="utf-8")
    for part in ("Ann", "no face", "no words", "0.80", "So.", "talk.wav", "data:audio/"):
        assert part in text
    assert text.count("<tr>") == 4
    assert text.count("data-start=") == 6  # on the timeline and in the table


def test_it_loads_and_runs_nothing_external(page):
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"""(?:src|href)=["'](?!data:)""", text)
    assert "http" not in text.replace("http-equiv", "")
    assert EVIL not in text
    assert text.count("<script>") == 1
    assert "default-src 'none'" in text


def test_scores_are_shown_too(tmp_path):
    write_sound(tmp_path / "talk.wav", tone(1.0), RATE)
    columns = ["predicted", "start", "end", "speaker", "text", "absent"]
    frame = pd.DataFrame([(-1.5, 0.0, 1.0, "Ann", "x", "")], columns=columns)
    assert "-1.50" in make_page(frame, tmp_path / "talk.wav", ["predicted"])


def test_utterances_without_times_are_refused(tmp_path):
    columns = ["predicted", "start", "end", "speaker", "text", "absent"]
    frame = pd.DataFrame([(0.5, None, None, "Ann", "x", "")], columns=columns, dtype=object)
    frame = frame.astype({"start": float, "end": float})
    with pytest.raises(ValueError, match="start must be given for every utterance"):
        make_page(frame, tmp_path / "talk.wav", ["predicted"])


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="drives a browser")
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("there is no browser")
    options = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
    with playwright.sync_playwright() as session:
        browser = session.chromium.launch(executable_path=program, args=options)
        yield browser
        browser.close()


def wait(tab, condition):
    """Playwright's own would evaluate a string, which the page does not allow."""
    limit = time.monotonic() + 20
    while not tab.evaluate(condition):
        assert time.monotonic() < limit, condition
        tab.wait_for_timeout(50)


@pytest.mark.slow
def test_it_plays_from_what_is_clicked_or_chosen_by_keyboard(page, browser):
    tab = browser.new_page(viewport={"width": 1200, "height": 800})
    said, asked = [], []
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("request", lambda request: asked.append(request.url[:5]))
    tab.goto(page.as_uri())
    wait(tab, "media.readyState > 2")

    tab.locator("tr button").nth(1).click()
    wait(tab, "media.currentTime > 1.1")
    assert not tab.evaluate("media.paused")
    current = tab.locator("tr[aria-current]")
    assert "angry" in current.inner_text()
    tab.evaluate("media.pause()")

    first = tab.locator(".track button").first
    first.focus()
    tab.keyboard.press("ArrowRight")  # in time, on another speaker's row
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("Enter")
    wait(tab, "media.currentTime > 2.5")
    assert tab.evaluate("document.activeElement.getAttribute('aria-label')").startswith(
        "0:02.5, Ann"
    )

    names = tab.evaluate("[...document.querySelectorAll('button')].map(b => b.ariaLabel)")
    assert all(names)
    tab.set_viewport_size({"width": 340, "height": 700})
    assert tab.evaluate("document.documentElement.scrollWidth") <= 340
    assert said == []
    assert set(asked) <= {"file:", "data:"}
