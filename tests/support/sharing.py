"""Which tests run in one process, because they share what is dear: rehearsals, a synthesised hub, a deployed one.

pytest-xdist's own groups get lost on pytest 9.2 without a word, and what is dear was made in every process.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from xdist.scheduler import LoadScopeScheduling


class Sharing(LoadScopeScheduling):
    """Gives all tests that share what is dear to one process."""

    def _split_scope(self, nodeid: str) -> str:
        return shared_by(nodeid)


def shared_by(nodeid: str) -> str:
    """Name what a test shares: a technology's rehearsals, the synthesised infrastructure, else what its file has."""
    path, _, test = nodeid.partition("::")
    if path.startswith("tests/infra/"):
        return "infra"
    drawn = test.partition("[")[2].partition("]")[0]
    if path.startswith("tests/contract/") and drawn:
        return f"contract {drawn.partition('-')[0]}"
    return path


def dearest_first(nodeids: Iterable[str]) -> dict[str, tuple[bool, int]]:
    """Return what to sort tests by, so that no process is still at something long when the others have nothing left.

    Rehearsals and stories in the embedded AWS come first, and what shares more tests before what shares fewer.
    """
    shared = {nodeid: shared_by(nodeid) for nodeid in nodeids}
    tests = Counter(shared.values())
    return {nodeid: (not _is_dear(nodeid), -tests[name]) for nodeid, name in shared.items()}


def _is_dear(nodeid: str) -> bool:
    return nodeid.startswith(("tests/contract/", "tests/adapters/", "tests/infra/"))
