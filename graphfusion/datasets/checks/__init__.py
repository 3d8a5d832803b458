"""Checks of conversations and corpora: rules that must hold, and likely mistakes."""
