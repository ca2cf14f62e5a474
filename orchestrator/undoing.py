"""What would undo a run while it goes on, or soon after: told before anybody lets it begin. Pure; `undoing_look` reads.

A line says what it is, what it would do to the run, and what to type now. Sources: CloudFormation API reference, Stack and
StackDriftInformation; CodePipeline user guide, "Disable or enable transitions" and "Stop a pipeline execution";
EventBridge API reference, DisableRule; CodeDeploy API reference, DeploymentInfo.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel

from orchestrator.errors import DrError
from orchestrator.ledger.records import FindingRecord
from orchestrator.sources import Spot
from orchestrator.targets import PlannedTarget
from orchestrator.words import Mode, Severity, Undoing

STACK_NAME, STACK_ID = "aws:cloudformation:stack-name", "aws:cloudformation:stack-id"
"""Tags that CloudFormation puts on what it makes; no call is needed to know whose a resource is."""
NAMED = 3

REVIEWED = "REVIEW_IN_PROGRESS"
"""A stack whose first change set nobody has executed yet: nothing of it changes."""
NOT_CHECKED, HAS_DRIFTED = "NOT_CHECKED", "DRIFTED"
UNDER_WAY = frozenset({"InProgress", "Stopping"})
"""Statuses of a pipeline's execution that still changes something."""
DEPLOYS = ("Created", "Queued", "InProgress", "Baking", "Ready")
"""Statuses of a CodeDeploy deployment that has not ended."""
ENABLED_RULES = frozenset({"ENABLED", "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"})
TELLS_ONLY = frozenset({"logs", "sns"})
"""Targets of a rule that start nothing by themselves."""


# --- what is seen ---------------------------------------------------------------------------------------------------


class Drift(BaseModel):
    """What the last detection found; nobody starts one here."""

    StackDriftStatus: str = NOT_CHECKED
    LastCheckTimestamp: datetime | None = None


class Stack(BaseModel):
    """A CloudFormation stack."""

    StackStatus: str = ""
    CreationTime: datetime | None = None
    LastUpdatedTime: datetime | None = None
    DriftInformation: Drift = Drift()


class _Transition(BaseModel):
    enabled: bool = True


class PipelineStage(BaseModel):
    """A stage of a pipeline, and whether the way into it is open."""

    stageName: str
    inboundTransitionState: _Transition = _Transition()


class Execution(BaseModel):
    """An execution of a pipeline."""

    pipelineExecutionId: str
    status: str = ""
    startTime: datetime | None = None


class Rule(BaseModel):
    """An EventBridge rule."""

    Name: str
    EventBusName: str = "default"
    State: str = ""
    ScheduleExpression: str = ""
    ManagedBy: str = ""


class _ScheduleTarget(BaseModel):
    Arn: str = ""


class Schedule(BaseModel):
    """A schedule of EventBridge Scheduler that is enabled."""

    Name: str
    Target: _ScheduleTarget = _ScheduleTarget()


class _Content(BaseModel):
    content: str = ""


class _Revision(BaseModel):
    string: _Content = _Content()
    appSpecContent: _Content = _Content()


class Deployment(BaseModel):
    """A CodeDeploy deployment that has not ended."""

    deploymentId: str
    applicationName: str = ""
    deploymentGroupName: str = ""
    status: str = ""
    revision: _Revision = _Revision()


class _Service(BaseModel):
    clusterName: str = ""
    serviceName: str = ""


class _Named(BaseModel):
    name: str = ""


class DeploymentGroup(BaseModel):
    """What a CodeDeploy deployment group deploys to."""

    ecsServices: list[_Service] = []
    autoScalingGroups: list[_Named] = []


@dataclass(frozen=True)
class Owner:
    """A stack that owns resources of a plan."""

    name: str
    account: str
    region: str
    id: str
    """Its ARN, or its name where no tag tells more."""
    owned: tuple[str, ...]


# --- whose the resources are ----------------------------------------------------------------------------------------


def owners(targets: Iterable[PlannedTarget]) -> list[Owner]:
    """Return the CloudFormation stacks that own resources of the plan, on either side, from their tags."""
    owned: dict[tuple[str, str, str, str], list[str]] = {}
    for target in targets:
        for member in target.members:
            for side in (member.source, member.target):
                name = side.tags.get(STACK_NAME)
                if name is None:
                    continue
                arn = side.tags.get(STACK_ID, "")
                parts = arn.split(":")
                region, account = (parts[3], parts[4]) if len(parts) > 4 else (side.region, side.account)
                names = owned.setdefault((name, region, account, arn or name), [])
                if member.resource_id not in names:
                    names.append(member.resource_id)
    return [
        Owner(name, account, region, arn, tuple(sorted(names)))
        for (name, region, account, arn), names in sorted(owned.items())
    ]


