"""Numbers with their nouns in messages."""


def counted(number: int, one: str, many: str = "") -> str:
    """Returns a number with its noun, "1 row" or "2 rows".

    Args:
        number: The number.
        one: What follows 1.
        many: What follows all other numbers; empty: `one` with an "s".
    """
    return f"{number} {one if number == 1 else many or one + 's'}"
