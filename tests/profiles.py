"""How many examples the quick run gives a property whose examples take long."""

from hypothesis import settings

QUICK = 10  # examples of the profile "quick"; every other profile has more


def in_quick(num: int) -> settings:
    """As many in the quick run, and in others all of the profile's."""
    whole = settings.default.max_examples
    return settings(max_examples=num if whole == QUICK else whole)
