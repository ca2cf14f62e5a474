"""The closed vocabularies of the product: one enum per status, one word per idea."""

from __future__ import annotations

from enum import StrEnum


class Operation(StrEnum):
    """What the operator asked for."""

    FAILOVER = "failover"
    FAILBACK = "failback"
    TEST = "test"


class Mode(StrEnum):
    """How a run treats data and the source side. Always explicit, never inferred from errors."""

    PLANNED = "planned"
    EMERGENCY = "emergency"
    DRILL = "drill"


class Phase(StrEnum):
    """The four phases, the same for every technology, in their order, and the opt-in fifth that deletes the old side."""

    INSTANTIATE = "INSTANTIATE"
    ACTIVATE = "ACTIVATE"
    CLEANUP = "CLEANUP"
    REPLICATE = "REPLICATE"
    DECOMMISSION = "DECOMMISSION"


LIFECYCLE = (Phase.INSTANTIATE, Phase.ACTIVATE, Phase.CLEANUP, Phase.REPLICATE)
"""The phases of a run that deletes nothing."""


class Order(StrEnum):
    """The order of a plan's stages: wave by wave, or phase by phase with the waves inside."""

    WAVE = "wave"
    LIFECYCLE = "lifecycle"


class Priority(StrEnum):
    """The order of resources inside a wave."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @property
    def rank(self) -> int:
        """Return 0 for critical up to 3 for low."""
        return list(Priority).index(self)


class Side(StrEnum):
    """Where a call goes: the Region being left, the Region being activated, or a global endpoint."""

    SOURCE = "source"
    TARGET = "target"
    GLOBAL = "global"


class Effect(StrEnum):
    """What a step does to the world, and whether it can be taken back."""

    NONE = "none"
    REVERSIBLE = "reversible"
    COMPENSABLE = "compensable"
    IRREVERSIBLE = "irreversible"


class StepState(StrEnum):
    """How far a step is, judged from what was observed."""

    DONE = "done"
    BUSY = "busy"
    TODO = "todo"
    BLOCKED = "blocked"
    FAILED = "failed"


class Outcome(StrEnum):
    """How an action ended."""

    SUCCEEDED = "succeeded"
    SUCCEEDED_WITH_WARNINGS = "succeeded_with_warnings"
    FAILED = "failed"
    FAILED_IGNORED = "failed_ignored"
    TIMED_OUT = "timed_out"
    SKIPPED = "skipped"
    DEFERRED = "deferred"
    ROLLED_BACK = "rolled_back"


class ActionStatus(StrEnum):
    """Where an action is; when ENDED, its `Outcome` says how it ended."""

    PENDING = "pending"
    RUNNING = "running"
    ENDED = "ended"


class StageStatus(StrEnum):
    """Where a stage is."""

    PENDING = "pending"
    RUNNING = "running"
    CHECKING = "checking"
    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    ROLLED_BACK = "rolled_back"


class RunStatus(StrEnum):
    """Where a run is."""

    ACCEPTED = "accepted"
    PLANNING = "planning"
    READY = "ready"
    RUNNING = "running"
    WAITING = "waiting"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    SUCCEEDED_WITH_WARNINGS = "succeeded_with_warnings"
    FAILED = "failed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    STOPPED = "stopped"
    PREVIEWED = "previewed"

    @property
    def ended(self) -> bool:
        """Say whether nothing more will happen in the run."""
        return self not in {self.ACCEPTED, self.PLANNING, self.READY, self.RUNNING, self.WAITING, self.PAUSED}

    @property
    def well(self) -> bool:
        """Say whether the run did what it was to do."""
        return self in {self.SUCCEEDED, self.SUCCEEDED_WITH_WARNINGS}


class GateKind(StrEnum):
    """Why a person is asked."""

    PLAN = "plan"
    PHASE = "phase"
    WAVE = "wave"
    COMMIT = "commit"
    FAILURE = "failure"
    PAUSE = "pause"


class Choice(StrEnum):
    """What a person may answer at a gate."""

    APPROVE = "approve"
    REJECT = "reject"
    RETRY = "retry"
    SKIP = "skip"
    CONTINUE = "continue"
    ROLLBACK = "rollback"
    ROLLBACK_RUN = "rollback-run"
    ABORT = "abort"
    RESUME = "resume"


class GateStatus(StrEnum):
    """Where a gate is."""

    OPEN = "open"
    ANSWERED = "answered"
    WITHDRAWN = "withdrawn"


class Approval(StrEnum):
    """Whether gates are asked."""

    REQUIRED = "required"
    AUTOMATIC = "automatic"


class OnFailure(StrEnum):
    """What happens when a stage does not pass: a person is asked, or it was said beforehand."""

    ASK = "ask"
    CONTINUE = "continue"
    ROLLBACK = "rollback"
    ABORT = "abort"


class Severity(StrEnum):
    """How grave a finding is."""

    OK = "ok"
    WARNING = "warning"
    RED = "red"


class Readiness(StrEnum):
    """How a scope's plan stands between runs."""

    DRAFT = "draft"
    """No plan can be made: there is no inventory, or its tags are wrong."""
    READY = "ready"
    NEEDS_ATTENTION = "needs_attention"
    STALE = "stale"
    """A plan can be made, from an inventory that is old or partial."""


class CheckState(StrEnum):
    """What a health check saw."""

    HEALTHY = "healthy"
    SETTLING = "settling"
    UNHEALTHY = "unhealthy"


class Use(StrEnum):
    """What a permission is for; phases carry the phase's own name."""

    DISCOVER = "DISCOVER"
    OBSERVE = "OBSERVE"
    PLAN = "PLAN"
    """What only the look of a plan reads: everything that readiness wants to know once, and no phase looks at again."""
    INSTANTIATE = "INSTANTIATE"
    ACTIVATE = "ACTIVATE"
    CLEANUP = "CLEANUP"
    REPLICATE = "REPLICATE"
    DECOMMISSION = "DECOMMISSION"
    ROLLBACK = "ROLLBACK"
    DRILL = "DRILL"


class Undoing(StrEnum):
    """Codes of findings that tell what would undo a run. The gravest first: what is under way, what may begin, what waits."""

    STACK_CHANGES = "stack-in-progress"
    DEPLOYMENT = "deployment"
    DEPLOYING = "deploying"
    REFRESHING = "refreshing"
    PIPELINE = "pipeline"
    SCHEDULED = "scheduled-actions"
    SCALING = "scaling"
    RULE = "event-rule"
    DRIFTED = "stack-drift"
    OWNED = "stack"
    NOT_SEEN = "undoing-not-seen"
