"""Everything the verbs of the platform need from outside, in one place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.approvals import Approvals
from orchestrator.blobs import Blobs
from orchestrator.clock import Clock
from orchestrator.contract import Adapter, Reader, RunContext, Target
from orchestrator.discovery import OpenReader
from orchestrator.engine import Engine, OpenSession
from orchestrator.errors import DrError
from orchestrator.leases import Leases
from orchestrator.ledger.records import Event, Run
from orchestrator.ledger.store import Ledger
from orchestrator.notify import Message, Notifier
from orchestrator.probes import Connect
from orchestrator.scope_check import confirm_scope
from orchestrator.sessions import AwsReader, Caller, Hub, RunClients, caller_of

DISCOVERY = "discovery"
"""The spoke role that may look everywhere and change nothing."""


@dataclass(frozen=True)
class Platform:
    """The composed platform of one hub Region."""

    hub_region: str
    ledger: Ledger
    blobs: Blobs
    clock: Clock
    adapter: Callable[[str], Adapter[Any]]
    adapters: Callable[[], Sequence[Adapter[Any]]]
    open_session: OpenSession
    open_reader: OpenReader
    explorer: Callable[[], Reader]
    notifier: Notifier
    explorer_view_arn: str | None = None
    accounts: tuple[str, ...] = ()
    approvals: Approvals = Approvals()
    leases: Leases = Leases()
    """What drills get that do not say."""
    connect: Connect | None = None
    """Asks probe functions in the workloads' VPCs; None: connectivity is not looked at."""

    @property
    def engine(self) -> Engine:
        """Return the engine on this platform."""
        confirm = confirm_scope(self.open_reader, DISCOVERY)
        return Engine(self.ledger, self.blobs, self.clock, self.adapter, self.open_session, confirm)

    def note(
        self, run_id: str, kind: str, message: str, *, actor: str = "platform", stage_id: str | None = None
    ) -> None:
        """Append to the run's audit trail."""
        self.ledger.record(
            Event(run_id=run_id, at=self.clock.now(), kind=kind, message=message, actor=actor, stage_id=stage_id)
        )

    def tell(self, message: Message) -> None:
        """Deliver a message; one that cannot be delivered is noted and does not stop the run."""
        try:
            self.notifier.send(message)
        except DrError as err:
            self.note(message.run_id, "undelivered", f'message "{message.subject}" was not delivered: {err}')


def spoke_session(hub: Hub) -> OpenSession:
    """Return the opener of spoke sessions for runs: caller, session tags and session policy from run and target."""

    def open_session(run: Run, adapter: Adapter[Any], context: RunContext, target: Target) -> RunClients:
        phase = None if run.dry_run or context.planning or context.held else context.phase
        return RunClients(hub, caller_of(run), adapter.spec, context, phase, target)

    return open_session


def spoke_reader(hub: Hub) -> OpenReader:
    """Return the opener of discovery readers."""

    def open_reader(account: str, region: str, technology: str) -> AwsReader:
        return hub.spoke(account, region, technology, Caller("discovery", "platform"), None, looks_around=True)

    return open_reader
