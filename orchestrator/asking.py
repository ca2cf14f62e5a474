"""Ask many accounts and Regions side by side: bounded, each error kept apart, and a Region that is gone waited for only a few times.

Slowing down when AWS throttles is botocore's business (`adaptive` retries, see `orchestrator.sessions`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from orchestrator.errors import DrError, UnreachableError

PARALLEL = 24
GIVE_UP_AFTER = 5
"""Times in a row that a Region gives no answer before the rest of it is not asked."""

Q = TypeVar("Q")
A = TypeVar("A")


def ask_all(
    questions: Sequence[Q], region_of: Callable[[Q], str], ask: Callable[[Q], A]
) -> Iterator[tuple[Q, A | DrError]]:
    """Yield each question with its answer, or with the error it met, in the order asked."""
    silent: Counter[str] = Counter()

    def answer(question: Q) -> tuple[Q, A | DrError]:
        region = region_of(question)
        if silent[region] >= GIVE_UP_AFTER:
            return question, UnreachableError(
                f"{region} gave no answer {GIVE_UP_AFTER} times in a row; it was not asked here.",
                "if the Region is lost, start with Emergency; else look again when it answers.",
            )
        try:
            given = ask(question)
        except UnreachableError as err:
            silent[region] += 1
            return question, err
        except DrError as err:
            return question, err
        silent[region] = 0
        return question, given

    with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
        yield from pool.map(answer, questions)
