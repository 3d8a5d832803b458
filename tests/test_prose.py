"""Pages are short, in short sentences and plain words; docstrings are in plain words, too.

Where a page is too long, move a part to a page of another kind: a study or a table to
`docs/reference`, an explanation to `docs/concepts`, what was tried to `docs/development/decisions`.
"""

import re
from pathlib import Path

import pytest

from tests.prose import count, docstrings, paragraphs, private, sentences, unwanted, words

ROOT = Path(__file__).parents[1]
DOCS = [
    path
    for path in sorted((ROOT / "docs").rglob("*.md"))
    if not {"_build", "generated"} & set(path.parts)
]
FILES = [
    ROOT / each
    for each in (
        "README.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "CODE_OF_CONDUCT.md",
    )
]
INCLUDED = sorted((ROOT / "benchmarks").glob("*.md"))  # on a page of the documentation
PAGES = FILES + INCLUDED + DOCS
MODULES = sorted((ROOT / "graphfusion").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
HOW_TO = sorted((ROOT / "docs/how_to").glob("*.md"))
LONGEST = 25  # words of a sentence


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_sentences_are_short(path: Path) -> None:
    assert [each for each in sentences(read(path)) if len(words(each)) > LONGEST] == []


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_words_are_plain(path: Path) -> None:
    assert unwanted(read(path)) == []


def test_docstrings_are_plain() -> None:
    found = {
        f"{name(path)}: {definition}": private(text)
        for path in [*MODULES, *TESTS]
        for definition, text in docstrings(read(path))
    }
    assert {place: words for place, words in found.items() if words} == {}


def test_names_of_tests_are_plain() -> None:
    found = {
        f"{name(path)}: {definition}": words
        for path in TESTS
        for definition in re.findall(r"^ *(?:async )?def (test_\w+)", read(path), re.MULTILINE)
        if (words := private(definition.replace("_", " ")))
    }
    assert found == {}


def test_docstrings_begin_with_what_is_computed() -> None:
    """A noun phrase or a verb phrase, not "What it does" nor "How it is done"."""
    folders = (
        *("fusion", "graph", "encoders", "models", "streaming", "data", "export"),
        *("training", "command_line", "_utils", "testing"),
    )
    found = [
        f"{name(path)}: {definition}: {text.splitlines()[0]}"
        for path in MODULES
        if path.relative_to(ROOT / "graphfusion").parts[0] in folders
        for definition, text in docstrings(read(path))
        if re.match(r"(What|How|Where|Which|Who|Whose)\b", text) and definition[:1] != "_"
    ]
    assert found == []


@pytest.mark.parametrize("path", [*HOW_TO, ROOT / "docs/reference/results.md"], ids=name)
def test_a_page_is_read_in_minutes(path: Path) -> None:
    assert 50 < count(read(path)) <= 500


def test_the_readme_is_short() -> None:
    text = read(ROOT / "README.md")
    without_code = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    assert 600 <= len(words(without_code)) <= 700
    assert max(len(words(each)) for each in paragraphs(text)) <= 60


def test_findings_are_few_and_short() -> None:
    text = read(ROOT / "docs/reference/results.md")
    section = text[text.index("## Findings") : text.index("## What cannot be concluded")]
    _, *findings = paragraphs(section)
    assert 0 < len(findings) <= 6
    assert max(len(words(each)) for each in findings) <= 40


PAGE = """---
kernel: python3
---
# A title of a page

A `name of code` and a [link](https://example.org/one) of $x + y$. Then 5 to 9.
Another!

| tables | count not |
|---|---|

- An item, e.g. this.
  It goes on.

```{testcode}
print("code that turns, tells. And counts not")
```
"""


def test_how_prose_is_counted() -> None:
    assert paragraphs(PAGE) == [
        "A code and a link of formula. Then 5 to 9. Another!",
        "An item, e.g. this. It goes on.",
    ]
    assert len(sentences(PAGE)) == 5
    assert count(PAGE) == 19


@pytest.mark.parametrize("text", ["It tells.", "Her turn.", "It is worth it", "a `x` that hears"])
def test_unwanted_words_are_found(text: str) -> None:
    assert len(unwanted(text)) == 1


MODULE = '''"""A `door` of the house."""

class Room:
    """A list.

    >>> tell(worth)
    """

    def talk(self):
        pass

    async def hear(self):
        """Turns one, as
        nobody does."""
'''


def test_private_words_are_found_in_docstrings() -> None:
    found = {name: private(text) for name, text in docstrings(MODULE)}
    assert found == {"": ["house"], "Room": [], "hear": ["nobody"]}


@pytest.mark.parametrize("text", ["Turn off", "turned", "in turn,", "`turn`", "in turns off on"])
def test_others_are_not(text: str) -> None:
    assert unwanted(text) == []
