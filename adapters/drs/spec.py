"""The declaration of DRS. Sources: DRS API reference; DRS user guide, "Failback" and "Identity and access management"."""

from __future__ import annotations

from adapters.drs.permissions import COPYING, INTO, PERMISSIONS, PLAN
from orchestrator.spec import Quota, Spec, Strategy
from orchestrator.words import Mode, Phase, Side

RECOVERY_PLAN = "recoveryPlan"
"""The setting of a manifest that names a server's recovery plan: by its name, or by the ARN of one Region's."""

SPEC = Spec(
    key="drs",
    title="AWS Elastic Disaster Recovery",
    resource_types=("ec2:instance",),
    manifest_actions=("DRS", "EC2"),
    strategies=(
        Strategy(
            name="drs-recovery",
            title="New instances in the target Region from DRS's newest data; replication reversed afterwards",
            planned_loss="none, when the application was quiesced and the backlog is drained",
            emergency_loss="replication lag, seconds to minutes",
            typical_minutes={Phase.INSTANTIATE: 1, Phase.ACTIVATE: 15, Phase.CLEANUP: 2, Phase.REPLICATE: 45},
            rollback_until="until the recovery instances have taken traffic; after that, fail back",
        ),
        Strategy(
            name=INTO,
            title="DRS's newest data in prepared, stopped instances, which keep their ids and addresses; back into the originals",
            planned_loss="none, when the application was quiesced and the backlog is drained",
            emergency_loss="replication lag, seconds to minutes",
            typical_minutes={Phase.INSTANTIATE: 1, Phase.ACTIVATE: 15, Phase.CLEANUP: 2, Phase.REPLICATE: 45},
            rollback_until="until the prepared instances have taken traffic; after that, fail back",
        ),
        Strategy(
            name=PLAN,
            title="New instances, launched by a recovery plan of DRS in its order and with its pauses; only where a tag or a "
            "manifest asks for it",
            planned_loss="none, when the application was quiesced and the backlog is drained",
            emergency_loss="replication lag, seconds to minutes",
            typical_minutes={Phase.INSTANTIATE: 1, Phase.ACTIVATE: 30, Phase.CLEANUP: 2, Phase.REPLICATE: 45},
            rollback_until="until the recovery instances have taken traffic; after that, fail back",
        ),
    ),
    permissions=PERMISSIONS,
    documentation="https://docs.aws.amazon.com/drs/latest/userguide/failback-overview.html",
    batch_size=100,
    poll_seconds=15,
    deadline_minutes=360,
    native_listing=True,
    together_setting=RECOVERY_PLAN,
    refuses=(
        "A tagged EC2 instance that no source server protects: a planned run stops and names it, an emergency leaves it out "
        "and says so.",
        "Servers outside EC2: failing back to them needs DRS's failback client and a person at the machine.",
        "Launching a server that is in another job: a second launch would replace its recovery instance.",
        "Terminating a recovery instance in a drill that the drill did not launch, or in a rollback after REPLICATE.",
        "StopReplication, DisconnectSourceServer and DeleteSourceServer, ever: they delete every point in time.",
        "A recovery plan that holds other servers than one action moves, is not tagged for the scope, or is one of several that "
        "hold a server: an execution launches all servers of its plan. Waves and gates of this platform need no recovery plan.",
        "A recovery plan that a manifest names (`recoveryPlan`) and that is not there, lies in the other Region (its name is good for "
        "both, an ARN for one), or stands beside another strategy than drs-recovery-plan.",
        "A second execution of a plan while instances of the first run: it would launch them again; failed steps are retried.",
        "Launching a server of another strategy into an existing instance: a rollback or the end of a drill would terminate it.",
        "Launching into a prepared instance that is not stopped, carries other tags than its server, does not fit, or was "
        "protected in the other direction and never fenced: its volumes would be replaced.",
        "Terminating a prepared instance, ever: a rollback stops and fences it, and REPLICATE protects it against termination.",
        "A drill of a server that is launched into a prepared instance: DRS launches drills there, too, so it is only looked at.",
        "Terminating a source instance, except in a decommission, and there only while it is stopped and fenced, its recovery "
        "instance serves, replication back of that instance is CONTINUOUS and nothing is set to launch into it.",
    ),
    limits=(
        "100 servers in a job (DRS quotas).",
        "300 replicating servers in an account and Region, 4,000 source servers with extended ones (DRS quotas).",
        "20 jobs and 500 servers in jobs at one time, those of others included (DRS quotas L-D88FAC3A, L-05AFA8C6): a launch waits until "
        "there is room.",
        "One job per server (DRS quota L-B827C881).",
        "A job that is COMPLETED may hold servers that FAILED: each server's launch status decides (DRS API reference).",
        "The Name tag pairs the two directions, so it must be unique in a scope.",
        "A prepared instance must be stopped, tagged AWSDRS=AllowLaunchingIntoThisInstance, of the same platform, x86_64, HVM, "
        "with an EBS root, Linux in BIOS mode, Windows in that of the source; Windows with a licence of your own needs a "
        "dedicated host; copied tags and addresses are off (DRS user guide, launch into source instance).",
        "A recovery plan has at most 20 steps, 100 servers over all steps, one execution at a time, 24 hours for it; the quotas of "
        "jobs hold for it, too (DRS user guide, recovery plan quotas). Executions longer than 6 hours are refused here.",
        "A plan is validated as a whole: one server that cannot be recovered keeps all others (DRS user guide, validation).",
        "A decommission terminates EC2 instances only. DRS goes on listing their source servers and recovery instances, and "
        "volumes without DeleteOnTermination stay (EC2 user guide, preserve data when an instance is terminated).",
    ),
    quotas=tuple(
        Quota(what, at_once, where, "DRS quotas", modes, strategies, counts_resources=each)
        for what, at_once, each in (("jobs of DRS", 20, False), ("servers in jobs of DRS", 500, True))
        for modes, strategies, where in (
            (frozenset({Mode.PLANNED, Mode.EMERGENCY}), (), {Phase.ACTIVATE: Side.TARGET}),
            (frozenset({Mode.DRILL}), COPYING, {Phase.INSTANTIATE: Side.TARGET, Phase.CLEANUP: Side.TARGET}),
        )
    ),
    unconfirmed=(
        "Whether a repeated StartRecovery removes the recovery instance that serves: never called again while one is there.",
        "Whether launching into a prepared instance again first clears it away as an earlier recovery instance: termination "
        "protection is on before any such launch, which would then fail while the instance stays.",
        "Whether failback.state of a recovery instance leaves FAILBACK_NOT_STARTED when its replication is reversed between "
        "Regions: where it does not, REPLICATE of a prepared instance ends with an error and nothing is lost.",
        "How many addresses of the staging area subnet a launch takes, beside those of the servers that replicate: none free stops a "
        "planned run, fewer than servers is told.",
        "The IAM actions of recovery plans: in the service authorization reference, younger than the data that checks names here.",
        "Whether an execution goes on with its starter's rights: the role may launch anyway, so that nothing depends on it.",
        "Which tags an execution puts on what it launches: jobs are told by the execution's steps, a drill marks its copies itself.",
        "What becomes of the volumes that a launch takes out of a prepared instance: nothing counts on them.",
        "Whether prepared instances may be arm64 (one page says x86_64, another the server's own architecture): refused.",
        "Which tags DRS puts on its staging volumes and snapshots: no permission depends on one.",
    ),
)

