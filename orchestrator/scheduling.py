"""Drills by the calendar: each rehearses the move away from where the scope runs, in the hub of the Region that stands by.

The schedule fires in both Regions' hubs, with the same input, and each hub judges by its own ledger whose turn it is. What is not
held at all is told by the hub of the Region that the configuration names, so that people hear of it once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orchestrator.errors import NotFoundError
from orchestrator.executions import Executions
from orchestrator.home import Whereabouts, whereabouts
from orchestrator.inventory import Snapshot
from orchestrator.leases import drill_command, some
from orchestrator.ledger.records import Scope
from orchestrator.notify import Message, Notice
from orchestrator.platform import Platform
from orchestrator.request import Request, parse
from orchestrator.tags import WAVE

CALLER = "schedule"
"""In place of a run's id in what is told."""


@dataclass(frozen=True)
class Due:
    """A drill whose time has come, as the configuration names it."""

    schedule: str
    """The name of its schedule; with the time it names the run, so that a repetition starts nothing twice."""
    drill: str
    request: Mapping[str, Any]
    at: datetime

    @property
    def run_id(self) -> str:
        """Return the id of its run."""
        return f"{self.schedule}-{self.at:%Y%m%dT%H%M}"


@dataclass(frozen=True)
class Start:
    """This hub holds the drill, with this input."""

    request: Mapping[str, Any]


@dataclass(frozen=True)
class NotHeld:
    """Nobody holds it; `why` with what was observed, `command` what to type instead."""

    why: str
    command: str


Turn = Start | NotHeld | None
"""None: the hub of the other Region holds it."""


def hold(
    platform: Platform, executions: Executions, due: Due, home_region: str, hubs: frozenset[str], machine_arn: str
) -> str | None:
    """Start a drill that is this hub's turn, and return its run; tell when nobody holds it. Repeatable.

    `home_region`: where the scope runs in normal times; when that is no Region of the drill, the drill's own word counts.
    """
    request = parse(dict(due.request))
    scope = _scope(request)
    home = home_region if home_region in {request.PrimaryRegion, request.DRRegion} else request.PrimaryRegion
    where = whereabouts(platform.ledger, scope, home)
    turn = whose_turn(request, where, platform.ledger.newest_snapshot(scope), platform.hub_region, hubs)
    tells = platform.hub_region == request.DRRegion
    if isinstance(turn, Start):
        busy = _held_by_another(platform, scope, due.run_id, {**due.request, **turn.request})
        if busy is None:
            executions.start(machine_arn, due.run_id, {**due.request, **turn.request})
            return due.run_id
        turn, tells = busy, True
    if isinstance(turn, NotHeld) and tells:
        body = f"{turn.why}\nNext: {turn.command}"
        subject = f"[DR] {scope} drill {due.drill} was not held"
        platform.notifier.send(Message(Notice.WARNING, scope.customer, CALLER, subject, body))
    return None


def _held_by_another(platform: Platform, scope: Scope, run_id: str, given: Mapping[str, Any]) -> NotHeld | None:
    """Return why a drill would be refused: another run goes on in its scope."""
    held = platform.ledger.holder(scope)
    if held is None or held.run_id == run_id:
        return None
    try:
        run = platform.ledger.run(held.run_id)
    except NotFoundError:
        return None  # it is just being accepted, or never came to be: accepting the drill judges that
    if run.ended_at is not None:
        return None
    why = f"{scope} is held by run {run.run_id} ({run.status}) since {held.taken_at:%Y-%m-%d %H:%M} UTC."
    request = parse(dict(given))
    return NotHeld(
        why,
        f"dr status {run.run_id} --region {run.target_region}   when it has ended: "
        f"{drill_command(scope, request.PrimaryRegion, request.DRRegion)}",
    )


def whose_turn(
    request: Request, where: Whereabouts, snapshot: Snapshot | None, hub_region: str, hubs: frozenset[str]
) -> Turn:
    """Say whether the hub of a Region holds a drill. Pure."""
    scope = _scope(request)
    regions = (request.PrimaryRegion, request.DRRegion)
    found = _served_from(request, where, snapshot)
    if len(found) > 1:
        seen = "; ".join(f"{some(names)} in {region}" for region, names in sorted(found.items()))
        why = (
            f"{scope} is split: {seen}. A drill rehearses one direction, and expects all that it copies in one Region."
        )
        return NotHeld(why, f"{drill_command(scope, *regions)} --waves WAVE, with waves that run in one Region")
    (serves,) = found
    if serves not in regions:
        why = f"{scope} runs in {serves}, expected {' or '.join(regions)}."
        return NotHeld(why, "correct the Regions of the drill in config/, and deploy")
    into = next(region for region in regions if region != serves)
    if into not in hubs:
        by = f" since run {where.moved_by}" if where.moved_by else ""
        why = f"{scope} runs in {serves}{by}; the move away from there goes into {into}, where there is no hub."
        return NotHeld(why, f"dr status {where.moved_by} --region {serves}" if where.moved_by else "move it back first")
    if into != hub_region:
        return None
    if serves == request.PrimaryRegion:
        return Start({})
    by = f" since run {where.moved_by}" if where.moved_by else ""
    return Start(
        {
            "PrimaryRegion": serves,
            "DRRegion": into,
            "Reason": f"{request.Reason}, the other way round: {scope} runs in {serves}{by}".removeprefix(", "),
        }
    )


def _served_from(request: Request, where: Whereabouts, snapshot: Snapshot | None) -> dict[str, list[str]]:
    """Return the Regions in which what a drill copies runs, each with what runs there."""
    found: dict[str, list[str]] = {}
    for resource in snapshot.resources if snapshot else ():
        if not request.Waves or resource.tags.get(WAVE) in {str(wave) for wave in request.Waves}:
            found.setdefault(where.of(resource.resource_id), []).append(resource.resource_id)
    return found or {where.region: []}


def _scope(request: Request) -> Scope:
    return Scope(customer=request.Customer, environment=request.Environment.value)
