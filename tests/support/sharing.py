"""Which tests run in one process, because they share what is dear: rehearsals, a synthesised hub, a deployed one.

pytest-xdist's own groups get lost on pytest 9.2 without a word, and what is dear was made in every process.
"""

from __future__ import annotations

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
