"""A page to look at and listen to: one recording, its utterances and their predictions."""

from graphfusion.recordings.page.page import make_page

__all__ = ["make_page"]
