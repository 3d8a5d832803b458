"""The sentences and words of a Markdown page, and the docstrings of a module, without code."""

import ast
import re

# What no page says; `docs/concepts/vocabulary.md` has the words that it does.
WORDS = re.compile(
    r"\b(talk\w*|hear|hears|heard|tell|tells|telling|told|worth|"
    r"turns?(?! (?:off|on|into|out)\b)(?<!in turn))\b",
    re.IGNORECASE,
)
# Nor does a docstring; "turn" is a column of a table and a term of diarisation.
PRIVATE_WORDS = re.compile(
    r"\b(talk\w*|hear|hears|heard|tell|tells|telling|told|worth|doors?|houses?|rooms?|strangers?|"
    r"riddles?|habits?|newcomers?|nobody|somebody|spoils?|forgets|sees)\b",
    re.IGNORECASE,
)
# A full stop that ends no sentence.
ABBREVIATIONS = re.compile(r"\b(e\.g|i\.e|vs|and others|[A-Z])\.(?=\s)")


def paragraphs(text: str) -> list[str]:
    """Paragraphs and items of lists, each on one line."""
    text = re.sub(r"\A---\n.*?^---\n", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"^( *)(`{3,}|:{3,}).*?^\1\2$", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"<!--.*?-->|^\$\$.*?^\$\$", "", text, flags=re.MULTILINE | re.DOTALL)
    lines = [
        "" if re.match(r"\s*(\||#|!\[)", line) else re.sub(r"^\s*(?:[-*]|\d+\.|:) ", "\n\n", line)
        for line in text.splitlines()
    ]
    blocks = re.split(r"\n\s*\n", "\n".join(lines))
    return [plain for block in blocks if (plain := " ".join(_plain(block).split()))]


def sentences(text: str) -> list[str]:
    """All sentences of a page."""
    return [
        sentence
        for paragraph in paragraphs(text)
        for sentence in re.split(r"(?<=[.!?])[)\"]?\s+", ABBREVIATIONS.sub(r"\1", paragraph))
    ]


def words(text: str) -> list[str]:
    """What has a letter or a digit in it."""
    return [word for word in text.split() if re.search(r"\w", word)]


def count(text: str) -> int:
    """The number of words of a page's prose."""
    return sum(len(words(paragraph)) for paragraph in paragraphs(text))


def unwanted(text: str) -> list[str]:
    """The words of `WORDS` on a page, in tables, too; not in code."""
    text = re.sub(r"^( *)(`{3,}|:{3,}).*?^\1\2$", "", text, flags=re.MULTILINE | re.DOTALL)
    return [match.group() for match in WORDS.finditer(_plain(text))]


def docstrings(source: str) -> list[tuple[str, str]]:
    """The docstrings of a module of Python, behind the definition's name; the module's has none."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, kinds)]
    found = [(getattr(node, "name", ""), ast.get_docstring(node)) for node in nodes]
    return [(name, text) for name, text in found if text]


def private(text: str) -> list[str]:
    """The words of `PRIVATE_WORDS` in a docstring, without names and examples of code."""
    prose = re.sub(r"^\s*(>>>|\.\.\.) .*$", "", text, flags=re.MULTILINE)
    return [match.group() for match in PRIVATE_WORDS.finditer(_plain(prose))]


def _plain(text: str) -> str:
    """A name, a formula or a link is a word, or its text."""
    text = re.sub(r"(\{[\w:-]+\})?``?[^`]+``?", "code", text)
    text = re.sub(r"\$[^$\n]+\$", "formula", text)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    return re.sub(r"[*_]{1,2}(?=\S)|(?<=\S)[*_]{1,2}", "", text)
