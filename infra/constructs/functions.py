"""The hub's functions: one per verb, each with a role of its own that reaches what the verb declares and no more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import Aws, Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.acknowledge import acknowledge
from infra.config import Config
from infra.constructs.loggroups import log_group_of
from infra.package import Package
from infra.verbs import VERBS, Access, Verb
from orchestrator import names
from orchestrator.approvals import Approvals
from orchestrator.leases import Leases
from orchestrator.names import Machine, Table

ITEM_READS = ("dynamodb:GetItem", "dynamodb:Query")
ACTIONS = {
    Access.READ: ITEM_READS,
    Access.APPEND: (*ITEM_READS, "dynamodb:PutItem"),
    Access.WRITE: (*ITEM_READS, "dynamodb:BatchWriteItem", "dynamodb:PutItem", "dynamodb:UpdateItem"),
}
"""What each access means. Appending excludes BatchWriteItem, because that may delete; IAM cannot tell a new item from a
replaced one, so the ledger's own condition stands against that."""


@dataclass(frozen=True)
class Surroundings:
    """What the functions of one Region work with."""

    region: str
    bucket_name: str
    key: kms.IKey
    topic: sns.ITopic
    dead_letters: sqs.IQueue


class FunctionFactory:
    """Makes functions alike: runtime, architecture, tracing, log group, retention, key, environment."""

    def __init__(
        self, scope: Construct, config: Config, package: Package, code: lambda_.Code, surroundings: Surroundings
    ) -> None:
        self._scope = scope
        self._config = config
        self._hub = config.hub
        self._code = code
        self._around = surroundings
        self._runtime = lambda_.Runtime(package.runtime, lambda_.RuntimeFamily.PYTHON)
        self._architecture = (
            lambda_.Architecture.ARM_64 if package.architecture == "arm64" else lambda_.Architecture.X86_64
        )
        self._current_runtime = package.target == "aws"

    def make(self, verb: Verb) -> lambda_.Function:
        """Return a verb's function with its role and its log group."""
        parent = Construct(self._scope, camel(verb.name))
        role = self._role(parent, verb)
        log_group = log_group_of(
            parent, f"/aws/lambda/{names.function(verb.name)}", self._around.key, self._hub.log_retention_days
        )
        log_group.grant_write(role)
        function = lambda_.Function(
            parent,
            "Function",
            function_name=names.function(verb.name),
            description=verb.purpose,
            code=self._code,
            handler=f"lambdas.{verb.name}.handler",
            runtime=self._runtime,
            architecture=self._architecture,
            memory_size=verb.memory_mb,
            timeout=Duration.seconds(verb.timeout_seconds),
            role=role,
            log_group=log_group,
            tracing=lambda_.Tracing.ACTIVE,
            environment=dict(self._environment(verb)),
            dead_letter_queue=self._around.dead_letters if verb.asynchronous else None,
        )
        self._acknowledge(parent, verb)
        return function

    def _environment(self, verb: Verb) -> Mapping[str, str]:
        region = self._around.region
        variables = {
            "DR_HUB_REGION": region,
            "DR_PEER_REGION": self._hub.other(region),
            "DR_RUNS_TABLE": Table.RUNS.value,
            "DR_ACTIONS_TABLE": Table.ACTIONS.value,
            "DR_INVENTORY_TABLE": Table.INVENTORY.value,
            "DR_EVENTS_TABLE": Table.EVENTS.value,
            "DR_BUCKET": self._around.bucket_name,
            "DR_TOPIC_ARN": self._around.topic.topic_arn,
            "DR_SPOKE_ROLE_PREFIX": names.SPOKE_ROLE_PREFIX,
            "DR_EXTERNAL_ID": self._hub.external_id,
            "DR_SCOPES": ",".join(self._config.scopes),
            "POWERTOOLS_SERVICE_NAME": names.function(verb.name),
            "POWERTOOLS_LOG_LEVEL": self._hub.log_level,
            "POWERTOOLS_METRICS_NAMESPACE": names.METRICS_NAMESPACE,
        }
        if region in self._hub.explorer_views:
            variables["DR_EXPLORER_VIEW_ARN"] = self._hub.explorer_views[region]
        if self._config.spokes.accounts:
            variables["DR_ACCOUNTS"] = ",".join(self._config.spokes.accounts)
        if region == self._hub.home_region:
            variables["DR_HOME"] = "true"
        if self._config.scopes_elsewhere:
            variables["DR_SCOPES_ELSEWHERE"] = ",".join(self._config.scopes_elsewhere)
        if self._config.spokes.probe:
            variables["DR_PROBE"] = "true"
        if self._config.approvals != Approvals():
            variables["DR_APPROVALS"] = self._config.approvals.model_dump_json(exclude_defaults=True)
        if self._config.leases != Leases():
            variables["DR_LEASES"] = self._config.leases.model_dump_json(exclude_defaults=True)
        if self._hub.dns_servers:
            variables["DR_DNS_SERVERS"] = ",".join(self._hub.dns_servers)
        return variables

    def _view(self) -> str:
        """Return the configured view, which lies in the aggregator's Region, or any view of the own Region."""
        own = f"arn:{Aws.PARTITION}:resource-explorer-2:{Aws.REGION}:{Aws.ACCOUNT_ID}:view/*"
        return self._hub.explorer_views.get(self._around.region, own)

    def _role(self, parent: Construct, verb: Verb) -> iam.Role:
        return iam.Role(
            parent,
            "Role",
            role_name=names.function_role(verb.name, self._around.region),
            description=f"{verb.purpose} ({self._around.region})",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            inline_policies={"verb": iam.PolicyDocument(statements=self._statements(verb))},
        )

    def _statements(self, verb: Verb) -> list[iam.PolicyStatement]:
        documents = f"arn:{Aws.PARTITION}:s3:::{self._around.bucket_name}"
        statements = [
            iam.PolicyStatement(
                sid=f"{table.name.capitalize()}Table", actions=[*ACTIONS[access]], resources=_table(table)
            )
            for table, access in verb.tables.items()
        ]
        statements += [
            iam.PolicyStatement(
                sid="Documents",
                actions=["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"],
                resources=[f"{documents}/*"],
            ),
            # Without ListBucket a missing object answers AccessDenied instead of NoSuchKey.
            iam.PolicyStatement(sid="DocumentsThatAreMissing", actions=["s3:ListBucket"], resources=[documents]),
            iam.PolicyStatement(
                sid="Key",
                actions=["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"],
                resources=[self._around.key.key_arn],
            ),
        ]
        return [*statements, *self._special(verb)]

    def _special(self, verb: Verb) -> list[iam.PolicyStatement]:
        statements: list[iam.PolicyStatement] = []
        if verb.enters_spokes:
            spokes = f"arn:{Aws.PARTITION}:iam::*:role/{names.SPOKE_ROLE_PREFIX}*"
            actions = ["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"]
            statements.append(iam.PolicyStatement(sid="Spokes", actions=actions, resources=[spokes]))
        if verb.inventory is Access.WRITE:
            actions = ["resource-explorer-2:GetView", "resource-explorer-2:ListResources", "resource-explorer-2:Search"]
            statements.append(iam.PolicyStatement(sid="Explore", actions=actions, resources=[self._view()]))
            indexes = ["resource-explorer-2:ListIndexesForMembers"]  # it names no resource
            statements.append(iam.PolicyStatement(sid="Coverage", actions=indexes, resources=["*"]))
        if verb.publishes:
            topic = self._around.topic.topic_arn
            statements.append(iam.PolicyStatement(sid="Notify", actions=["sns:Publish"], resources=[topic]))
        if verb.answers_tokens:
            actions = ["states:SendTaskFailure", "states:SendTaskSuccess"]
            statements.append(iam.PolicyStatement(sid="Tokens", actions=actions, resources=["*"]))
        if verb.reads_automations:
            actions, automations = ["ssm:GetAutomationExecution"], [_automations()]
            statements.append(iam.PolicyStatement(sid="Automations", actions=actions, resources=automations))
        if verb.watches_executions:
            actions, executions = ["states:DescribeExecution"], [_executions()]
            statements.append(iam.PolicyStatement(sid="Executions", actions=actions, resources=executions))
            beat = ["states:SendTaskHeartbeat"]  # it tells whether a token still waits, and changes nothing
            statements.append(iam.PolicyStatement(sid="Waiting", actions=beat, resources=["*"]))
        if verb.starts_runs:
            orchestrator = [machine_arn(Machine.ORCHESTRATOR)]
            statements.append(
                iam.PolicyStatement(sid="Runs", actions=["states:StartExecution"], resources=orchestrator)
            )
        if verb.stops_runs:
            actions, runs = ["states:StopExecution"], [_executions()]
            statements.append(iam.PolicyStatement(sid="Stops", actions=actions, resources=runs))
        return statements

    def _acknowledge(self, parent: Construct, verb: Verb) -> None:
        documents = f"Resource::arn:{Aws.PARTITION}:s3:::{self._around.bucket_name}/*"
        acknowledge(parent, "IAM5", "Documents are named by run and scope, below one bucket.", documents)
        redeems = verb.answers_tokens or verb.watches_executions
        tokens = ", and SendTask* none either: the token is the capability" if redeems else ""
        indexes = ", nor does listing other accounts' indexes" if verb.inventory is Access.WRITE else ""
        acknowledge(parent, "IAM5", f"X-Ray's two actions name no resource{indexes}{tokens}.", "Resource::*")
        if verb.reads_automations:
            acknowledge(parent, "IAM5", "Automations are named by random ids.", f"Resource::{_automations()}")
        if verb.watches_executions:
            acknowledge(parent, "IAM5", "Executions are named by whoever starts them.", f"Resource::{_executions()}")
        view = self._view()
        if verb.inventory is Access.WRITE and view.endswith("*"):
            acknowledge(parent, "IAM5", "A Resource Explorer view's ARN ends in a random id.", f"Resource::{view}")
        if verb.enters_spokes:
            acknowledge(
                parent,
                "IAM5",
                "The hub enters any spoke account of the organisation, but only roles with the spoke prefix, each of "
                "which demands external ID, organisation and this very role.",
                f"Resource::arn:{Aws.PARTITION}:iam::*:role/{names.SPOKE_ROLE_PREFIX}*",
            )
        if not self._current_runtime:
            acknowledge(parent, "L1", "Packaged for the embedded AWS, which runs functions with the host's Python.")


def make_all(factory: FunctionFactory) -> dict[str, lambda_.Function]:
    """Return every function by verb."""
    return {verb.name: factory.make(verb) for verb in VERBS}


def machine_arn(machine: Machine, kind: str = "stateMachine") -> str:
    """Return a machine's ARN in the stack's own Region, by name: functions and machines would refer in a circle."""
    return f"arn:{Aws.PARTITION}:states:{Aws.REGION}:{Aws.ACCOUNT_ID}:{kind}:{machine.value}"


def _executions() -> str:
    return f"{machine_arn(Machine.ORCHESTRATOR, 'execution')}:*"


def _automations() -> str:
    return f"arn:{Aws.PARTITION}:ssm:{Aws.REGION}:{Aws.ACCOUNT_ID}:automation-execution/*"


def _table(table: Table) -> list[str]:
    arn = f"arn:{Aws.PARTITION}:dynamodb:{Aws.REGION}:{Aws.ACCOUNT_ID}:table/{table.value}"
    return [arn, f"{arn}/index/{names.RUNS_BY_SCOPE}"] if table is Table.RUNS else [arn]


def camel(name: str) -> str:
    """Return `open_gate` as `OpenGate`."""
    return "".join(part.capitalize() for part in name.split("_"))
