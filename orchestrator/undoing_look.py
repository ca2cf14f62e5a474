"""One look per account and Region at what would undo a run: stacks, pipelines, event rules, schedules, deployments
of CodeDeploy.

It reads through the spokes' discovery role. An emergency looks only at the Region that is activated. What may not be looked
at, or does not answer, becomes a line and stops nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel, JsonValue

from orchestrator.asking import ask_all
from orchestrator.contract import Reader
from orchestrator.discovery import OpenReader
from orchestrator.errors import DrError
from orchestrator.ledger.records import FindingRecord
from orchestrator.plan import Plan
from orchestrator.platform import DISCOVERY
from orchestrator.sources import TAGGING_PAGE, Spot
from orchestrator.tags import CUSTOMER, ENABLED, ENVIRONMENT
from orchestrator.undoing import (
    DEPLOYS,
    Deployment,
    DeploymentGroup,
    Execution,
    Owner,
    PipelineStage,
    Rule,
    Schedule,
    Stack,
    moved_by_plan,
    not_seen,
    of_deployment,
    of_pipeline,
    of_rule,
    of_schedules,
    of_stack,
    owners,
)
from orchestrator.words import Mode

KINDS: tuple[JsonValue, ...] = ("codepipeline", "events:rule", "scheduler:schedule-group")
"""As GetResources filters them: the ARN of a pipeline has no type of its own."""
RECENT = 20
"""Executions of a pipeline that are looked at, the newest first."""
PER_CALL = 25
"""Deployments that BatchGetDeployments takes."""
NO_STACK = ("ValidationError",)
NO_PIPELINE = ("PipelineNotFoundException",)
NO_RULE = ("ResourceNotFoundException",)
NO_GROUP = ("DeploymentGroupDoesNotExistException", "ApplicationDoesNotExistException")


class _Tag(BaseModel):
    Key: str
    Value: str = ""


class _Tagged(BaseModel):
    ResourceARN: str
    Tags: list[_Tag] = []


class _TaggedPage(BaseModel):
    ResourceTagMappingList: list[_Tagged] = []


class _Stacks(BaseModel):
    Stacks: list[Stack] = []


class _State(BaseModel):
    stageStates: list[PipelineStage] = []


class _Executions(BaseModel):
    pipelineExecutionSummaries: list[Execution] = []


class _RuleTarget(BaseModel):
    Arn: str


class _RuleTargets(BaseModel):
    Targets: list[_RuleTarget] = []


class _Schedules(BaseModel):
    Schedules: list[Schedule] = []


class _DeploymentIds(BaseModel):
    deployments: list[str] = []


class _Deployments(BaseModel):
    deploymentsInfo: list[Deployment] = []


class _Group(BaseModel):
    deploymentGroupInfo: DeploymentGroup = DeploymentGroup()


@dataclass(frozen=True)
class _Question:
    spot: Spot
    what: str
    ask: Callable[[Reader], list[FindingRecord]]
    otherwise: list[FindingRecord] = field(default_factory=list)
    """What is told all the same when it cannot be looked at."""


def look(plan: Plan, accounts: Iterable[str], open_reader: OpenReader) -> list[FindingRecord]:
    """Return a warning for everything seen that would undo the plan. A drill changes nothing that others own."""
    if plan.mode is Mode.DRILL:
        return []
    within = {plan.target_region} if plan.mode is Mode.EMERGENCY else {plan.source_region, plan.target_region}
    members, arns = _members(plan)
    everywhere = sorted({*accounts, *(account for account, _ in members)})
    spots = [(account, region) for account in everywhere for region in sorted(within)]
    found: list[FindingRecord] = []
    questions = [
        *_of_stacks(plan, within, found),
        *(_Question(s, "deployments of CodeDeploy", _deployed_in(s, members[s])) for s in spots if s in members),
    ]
    asked = ask_all(spots, lambda s: s[1], lambda s: _tagged_in(open_reader(*s, DISCOVERY), plan, arns))
    for spot, tagged in asked:
        if isinstance(tagged, DrError):
            found.append(not_seen(spot, "pipelines, event rules and schedules", tagged))
        else:
            questions += [_Question(spot, arn, _one_of(spot, arn, plan.source_region)) for arn in tagged]

    def ask(question: _Question) -> list[FindingRecord]:
        return question.ask(open_reader(*question.spot, DISCOVERY))

    for question, answer in ask_all(questions, lambda question: question.spot[1], ask):
        if isinstance(answer, DrError):
            found += [*question.otherwise, not_seen(question.spot, question.what, answer)]
        else:
            found += answer
    return found


def _members(plan: Plan) -> tuple[dict[Spot, dict[str, str]], set[str]]:
    """Return where the plan's resources lie: per account and Region their ids there, and all their ARNs."""
    members: dict[Spot, dict[str, str]] = {}
    arns: set[str] = set()
    for target in plan.targets:
        for member in target.members:
            for side in (member.source, member.target):
                arns.add(side.arn)
                members.setdefault((side.account, side.region), {})[side.id] = member.resource_id
    return members, arns


