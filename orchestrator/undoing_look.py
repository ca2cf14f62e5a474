"""One look per account and Region at what would undo a run: stacks, pipelines, event rules, deployments of CodeDeploy.

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
    Stack,
    moved_by_plan,
    not_seen,
    of_deployment,
    of_pipeline,
    of_rule,
    of_stack,
    owners,
)
from orchestrator.words import Mode

KINDS: tuple[JsonValue, ...] = ("codepipeline", "events:rule")
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
    found: list[FindingRecord] = []
    questions = [*_of_stacks(plan, within, found), *_of_spots(plan, within, accounts)]

    def ask(question: _Question) -> list[FindingRecord]:
        return question.ask(open_reader(*question.spot, DISCOVERY))

    for question, answer in ask_all(questions, lambda question: question.spot[1], ask):
        if isinstance(answer, DrError):
            found += [*question.otherwise, not_seen(question.spot, question.what, answer)]
        else:
            found += answer
    return found


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


def _of_spots(plan: Plan, within: set[str], accounts: Iterable[str]) -> Iterator[_Question]:
    members: dict[Spot, dict[str, str]] = {}
    arns: set[str] = set()
    for target in plan.targets:
        for member in target.members:
            for side in (member.source, member.target):
                arns.add(side.arn)
                its = {side.id: member.resource_id, side.id.partition(":")[0]: member.resource_id}
                members.setdefault((side.account, side.region), {}).update(its)
    everywhere = sorted({*accounts, *(account for account, _ in members)})
    for spot in ((account, region) for account in everywhere for region in sorted(within)):
        yield _Question(spot, "pipelines and event rules", _tagged_in(plan, spot, arns))
        if spot in members:
            yield _Question(spot, "deployments of CodeDeploy", _deployed_in(spot, members[spot]))


# --- pipelines and rules --------------------------------------------------------------------------------------------


def _tagged_in(plan: Plan, spot: Spot, members: set[str]) -> Callable[[Reader], list[FindingRecord]]:
    def ask(reader: Reader) -> list[FindingRecord]:
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
        tagged = {
            each.ResourceARN: {tag.Key: tag.Value for tag in each.Tags}
            for page in pages
            for each in page.ResourceTagMappingList
        }
        found: list[FindingRecord] = []
        for arn, tags in sorted(tagged.items()):
            if not moved_by_plan(arn, tags.get(ENABLED) == "true", members):
                found += _unless_refused(spot, arn, _one_of(reader, spot, arn, plan.source_region))
        return found

    return ask


def _unless_refused(spot: Spot, arn: str, ask: Callable[[], list[FindingRecord]]) -> list[FindingRecord]:
    try:
        return ask()
    except DrError as err:  # the others are looked at all the same
        return [not_seen(spot, arn, err)]


def _one_of(reader: Reader, spot: Spot, arn: str, left: str) -> Callable[[], list[FindingRecord]]:
    """Return how to ask about one tagged object."""
    service, tail = arn.split(":", 5)[2], arn.split(":", 5)[5]
    if service == "events":
        return lambda: _rule(reader, spot, tail.removeprefix("rule/"), left)
    if ":" in tail:  # a webhook or a kind of action
        return list
    return lambda: _pipeline(reader, spot, tail)


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
