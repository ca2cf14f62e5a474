"""The hub of one Region: complete, so that it works when the other Region is gone."""

from __future__ import annotations

from typing import Any

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.config import Config
from infra.constructs.alarms import Alarms
from infra.constructs.buckets import ReplicatedBucket
from infra.constructs.dashboard import Dashboard
from infra.constructs.documents import Documents
from infra.constructs.events import DrillClock, ExecutionsEnded, FunctionClock
from infra.constructs.functions import FunctionFactory, Surroundings, make_all
from infra.constructs.machines import Machines
from infra.constructs.notifications import Notifications
from infra.package import Package
from infra.verbs import BY_NAME
from orchestrator import names
from orchestrator.names import Machine

WATCHDOG_MINUTES = 5


class HubStack(Stack):
    """`DrHub-<region>`."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: Config,
        region: str,
        key: kms.IKey,
        package: Package,
        code: lambda_.Code,
        **settings: Any,
    ) -> None:
        super().__init__(scope, construct_id, **settings)
        hub = config.hub
        bucket = ReplicatedBucket(
            self,
            "Documents",
            name=names.bucket(hub.account, region),
            key=key,
            retain=hub.retain_data,
            replica_name=names.replica_bucket(hub.account, hub.other(region)),
            replica_region=hub.other(region),
        )
        notifications = Notifications(self, "Notifications", config=config, key=key)
        surroundings = Surroundings(region, bucket.name, key, notifications.topic, notifications.dead_letters)
        functions = make_all(FunctionFactory(Construct(self, "Functions"), config, package, code, surroundings))
        machines = Machines(
            self,
            "Machines",
            functions=functions,
            bucket_name=bucket.name,
            key=key,
            log_retention_days=hub.log_retention_days,
        ).machines
        ExecutionsEnded(
            self,
            "ExecutionsEnded",
            function=functions["on_execution_ended"],
            dead_letters=notifications.dead_letters,
        )
        for clock, name, verb, minutes in (
            ("InventoryClock", names.SCHEDULE, "refresh_inventory", config.refresh_minutes),
            ("ReadinessClock", names.READINESS_SCHEDULE, "judge_scopes", config.refresh_minutes),
            ("WatchdogClock", names.WATCHDOG_SCHEDULE, "watchdog", WATCHDOG_MINUTES),
        ):
            FunctionClock(
                self,
                clock,
                name=name,
                purpose=BY_NAME[verb].purpose,
                function=functions[verb],
                dead_letters=notifications.dead_letters,
                key=key,
                every_minutes=minutes,
            )
        drills = Construct(self, "Drills")
        for customer in config.customers:
            for drill in customer.drills:
                if region in {drill.primary_region, drill.dr_region}:
                    DrillClock(
                        drills,
                        names.drill_schedule(customer.name, drill.environment, drill.name),
                        customer=customer.name,
                        drill=drill,
                        function=functions["start_drill"],
                        dead_letters=notifications.dead_letters,
                        key=key,
                    )
        alarms = Alarms(self, "Alarms", topic=notifications.topic)
        alarms.watch_functions(functions)
        alarms.watch_machines(machines)
        alarms.watch_tables()
        alarms.watch_dead_letters(notifications.dead_letters)
        alarms.watch_readiness(region)
        Documents(self, "RunDocuments", region=region)
        if region == hub.home_region:
            Dashboard(self, "Dashboard", regions=hub.regions)
        CfnOutput(self, "OrchestratorArn", value=machines[Machine.ORCHESTRATOR].state_machine_arn)
        CfnOutput(self, "BucketName", value=bucket.name)
        CfnOutput(self, "TopicArn", value=notifications.topic.topic_arn)
