"""How many examples the quick run gives a property whose examples take long."""

from hypothesis import settings

QUICK = 10  # the examples of the profile "quick", which other profiles exceed


def in_quick(num: int) -> settings:
    """As many in the quick run, and in others all of the profile's."""
    whole = settings.default.max_examples
    return settings(max_examples=num if whole == QUICK else whole)
