"""What health tells of a file system whose volumes follow those of the other side, by snapshots or by SnapMirror. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.fsx.models import FileSystem
from orchestrator.contract import Check, Member, RunContext
from orchestrator.words import CheckState, Phase


def checks(  # noqa: PLR0913  what is told of the volumes has three parts
    member: Member,
    target: FileSystem | None,
    run: RunContext,
    *,
    closed: Sequence[str],
    serving: int,
    alone: Sequence[str],
) -> list[Check]:
    """Check that it is up, that no volume is `closed` for writing, and after REPLICATE that none is left `alone`."""
    me, life = member.resource_id, target.Lifecycle if target else "not there"
    up = CheckState.HEALTHY if life in {"AVAILABLE", "UPDATING"} else CheckState.UNHEALTHY
    role = CheckState.UNHEALTHY if closed else CheckState.HEALTHY
    open_ = f"no writes to {', '.join(closed)}" if closed else f"{serving} volume(s) take writes"
    found = [Check(me, "file-system", up, f"{member.target.id} is {life}"), Check(me, "role", role, open_)]
    if run.phase is not Phase.REPLICATE:
        return found
    safe = CheckState.SETTLING if alone else CheckState.HEALTHY
    told = f"not followed: {', '.join(alone)}" if alone else "the source side follows"
    return [*found, Check(me, "protection", safe, told)]