def _of_stacks(plan: Plan, within: set[str], found: list[FindingRecord]) -> Iterator[_Question]:
    """Yield the question about each owner; what lies out of reach is told unseen."""
    for owner in owners(plan.targets):
        if owner.region in within:
            spot = (owner.account, owner.region)
            yield _Question(spot, f"stack {owner.name}", _stack_of(owner), of_stack(owner, None))
        else:
            found += of_stack(owner, None)


def _stack_of(owner: Owner) -> Callable[[Reader], list[FindingRecord]]:
    def ask(reader: Reader) -> list[FindingRecord]:
        told = reader.find("cloudformation", "DescribeStacks", _Stacks, NO_STACK, StackName=owner.id)
        return of_stack(owner, told.Stacks[0] if told and told.Stacks else None)

    return ask


# --- what is tagged for the scope -----------------------------------------------------------------------------------


def _tagged_in(reader: Reader, plan: Plan, members: set[str]) -> list[str]:
    """Return the ARNs of what carries the scope's tags and the plan does not move."""
    wanted: JsonValue = [
        {"Key": CUSTOMER, "Values": [plan.scope.customer]},
        {"Key": ENVIRONMENT, "Values": [plan.scope.environment]},
    ]
    pages = reader.pages(
        "resourcegroupstaggingapi",
        "GetResources",
        _TaggedPage,
        TagFilters=wanted,
        ResourceTypeFilters=list(KINDS),
        ResourcesPerPage=TAGGING_PAGE,
    )
    tagged = {each.ResourceARN: each.Tags for page in pages for each in page.ResourceTagMappingList}
    return [
        arn
        for arn, tags in sorted(tagged.items())
        if not moved_by_plan(arn, any(tag.Key == ENABLED and tag.Value == "true" for tag in tags), members)
    ]


def _one_of(spot: Spot, arn: str, left: str) -> Callable[[Reader], list[FindingRecord]]:
    """Return how to ask about one tagged object."""
    service, tail = arn.split(":", 5)[2], arn.split(":", 5)[5]
    if service == "events":
        return lambda reader: _rule(reader, spot, tail.removeprefix("rule/"), left)
    if service == "scheduler":
        return lambda reader: _schedules(reader, spot, tail.removeprefix("schedule-group/"), left)
    if ":" in tail:  # a webhook of CodePipeline, or a kind of action
        return lambda _reader: []
    return lambda reader: _pipeline(reader, spot, tail)


def _pipeline(reader: Reader, spot: Spot, name: str) -> list[FindingRecord]:
    state = reader.find("codepipeline", "GetPipelineState", _State, NO_PIPELINE, name=name)
    if state is None:
        return []
    asked: dict[str, JsonValue] = {"pipelineName": name, "maxResults": RECENT}
    executions = reader.read("codepipeline", "ListPipelineExecutions", _Executions, **asked)
    return of_pipeline(spot, name, state.stageStates, executions.pipelineExecutionSummaries)


def _rule(reader: Reader, spot: Spot, path: str, left: str) -> list[FindingRecord]:
    bus, slash, name = path.rpartition("/")
    asked: dict[str, JsonValue] = {"EventBusName": bus} if slash else {}
    rule = reader.find("events", "DescribeRule", Rule, NO_RULE, Name=name, **asked)
    if rule is None:
        return []
    targets = reader.pages("events", "ListTargetsByRule", _RuleTargets, Rule=name, **asked)
    return of_rule(spot, rule, [each.Arn for page in targets for each in page.Targets], left)


def _schedules(reader: Reader, spot: Spot, group: str, left: str) -> list[FindingRecord]:
    asked: dict[str, JsonValue] = {"GroupName": group, "State": "ENABLED"}
    pages = reader.pages("scheduler", "ListSchedules", _Schedules, **asked)
    return of_schedules(spot, group, [each for page in pages for each in page.Schedules], left)


# --- CodeDeploy -----------------------------------------------------------------------------------------------------


def _deployed_in(spot: Spot, members: Mapping[str, str]) -> Callable[[Reader], list[FindingRecord]]:
    def ask(reader: Reader) -> list[FindingRecord]:
        pages = reader.pages("codedeploy", "ListDeployments", _DeploymentIds, includeOnlyStatuses=list(DEPLOYS))
        ids = [each for page in pages for each in page.deployments]
        found: list[FindingRecord] = []
        for batch in (ids[start : start + PER_CALL] for start in range(0, len(ids), PER_CALL)):
            found += _deployments(reader, spot, batch, members)
        return found

    return ask


def _deployments(reader: Reader, spot: Spot, ids: Sequence[str], members: Mapping[str, str]) -> list[FindingRecord]:
    found: list[FindingRecord] = []
    for each in reader.read("codedeploy", "BatchGetDeployments", _Deployments, deploymentIds=list(ids)).deploymentsInfo:
        asked: dict[str, JsonValue] = {
            "applicationName": each.applicationName,
            "deploymentGroupName": each.deploymentGroupName,
        }
        group = reader.find("codedeploy", "GetDeploymentGroup", _Group, NO_GROUP, **asked)
        found += of_deployment(spot, each, group.deploymentGroupInfo if group else None, members)
    return found