def of_stack(owner: Owner, stack: Stack | None) -> list[FindingRecord]:
    """Return what a stack may do to the run; None for a stack that was not looked at, or is not there."""
    where, some = f"in {owner.account}/{owner.region}", _some(owner.owned)
    asked = f"--region {owner.region} --stack-name {owner.name}"
    drift = stack.DriftInformation if stack else Drift()
    unchecked = " Whether it has drifted was never checked." if stack and drift.StackDriftStatus == NOT_CHECKED else ""
    if stack is not None and stack.StackStatus.endswith("_IN_PROGRESS") and stack.StackStatus != REVIEWED:
        began = stack.LastUpdatedTime or stack.CreationTime
        since = f" since {began:%Y-%m-%d %H:%M} UTC" if began else ""
        text = f"is {stack.StackStatus} {where}{since}: it changes {some} now, and may put back what this run does."
        return [_warning(f"stack/{owner.name}", Undoing.STACK_CHANGES, text, _ended(stack.StackStatus, asked))]
    text = f"a deployment of it {where} may undo this ({some}).{unchecked}"
    remedy = "hold its pipeline until the run has ended; let its template say the new state before the next deployment."
    found = [_warning(f"stack/{owner.name}", Undoing.OWNED, text, remedy)]
    if stack is not None and drift.StackDriftStatus == HAS_DRIFTED:
        checked = f", checked {drift.LastCheckTimestamp:%Y-%m-%d %H:%M} UTC" if drift.LastCheckTimestamp else ""
        text = f"has drifted {where}{checked}: its next deployment changes more of {some} than its authors expect."
        remedy = (
            f"aws cloudformation describe-stack-resource-drifts {asked} (and deploy nothing until the run has ended)"
        )
        found.insert(0, _warning(f"stack/{owner.name}", Undoing.DRIFTED, text, remedy))
    return found


def _ended(status: str, asked: str) -> str:
    """Return how to wait for the end of a stack's operation, or to take it back."""
    waits = {"CREATE": "stack-create-complete", "DELETE": "stack-delete-complete", "IMPORT": "stack-import-complete"}
    verb = status.partition("_")[0]
    rolls = "ROLLBACK" in status
    waiter = "stack-rollback-complete" if rolls else waits.get(verb, "stack-update-complete")
    stop = f", or aws cloudformation cancel-update-stack {asked}" if status == "UPDATE_IN_PROGRESS" else ""
    return f"wait for its end: aws cloudformation wait {waiter} {asked}{stop}"


# --- what is tagged for the scope -----------------------------------------------------------------------------------


def of_pipeline(
    spot: Spot, name: str, stages: Sequence[PipelineStage], executions: Iterable[Execution]
) -> list[FindingRecord]:
    """Return what a pipeline of the scope may do to the run; nothing when it is held and nothing of it is under way."""
    running = [each for each in executions if each.status in UNDER_WAY]
    open_stage = stages[1].stageName if _open(stages) else ""
    if not running and not open_stage:
        return []
    asked, where = f"--region {spot[1]} --pipeline-name {name}", f"in {spot[0]}/{spot[1]}"
    hold = f"aws codepipeline disable-stage-transition {asked} --stage-name {open_stage} --transition-type Inbound --reason DR"
    stop = [
        f"aws codepipeline stop-pipeline-execution {asked} --pipeline-execution-id {each.pipelineExecutionId}"
        for each in running
        if each.status == "InProgress"
    ]
    commands = "; ".join([*([hold] if open_stage else []), *stop])
    after = f"; when the run has ended: enable-stage-transition into {open_stage}" if open_stage else ""
    if running:
        since = f" since {running[0].startTime:%Y-%m-%d %H:%M} UTC" if running[0].startTime else ""
        text = f"{where} has {len(running)} execution(s) under way{since}: it may put back what this run does."
    else:
        text = f"{where} deploys at its next trigger, and may put back what this run does."
    remedy = f"hold it: {commands}{after}" if commands else "it is stopping already: wait until it has ended."
    return [_warning(f"pipeline/{name}", Undoing.PIPELINE, text, remedy)]


def _open(stages: Sequence[PipelineStage]) -> bool:
    """Say whether what comes out of the first stage, where the source is fetched, goes on by itself."""
    return len(stages) > 1 and stages[1].inboundTransitionState.enabled


def of_rule(spot: Spot, rule: Rule, targets: Sequence[str], left: str) -> list[FindingRecord]:
    """Return what an enabled rule of the scope, which is not part of the plan, may do to it; `left` is the Region being left."""
    starts = [each for each in targets if each.split(":")[2] not in TELLS_ONLY]
    if rule.State not in ENABLED_RULES or rule.ManagedBy or not starts:
        return []
    when = f" ({rule.ScheduleExpression})" if rule.ScheduleExpression else ""
    text = f"in {spot[0]}/{spot[1]} is enabled{when} and starts {_started(spot, starts)}: no part of this run, it {_does(spot, left)}."
    bus = f" --event-bus-name {rule.EventBusName}" if rule.EventBusName != "default" else ""
    asked = f"--region {spot[1]} --name {rule.Name}{bus}"
    remedy = f"if it changes what is moved: aws events disable-rule {asked} (enable-rule when the run has ended)"
    return [_warning(f"rule/{rule.Name}", Undoing.RULE, text, remedy)]