UNINITIALIZED = ("UninitializedAccountException",)
REPLICATING = ("CONTINUOUS",)
CATCHING_UP = ("BACKLOG", "CREATING_SNAPSHOT", "RESCAN")
NO_DATA_YET = ("INITIATING", "INITIAL_SYNC", "STOPPED")
"""States in which DRS holds nothing, or nothing complete, to launch from."""
ENDED = ("DISCONNECTED", "PAUSED", "STALLED", "STOPPED")
"""States in which replication does not go on by itself."""
INSTANCE_STATES = ("PENDING", "RUNNING", "STOPPING", "STOPPED", "SHUTTING-DOWN", "TERMINATED", "NOT_FOUND")
CHECKS = ("ok", "impaired", "insufficient-data", "not-applicable", "initializing")
LAUNCHING = ("PENDING", "IN_PROGRESS", "LAUNCHED")
LAUNCH_ENDED_BADLY = ("FAILED", "TERMINATED")
FAILURE_EVENTS = (
    "SNAPSHOT_FAIL",
    "CONVERSION_FAIL",
    "LAUNCH_FAILED",
    "CLEANUP_FAIL",
    "NETWORK_RECOVERY_FAIL",
    "USING_PREVIOUS_SNAPSHOT_FAILED",
    "SERVER_SKIPPED",
    "JOB_CANCEL",
)
SNAPSHOT_TAKEN_EVENTS = ("SNAPSHOT_END", "CONVERSION_START", "CONVERSION_END", "LAUNCH_START")
OLD_DATA_EVENT = "USING_PREVIOUS_SNAPSHOT"
ACTIVE_JOB = ("PENDING", "STARTED")
ACTIVE_JOBS_LIMIT = 20
"""Concurrent jobs per account and Region (DRS quota L-D88FAC3A)."""
DRAIN_SECONDS = 1800
"""How long a planned run waits for the backlog to reach zero."""
JOB_LOOKBACK_HOURS = 24
"""How far back jobs are listed to find the one this run started."""
FENCED = "dr:fenced"
LAUNCH_INTO = ("AWSDRS", "AllowLaunchingIntoThisInstance")
"""The tag of an instance that DRS may launch into (DRS user guide, launching into an existing instance)."""
BIOS = "legacy-bios"
PLAN_ACTIVE = ("CREATED", "IN_PROGRESS", "CANCELLING")
PLAN_ENDED = ("COMPLETED", "FAILED", "TIMED_OUT", "CANCELLED")
"""How executions of recovery plans end. TIMED_OUT is in the user guide only, not in the API's enumeration."""
PLAN_MINUTES_LIMIT = 360
"""An action is given up after `deadline_minutes`; DRS itself gives an execution 24 hours."""
SERVERS_IN_JOBS_LIMIT = 500
"""Servers in active jobs per account and Region (DRS quota L-05AFA8C6)."""
