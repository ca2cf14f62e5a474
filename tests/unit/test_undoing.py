"""Before a run begins, people read what would put back what it does: stacks, pipelines, event rules, deployments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from orchestrator import stocktaking
from orchestrator.errors import AccessDeniedError
from orchestrator.ledger.records import FindingRecord
from orchestrator.plan import load_plan
from orchestrator.readiness import judge
from orchestrator.undoing import (
    Deployment,
    DeploymentGroup,
    Drift,
    Execution,
    Owner,
    PipelineStage,
    Rule,
    Schedule,
    Stack,
    as_line,
    moved_by_plan,
    of_deployment,
    of_pipeline,
    of_rule,
    of_schedules,
    of_stack,
    owners,
    undoing,
)
from orchestrator.words import GateKind, Mode, Readiness, Severity
from tests.unit.scripted_platform import APPS, SCOPE, SOURCE, TARGET, Cloud, Operator

HERE = (APPS, SOURCE)
PIPELINE_ARN = f"arn:aws:codepipeline:{SOURCE}:{APPS}:orders-deploy"
RULE_ARN = f"arn:aws:events:{SOURCE}:{APPS}:rule/orders-nightly"
LAMBDA = f"arn:aws:lambda:{SOURCE}:{APPS}:function:resize"
AT = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)


def owned(name: str, stack: str, region: str = SOURCE) -> dict[str, str]:
    arn = f"arn:aws:cloudformation:{region}:{APPS}:stack/{stack}/{name}"
    return {"aws:cloudformation:stack-name": stack, "aws:cloudformation:stack-id": arn}


def answers(**told: Any) -> Callable[[str, str, str, Mapping[str, Any]], Any]:
    """Return what AWS tells in the source Region: operation -> the reply, or an error."""
    return lambda operation, _account, region, _params: told.get(operation, {}) if region == SOURCE else {}


def tagged(*arns: str) -> dict[str, Any]:
    return {"ResourceTagMappingList": [{"ResourceARN": arn, "Tags": []} for arn in arns]}


def stages(*, open_: bool = True) -> list[PipelineStage]:
    second = {"stageName": "Deploy", "inboundTransitionState": {"enabled": open_}}
    return [PipelineStage(stageName="Source"), PipelineStage.model_validate(second)]


def a_cloud() -> Cloud:
    cloud = Cloud()
    cloud.add("orders")
    return cloud


def told(cloud: Cloud, **request: Any) -> list[str]:
    """Return what the plan of a run says would undo it."""
    platform = cloud.platform()
    return [as_line(each) for each in load_plan(platform.blobs, cloud.accept(platform, **request)).undoing]


class TestStacks:
    def test_stacks_that_own_what_is_moved_are_told_at_the_plan_gate_once_each(self) -> None:
        # Given four databases of one stack, and one that nobody deploys
        cloud = Cloud()
        for name in ("a", "b", "c", "d", "free"):
            cloud.add(name)
            if name != "free":
                cloud.resources[name]["tags"] |= owned(name="x", stack="orders-prod")
        platform = cloud.platform()
        operator = Operator(platform, cloud, lambda _gate: None)
        # When a planned run asks whether it may begin
        operator.drive(cloud.accept(platform))
        # Then one line names the stack, some of its resources, and what to do
        (gate,) = operator.asked
        assert gate.kind is GateKind.PLAN
        assert [each for each in gate.checklist if "stack/" in each] == [
            f"may undo this run: stack/orders-prod: a deployment of it in {APPS}/{SOURCE} may undo this (database/a, "
            "database/b, database/c and 1 more). hold its pipeline until the run has ended; let its template say the new "
            "state before the next deployment."
        ]
        # And a drill, which changes nothing of theirs, does not warn
        cloud.ledger.unlock(SCOPE, "run-1")
        assert told(cloud, run_id="run-2", Operation="test") == []

    def test_two_stacks_of_the_two_sides_are_two_owners(self) -> None:
        cloud = a_cloud()
        platform = cloud.platform()
        (target,) = load_plan(platform.blobs, cloud.accept(platform)).targets
        (member,) = target.members
        source = member.source.model_copy(update={"tags": owned("a", "orders")})
        away = member.target.model_copy(update={"tags": owned("a", "orders", TARGET)})
        both = target.model_copy(update={"members": (member.model_copy(update={"source": source, "target": away}),)})
        assert [(each.name, each.account, each.region) for each in owners((both,))] == [
            ("orders", APPS, SOURCE),
            ("orders", APPS, TARGET),
        ]

    @pytest.mark.parametrize(
        ("status", "remedy"),
        [
            (
                "UPDATE_IN_PROGRESS",
                "stack-update-complete {} or aws cloudformation cancel-update-stack {}",
            ),
            ("UPDATE_ROLLBACK_IN_PROGRESS", "stack-rollback-complete {}"),
            ("CREATE_IN_PROGRESS", "stack-create-complete {}"),
            ("DELETE_IN_PROGRESS", "stack-delete-complete {}"),
        ],
    )
    def test_operation_under_way_comes_with_how_to_wait_for_it(self, status: str, remedy: str) -> None:
        (found,) = of_stack(ORDERS, Stack(StackStatus=status, LastUpdatedTime=AT))
        assert (
            f"is {status} in {APPS}/{SOURCE} since 2026-03-01 02:00 UTC: it changes database/orders now"
            in found.message
        )
        asked = f"--region {SOURCE} --stack-name orders-prod"
        waits = remedy.format(f"{asked},", asked) if remedy.count("{}") > 1 else remedy.format(asked)
        assert found.remedy == f"wait for its end: aws cloudformation wait {waits}"

    def test_change_set_that_nobody_executes_changes_nothing(self) -> None:
        (found,) = of_stack(ORDERS, Stack(StackStatus="REVIEW_IN_PROGRESS", CreationTime=AT))
        assert "a deployment of it" in found.message

    def test_drift_is_told_with_its_time_and_that_it_was_never_looked_for_as_that(self) -> None:
        drifted = Drift(StackDriftStatus="DRIFTED", LastCheckTimestamp=AT)
        drift, base = of_stack(ORDERS, Stack(StackStatus="UPDATE_COMPLETE", DriftInformation=drifted))
        assert "has drifted" in drift.message
        assert "checked 2026-03-01 02:00 UTC" in drift.message
        assert drift.remedy.startswith("aws cloudformation describe-stack-resource-drifts")
        assert "drifted" not in base.message
        (never,) = of_stack(ORDERS, Stack(StackStatus="UPDATE_COMPLETE"))
        assert never.message.endswith("Whether it has drifted was never checked.")
        (in_sync,) = of_stack(ORDERS, Stack(DriftInformation=Drift(StackDriftStatus="IN_SYNC", LastCheckTimestamp=AT)))
        assert "drift" not in in_sync.message


ORDERS = Owner("orders-prod", APPS, SOURCE, "orders-prod", ("database/orders",))


class TestPipelines:
    def test_execution_under_way_is_told_with_what_holds_it(self) -> None:
        running = [
            Execution(pipelineExecutionId="e-2", status="InProgress", startTime=AT),
            Execution(pipelineExecutionId="e-1", status="Succeeded"),
        ]
        (found,) = of_pipeline(HERE, "orders-deploy", stages(), running)
        asked = f"--region {SOURCE} --pipeline-name orders-deploy"
        assert "has 1 execution(s) under way since 2026-03-01 02:00 UTC" in found.message
        assert found.remedy == (
            f"hold it: aws codepipeline disable-stage-transition {asked} --stage-name Deploy --transition-type Inbound "
            f"--reason DR; aws codepipeline stop-pipeline-execution {asked} --pipeline-execution-id e-2; when the run has "
            "ended: enable-stage-transition into Deploy"
        )

    def test_idle_pipeline_is_told_because_of_its_next_trigger(self) -> None:
        (found,) = of_pipeline(HERE, "orders-deploy", stages(), [])
        assert "deploys at its next trigger" in found.message

    def test_pipeline_that_is_held_is_not_told_unless_something_got_past_the_hold(self) -> None:
        assert of_pipeline(HERE, "orders-deploy", stages(open_=False), []) == []
        past = [Execution(pipelineExecutionId="e-2", status="Stopping")]
        (found,) = of_pipeline(HERE, "orders-deploy", stages(open_=False), past)
        assert found.remedy == "it is stopping already: wait until it has ended."


class TestRules:
    def test_enabled_rule_is_told_with_what_it_starts_and_the_command(self) -> None:
        rule = Rule(Name="orders-nightly", EventBusName="shop", State="ENABLED", ScheduleExpression="cron(0 3 * * ? *)")
        (found,) = of_rule(HERE, rule, [LAMBDA], SOURCE)
        assert found.message == (
            f"in {APPS}/{SOURCE} is enabled (cron(0 3 * * ? *)) and starts function:resize: no part of this run, it goes "
            "on after the move."
        )
        asked = f"--region {SOURCE} --name orders-nightly --event-bus-name shop"
        assert f"aws events disable-rule {asked} " in found.remedy

    def test_rule_that_starts_something_in_the_other_region_says_so(self) -> None:
        rule = Rule(Name="orders-nightly", State="ENABLED")
        (found,) = of_rule((APPS, TARGET), rule, [LAMBDA], SOURCE)
        assert f"starts function:resize in {SOURCE}: no part of this run, it acts while the run moves" in found.message

    @pytest.mark.parametrize(
        ("changes", "targets"),
        [
            ({"State": "DISABLED"}, [LAMBDA]),
            ({"State": "ENABLED", "ManagedBy": "autoscaling.amazonaws.com"}, [LAMBDA]),
            ({"State": "ENABLED"}, []),
            ({"State": "ENABLED"}, [f"arn:aws:sns:{SOURCE}:{APPS}:told", f"arn:aws:logs:{SOURCE}:{APPS}:log-group:x"]),
        ],
    )
    def test_rule_that_starts_nothing_is_not_told(self, changes: dict[str, str], targets: list[str]) -> None:
        assert of_rule(HERE, Rule.model_validate({"Name": "r", **changes}), targets, SOURCE) == []

    def test_rule_that_the_plan_moves_by_itself_or_with_its_bus_is_left_to_it(self) -> None:
        bus = f"arn:aws:events:{SOURCE}:{APPS}:event-bus/shop"
        on_bus = f"arn:aws:events:{SOURCE}:{APPS}:rule/shop/placed"
        assert moved_by_plan(RULE_ARN, tagged_enabled=True, members={RULE_ARN})
        assert moved_by_plan(on_bus, tagged_enabled=True, members={bus})
        assert not moved_by_plan(on_bus, tagged_enabled=False, members={bus})
        assert not moved_by_plan(RULE_ARN, tagged_enabled=True, members={bus})


class TestSchedules:
    def test_enabled_schedules_of_a_group_are_one_line(self) -> None:
        schedules = [
            Schedule.model_validate({"Name": name, "Target": {"Arn": LAMBDA}}) for name in ("nightly", "hourly")
        ]
        (found,) = of_schedules(HERE, "orders", schedules, SOURCE)
        assert (
            "has 2 enabled schedule(s) (nightly, hourly) and starts function:resize: no part of this run"
            in found.message
        )
        assert f"aws scheduler get-schedule --region {SOURCE} --group-name orders --name nightly" in found.remedy

    def test_group_without_one_that_starts_something_is_not_told(self) -> None:
        topic = Schedule.model_validate({"Name": "told", "Target": {"Arn": f"arn:aws:sns:{SOURCE}:{APPS}:told"}})
        assert of_schedules(HERE, "orders", [topic], SOURCE) == []
        assert of_schedules(HERE, "orders", [], SOURCE) == []


class TestDeployments:
    MEMBERS: Mapping[str, str] = {"shop/orders-api": "ecs/orders-api", "web": "asg/web", "pay": "lambda/pay"}

    def found(self, group: dict[str, Any], content: str = "") -> list[FindingRecord]:
        said = {"deploymentId": "d-1", "applicationName": "app", "deploymentGroupName": "g", "status": "InProgress"}
        deployment = Deployment.model_validate({**said, "revision": {"appSpecContent": {"content": content}}})
        return of_deployment(HERE, deployment, DeploymentGroup.model_validate(group), self.MEMBERS)

    @pytest.mark.parametrize(
        ("group", "content", "resource"),
        [
            ({"ecsServices": [{"clusterName": "shop", "serviceName": "orders-api"}]}, "", "ecs/orders-api"),
            ({"autoScalingGroups": [{"name": "web"}]}, "", "asg/web"),
            ({}, '{"Resources":[{"f":{"Type":"AWS::Lambda::Function","Properties":{"Name":"pay"}}}]}', "lambda/pay"),
        ],
    )
    def test_deployment_of_a_member_is_told(self, group: dict[str, Any], content: str, resource: str) -> None:
        (found,) = self.found(group, content)
        assert f"is InProgress: it shifts {resource} to another version" in found.message
        assert f"aws deploy stop-deployment --region {SOURCE} --deployment-id d-1" in found.remedy

    def test_deployment_of_something_else_is_not(self) -> None:
        assert self.found({"autoScalingGroups": [{"name": "website"}]}, "Name: pay-later") == []


class TestLook:
    def test_pipeline_and_rule_tagged_for_the_scope_are_in_the_plan_the_gravest_first(self) -> None:
        cloud = a_cloud()
        cloud.resources["orders"]["tags"] |= owned("x", "orders-prod")
        cloud.beside = answers(
            GetResources=tagged(RULE_ARN, PIPELINE_ARN),
            GetPipelineState={"stageStates": [each.model_dump() for each in stages()]},
            DescribeRule={"Name": "orders-nightly", "State": "ENABLED"},
            ListTargetsByRule={"Targets": [{"Arn": LAMBDA}]},
            DescribeStacks={"Stacks": [{"StackStatus": "UPDATE_IN_PROGRESS"}]},
        )
        subjects = [each.partition(": ")[0] for each in told(cloud)]
        assert subjects == ["stack/orders-prod", "pipeline/orders-deploy", "rule/orders-nightly"]

    def test_what_may_not_be_looked_at_is_a_line_and_stops_nothing(self) -> None:
        cloud = a_cloud()
        cloud.resources["orders"]["tags"] |= owned("x", "orders-prod")
        denied = AccessDeniedError("the spoke role may not.", "roll the roles out again.")
        cloud.beside = answers(GetResources=denied, DescribeStacks=denied, ListDeployments=denied)
        lines = told(cloud)
        assert [each.partition(" may undo this")[0] for each in lines[:1]] == [
            f"stack/orders-prod: a deployment of it in {APPS}/{SOURCE}"
        ]
        unseen = "could not be looked at: the spoke role may not. roll the roles out again."
        assert lines[1:] == [
            f"{APPS}/{SOURCE}: deployments of CodeDeploy {unseen}",
            f"{APPS}/{SOURCE}: pipelines, event rules and schedules {unseen}",
            f"{APPS}/{SOURCE}: stack orders-prod {unseen}",
        ]
        assert cloud.ledger.run("run-1").failure is None

    def test_one_pipeline_that_may_not_be_looked_at_does_not_hide_the_rules(self) -> None:
        cloud = a_cloud()
        cloud.beside = answers(
            GetResources=tagged(PIPELINE_ARN, RULE_ARN),
            GetPipelineState=AccessDeniedError("not allowed."),
            DescribeRule={"Name": "orders-nightly", "State": "ENABLED"},
            ListTargetsByRule={"Targets": [{"Arn": LAMBDA}]},
        )
        rule, unseen = told(cloud)
        assert rule.startswith("rule/orders-nightly")
        assert unseen.startswith(f"{APPS}/{SOURCE}: {PIPELINE_ARN} could not be looked at")

    def test_emergency_asks_nothing_of_the_lost_region(self) -> None:
        cloud = a_cloud()
        cloud.resources["orders"]["tags"] |= owned("x", "orders-prod")
        stocktaking.refresh(cloud.platform(), SCOPE, (SOURCE, TARGET))
        cloud.asked.clear()
        lines = told(cloud, Emergency=True)
        assert {region for _, _, region in cloud.asked} == {TARGET}
        assert [each.partition(":")[0] for each in lines] == ["stack/orders-prod"]

    def test_readiness_warns_of_what_goes_on_and_stays_ready(self) -> None:
        cloud = a_cloud()
        cloud.resources["orders"]["tags"] |= owned("x", "orders-prod")
        cloud.beside = answers(
            GetResources=tagged(PIPELINE_ARN),
            GetPipelineState={"stageStates": [each.model_dump() for each in stages()]},
        )
        platform = cloud.platform()
        stocktaking.refresh(platform, SCOPE, (SOURCE, TARGET))
        verdict = judge(platform, SCOPE, SOURCE)
        assert verdict.state is Readiness.READY
        assert [(each.resource_id, each.severity) for each in verdict.findings] == [
            ("pipeline/orders-deploy", Severity.WARNING)
        ]

    def test_a_drill_says_nothing_of_what_others_own(self) -> None:
        (found,) = of_pipeline(HERE, "orders-deploy", stages(), [])
        assert undoing([found], Mode.PLANNED) == (found,)
        assert undoing([found], Mode.DRILL) == ()