def of_schedules(spot: Spot, group: str, schedules: Sequence[Schedule], left: str) -> list[FindingRecord]:
    """Return what the enabled schedules of a group of the scope may do to a plan; schedules carry no tags of their own."""
    starting = [each for each in schedules if each.Target.Arn and each.Target.Arn.split(":")[2] not in TELLS_ONLY]
    if not starting:
        return []
    names, starts = [each.Name for each in starting], sorted({each.Target.Arn for each in starting})
    text = (
        f"in {spot[0]}/{spot[1]} has {len(names)} enabled schedule(s) ({_some(names)}) and starts {_started(spot, starts)}: "
        f"no part of this run, it {_does(spot, left)}."
    )
    asked = f"--region {spot[1]} --group-name {group} --name {names[0]}"
    remedy = (
        f"if it changes what is moved: aws scheduler get-schedule {asked}, then update-schedule with what that shows and "
        "--state DISABLED (ENABLED when the run has ended)"
    )
    return [_warning(f"schedule-group/{group}", Undoing.RULE, text, remedy)]


def _started(spot: Spot, arns: Sequence[str]) -> str:
    """Return what is started, and where, if that is another Region."""
    away = sorted({each.split(":")[3] for each in arns} - {"", spot[1]})
    return _some([_short(each) for each in arns]) + (f" in {', '.join(away)}" if away else "")


def _does(spot: Spot, left: str) -> str:
    return "goes on after the move" if spot[1] == left else "acts while the run moves things there"


def moved_by_plan(arn: str, tagged_enabled: bool, members: Collection[str]) -> bool:
    """Say whether the plan itself moves a rule: by its own ARN, or with its bus, whose tags it then carries."""
    head, _, name = arn.partition(":rule/")
    bus, slash, _ = name.partition("/")
    return arn in members or (bool(slash) and tagged_enabled and f"{head}:event-bus/{bus}" in members)


def _short(arn: str) -> str:
    """Return what an ARN names, in few words."""
    service, tail = arn.split(":", 5)[2], arn.split(":", 5)[5]
    return tail if ":" in tail or "/" in tail else f"{service}:{tail}"


# --- what CodeDeploy is at ------------------------------------------------------------------------------------------


def of_deployment(
    spot: Spot, deployment: Deployment, group: DeploymentGroup | None, members: Mapping[str, str]
) -> list[FindingRecord]:
    """Return what a deployment does to resources of the plan there; `members`: id on that side -> resource.

    A Lambda function is named in the deployment's own specification, where that is not in S3.
    """
    hit = {members[each] for each in _deployed_to(group) if each in members}
    said = deployment.revision.appSpecContent.content + deployment.revision.string.content
    words = set(re.findall(r"[\w-]+", said))
    hit |= {resource for name, resource in members.items() if name in words}
    if not hit:
        return []
    asked = f"--region {spot[1]} --deployment-id {deployment.deploymentId}"
    text = (
        f"of {deployment.applicationName}/{deployment.deploymentGroupName} in {spot[0]}/{spot[1]} is {deployment.status}: "
        f"it shifts {_some(sorted(hit))} to another version while the run moves it."
    )
    remedy = f"wait for its end: aws deploy wait deployment-successful {asked}, or aws deploy stop-deployment {asked}"
    return [_warning(f"deployment/{deployment.deploymentId}", Undoing.DEPLOYMENT, text, remedy)]


def _deployed_to(group: DeploymentGroup | None) -> list[str]:
    if group is None:
        return []
    services = [f"{each.clusterName}/{each.serviceName}" for each in group.ecsServices]
    return [*services, *(each.name for each in group.autoScalingGroups)]


# --- how it is told -------------------------------------------------------------------------------------------------


def not_seen(spot: Spot, what: str, err: DrError) -> FindingRecord:
    """Return the line of something that could not be looked at; it stops no run."""
    text = f"{what} could not be looked at: {err.message}"
    return _warning(
        f"{spot[0]}/{spot[1]}", Undoing.NOT_SEEN, text, err.remedy or "look yourself whether something there deploys."
    )


def undoing(findings: Iterable[FindingRecord], mode: Mode) -> tuple[FindingRecord, ...]:
    """Return those findings that tell what would undo a run, the gravest first. A drill changes nothing that others own."""
    if mode is Mode.DRILL:
        return ()
    order = [code.value for code in Undoing]
    mine = [each for each in findings if each.code in order and each.severity is Severity.WARNING]
    return tuple(sorted(mine, key=lambda each: (order.index(each.code), each.resource_id, each.message)))


def as_line(finding: FindingRecord) -> str:
    """Return a finding as people read it."""
    return f"{finding.resource_id}: {finding.message} {finding.remedy}".rstrip()


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}"


def _warning(subject: str, code: str, text: str, remedy: str) -> FindingRecord:
    return FindingRecord(resource_id=subject, code=code, severity=Severity.WARNING, message=text, remedy=remedy)
