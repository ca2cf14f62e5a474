"""The three state machines: raw ASL with its tokens bound to a value and the permission that goes with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import Aws
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.acknowledge import acknowledge
from infra.constructs.functions import machine_arn
from infra.constructs.loggroups import log_group_of
from orchestrator.names import Machine
from statemachines import definitions


@dataclass(frozen=True)
class Binding:
    """What a token stands for, and what the machine must be allowed to do with it."""

    value: str
    permissions: tuple[iam.PolicyStatement, ...]


FILES = {Machine(name): file for file, name in definitions.PHYSICAL_NAMES.items()}


class Machines(Construct):
    """DROrchestrator, DRLifecycle and DRWave: traced, logged in full, each with a role of its own."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        functions: Mapping[str, lambda_.IFunction],
        bucket_name: str,
        key: kms.IKey,
        log_retention_days: int,
    ) -> None:
        super().__init__(scope, construct_id)
        self._functions = functions
        self._bucket_name = bucket_name
        self._key = key
        self._log_retention_days = log_retention_days
        self.machines = {machine: self._machine(machine) for machine in Machine}

    def _machine(self, machine: Machine) -> sfn.StateMachine:
        parent, text = Construct(self, FILES[machine].value.capitalize()), definitions.text(FILES[machine])
        bindings = self._bindings(machine)
        check_tokens(machine, definitions.tokens(text), bindings)
        made = sfn.StateMachine(
            parent,
            "Machine",
            state_machine_name=machine.value,
            definition_body=sfn.DefinitionBody.from_string(text),
            definition_substitutions={token: binding.value for token, binding in bindings.items()},
            tracing_enabled=True,
            logs=sfn.LogOptions(
                destination=log_group_of(
                    parent, f"/aws/vendedlogs/states/{machine.value}", self._key, self._log_retention_days
                ),
                level=sfn.LogLevel.ALL,
                include_execution_data=True,
            ),
        )
        for statement in (s for binding in bindings.values() for s in binding.permissions):
            made.add_to_role_policy(statement)
        acknowledge(made, "IAM5", "Log delivery and X-Ray actions name no resource.", "Resource::*")
        if machine is Machine.WAVE:
            self._allow_map(made)
        for child in definitions.NESTED[FILES[machine]]:
            executions = f"{machine_arn(Machine(definitions.PHYSICAL_NAMES[child]), 'execution')}:*"
            reason = "It waits for its own executions of one machine, whose names are those of the runs."
            acknowledge(made, "IAM5", reason, f"Resource::{executions}")
        return made

    def _bindings(self, machine: Machine) -> dict[str, Binding]:
        file = FILES[machine]
        bindings = {definitions.function_token(v): invocation(self._functions[v]) for v in definitions.VERBS[file]}
        for child in definitions.NESTED[file]:
            bindings[definitions.machine_token(child)] = nested_run(Machine(definitions.PHYSICAL_NAMES[child]))
        return dict(sorted(bindings.items()))

    def _allow_map(self, machine: sfn.StateMachine) -> None:
        """Allow what a Distributed Map needs: its items, and executions of its own machine."""
        children = [f"{machine_arn(Machine.WAVE, 'execution')}{tail}" for tail in (":*", "/*")]
        items = f"arn:{Aws.PARTITION}:s3:::{self._bucket_name}/*"
        control = ["states:DescribeExecution", "states:RedriveExecution", "states:StopExecution"]
        for statement in (
            iam.PolicyStatement(sid="MapItems", actions=["s3:GetObject"], resources=[items]),
            iam.PolicyStatement(sid="MapItemsKey", actions=["kms:Decrypt"], resources=[self._key.key_arn]),
            iam.PolicyStatement(
                sid="MapChildren", actions=["states:StartExecution"], resources=[machine_arn(Machine.WAVE)]
            ),
            iam.PolicyStatement(sid="MapChildrenControl", actions=control, resources=children),
        ):
            machine.add_to_role_policy(statement)
        acknowledge(
            machine,
            "IAM5",
            "Map items and the executions of a map run are named by run, below one bucket and one machine.",
            *(f"Resource::{each}" for each in (items, *children)),
        )


def check_tokens(machine: Machine, wanted: frozenset[str], bindings: Mapping[str, Binding]) -> None:
    """Raise ValueError when a token has no binding or a binding no token."""
    unbound, unused = sorted(wanted - set(bindings)), sorted(set(bindings) - wanted)
    if unbound or unused:
        raise ValueError(
            f"{machine.value}: tokens without a binding: {unbound or 'none'}; bindings without a token: {unused or 'none'}. "
            f"Try: make VERBS and NESTED in statemachines/definitions.py agree with {FILES[machine]}.asl.json"
        )


def invocation(function: lambda_.IFunction) -> Binding:
    """Bind a function and the permission to invoke it."""
    arn = function.function_arn
    return Binding(arn, (iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[arn]),))


def nested_run(child: Machine) -> Binding:
    """Bind a machine and what startExecution.sync:2 needs (Step Functions watches it by a managed rule)."""
    arn = machine_arn(child)
    rule = f"arn:{Aws.PARTITION}:events:{Aws.REGION}:{Aws.ACCOUNT_ID}:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"
    return Binding(
        arn,
        (
            iam.PolicyStatement(actions=["states:StartExecution"], resources=[arn]),
            iam.PolicyStatement(
                actions=["states:DescribeExecution", "states:StopExecution"],
                resources=[f"{machine_arn(child, 'execution')}:*"],
            ),
            iam.PolicyStatement(
                actions=["events:DescribeRule", "events:PutRule", "events:PutTargets"], resources=[rule]
            ),
        ),
    )
