"""How many mutants the tests kill, a file: `mutmut results --all true | python -m tests.mutants`.

Fails below the share of them that has to die. Those that live are explained in `MUTANTS.md`.
"""

import sys
from collections import Counter
from collections.abc import Iterable

LEAST = 0.9
# What a mutant may end as besides "killed"; in an endless loop it has been noticed, too.
LIVES, DIES = ("survived", "no tests", "suspicious"), ("killed", "timeout", "segfault")


def count(lines: Iterable[str]) -> dict[str, Counter[str]]:
    """By file, how many mutants ended how, of lines like `graphfusion.x.y__1: killed`."""
    counts: dict[str, Counter[str]] = {}
    for line in filter(str.strip, lines):
        mutant, status = line.strip().split(": ")
        if status not in LIVES + DIES:
            raise ValueError(f"every mutant must have been tried, but got {line.strip()!r}.")
        path = "/".join(mutant.split(".")[1:-1]) + ".py"
        counts.setdefault(path, Counter())[status] += 1
    return counts


def share(counts: Counter[str]) -> float:
    return sum(counts[status] for status in DIES) / counts.total()


def main() -> None:
    counts = count(sys.stdin)
    if not counts:
        sys.exit("There must be mutants, but got none.")
    total = sum(counts.values(), Counter())
    for name, each in [*sorted(counts.items()), ("all", total)]:
        ends = ", ".join(f"{status} {number}" for status, number in sorted(each.items()))
        sys.stdout.write(f"{name:32} {share(each):7.1%} of {each.total():4}: {ends}\n")
    if share(total) < LEAST:
        sys.exit(f"At least {LEAST:.0%} of the mutants must be killed, but got {share(total):.1%}.")


if __name__ == "__main__":
    main()
