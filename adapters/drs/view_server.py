"""What is known of each server of a DRS batch after a look."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from adapters.drs.landing import Landing
from adapters.drs.models import Job, Launch, LogItem, Recovered, Server
from adapters.drs.spec import LAUNCH_ENDED_BADLY
from adapters.drs.view_machines import Machine, MachineStatus
from adapters.drs.view_plan import PlanView
from orchestrator.contract import Member


@dataclass(frozen=True)
class ServerView:
    """One server of the batch. `job`, `own` and `events` are those of this run; `others` were launched by somebody else."""

    member: Member
    server: Server | None
    launch: Launch | None = None
    recovery_point: datetime | None = None
    job: Job | None = None
    events: tuple[LogItem, ...] = ()
    other_job: str = ""
    """The job, not of this run, that holds the server now."""
    own: Recovered | None = None
    others: tuple[Recovered, ...] = ()
    status: MachineStatus | None = None
    leaving: str = ""
    """The state of this run's instance that DRS has given up and EC2 has not terminated yet."""
    source: Machine | None = None
    reverse: Server | None = None
    kept_for: str = ""
    """Why the source instance must stay although it was replaced: DRS is to launch into it."""
    locked: bool = False
    """Whether EC2 refuses to terminate the source instance; asked only before that."""
    into: str | None = None
    """The prepared instance to be launched into as the inventory has it; None where launches make new instances."""
    prepared: Machine | None = None
    prepared_locked: bool | None = None
    """Whether EC2 refuses to terminate the prepared instance; None when that was not asked (yet)."""
    reverse_launch: Launch | None = None
    machine: Machine | None = None
    """This run's recovery instance in EC2; asked only for a drill of a recovery plan."""

    @property
    def id(self) -> str:
        """Return the resource id."""
        return self.member.resource_id

    @property
    def recovered(self) -> Recovered | None:
        """Return the recovery instance that stands for the server now, of this run or of one before it; never a drill's."""
        real = [each for each in self.others if not each.isDrill]
        return self.own or (real[0] if real else None)

    @property
    def landed(self) -> bool:
        """Say whether this run's launch went into the prepared instance."""
        return bool(self.into) and self.own is not None and self.own.recoveryInstanceID == self.into

    @property
    def exposed(self) -> bool:
        """Say whether DRS lists the prepared instance as one that it launched: another launch might clear it away."""
        listed = [*self.others, self.own] if self.own else self.others
        return bool(self.into) and any(each.recoveryInstanceID == self.into for each in listed)

    @property
    def returned(self) -> bool:
        """Say whether a rollback has stopped and fenced the prepared instance that this run launched into."""
        down = self.prepared is not None and self.prepared.State.Name == "stopped" and self.prepared.fenced
        return self.landed and down

    @property
    def launch_status(self) -> str:
        """Return the server's launchStatus in this run's newest job; empty without one."""
        part = self.job.part(self.member.target.id) if self.job else None
        return part.launchStatus if part else ""

    @property
    def launched_id(self) -> str:
        """Return the id of the instance that this run's newest job launched; empty before."""
        part = self.job.part(self.member.target.id) if self.job else None
        return (part.recoveryInstanceID if part else None) or ""

    @property
    def launch_state(self) -> str:
        """Return where the launch stands: nothing, `busy`, `launched` or `failed`."""
        if self.launch_status in LAUNCH_ENDED_BADLY:
            return "failed"
        return {"": "", "LAUNCHED": "launched"}.get(self.launch_status, "busy")

    def happened(self, *events: str) -> bool:
        """Say whether one of these events is in the log of this run's job."""
        return any(item.event in events for item in self.events)

    def errors(self) -> str:
        """Return the reasons in the log of this run's job."""
        return "; ".join(f"{i.event}: {i.eventData.rawError}" for i in self.events if i.eventData.rawError)


@dataclass(frozen=True)
class DrsView:
    """The servers of a batch that may still be touched. `source_ready` is None when it was not asked."""

    servers: tuple[ServerView, ...]
    strategy: str = ""
    plans: tuple[PlanView, ...] = ()
    active_jobs: int = 0
    servers_in_jobs: int = 0
    source_ready: bool | None = None
    source_reached: bool = True
    landing: Landing = Landing()
    """What they are launched with; read when the run is planned."""
