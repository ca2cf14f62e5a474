"""Where the resources of a scope run: at home, or where runs have moved them. A run counts for what it moved, and no more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.ledger.records import Run, Scope
from orchestrator.ledger.store import Ledger
from orchestrator.linked import activated
from orchestrator.words import Mode, Phase


@dataclass(frozen=True)
class Whereabouts:
    """Where a scope as a whole runs, which run brought it there, and the resources that are elsewhere."""

    region: str
    moved_by: str | None = None
    elsewhere: Mapping[str, str] = field(default_factory=dict)

    def of(self, resource_id: str) -> str:
        """Return where a resource runs; one that no run has seen is where the scope is."""
        return self.elsewhere.get(resource_id, self.region)


def whereabouts(ledger: Ledger, scope: Scope, home_region: str) -> Whereabouts:
    """Return where a scope runs: where its last whole, successful move went, else at home; and what was moved since.

    A run of other phases alone (the standby made ready, an old side put to sleep) moved nothing; one that was limited to some
    waves, or did not come to a good end, moved what it has activated. What a whole move left behind is where it was.
    """
    moved: dict[str, str] = {}
    whole: Run | None = None
    behind: set[str] = set()
    for run in ledger.runs_of(scope):
        if run.dry_run or run.mode is Mode.DRILL or (run.phases and Phase.ACTIVATE not in run.phases):
            continue
        well = run.status.well
        outcomes = activated(ledger.actions(run.run_id), well=well)
        for resource, there in outcomes.items():
            if there:
                moved.setdefault(resource, run.target_region)
        if whole is None and well and not run.waves:
            whole = run
            behind = {resource for resource, there in outcomes.items() if not there}
        if whole is not None and behind <= moved.keys():
            break
    region = whole.target_region if whole else home_region
    found = {**dict.fromkeys(behind, home_region), **moved}
    return Whereabouts(
        region, whole.run_id if whole else None, {r: where for r, where in sorted(found.items()) if where != region}
    )
