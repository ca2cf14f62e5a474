"""Step Functions: moto keeps machines, versions, aliases and activities; executions are ours.

They run on moto's interpreter as patched by `localaws.stepfunctions_patches`.
"""

from __future__ import annotations

import copy
import random
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import uuid4

from moto.stepfunctions.models import StateMachineVersion
from moto.stepfunctions.parser.api import ExecutionStatus
from moto.stepfunctions.responses import get_backend

from localaws import stepfunctions_patches
from localaws.service import AwsError, Call, Reply, Service, operation
from localaws.services.stepfunctions_replies import (
    check_input,
    check_name,
    dated,
    history_event,
    listed,
    not_redrivable,
    page,
    status_detail,
)
from localaws.stepfunctions_patches import definitions, tokens
from localaws.stepfunctions_patches.engine import Engine
from localaws.stepfunctions_patches.execution import TrackedExecution

if TYPE_CHECKING:
    from localaws.world import World


class StepFunctionsService(Service):
    """Executions, task tokens and Map Runs. `engine.callback_speed` speeds up callback timeouts alone."""

    name: ClassVar[str] = "stepfunctions"
    # They wait for executions, which may need the world's lock to end.
    unlocked: ClassVar[frozenset[str]] = frozenset({"StopExecution", "StartSyncExecution"})

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.engine = self._new_engine()

    def reset(self) -> None:
        """Stop what runs and forget all executions."""
        for execution in list(self.engine.executions.values()):
            execution.halt(error=None, cause="the embedded AWS was reset")
        self.engine = self._new_engine()

    @operation("StartExecution")
    def start_execution(self, call: Call) -> Reply:
        """Start a run; the same name with the same input, while it runs, is the same run."""
        machine = self._machine(call.account, call.region, call.params["stateMachineArn"])
        text = call.params.get("input") or "{}"
        name = call.params.get("name") or str(uuid4())
        check_name(name)
        check_input(text)
        arn = f"{_base_arn(machine).replace(':stateMachine:', ':execution:')}:{name}"
        with self.engine.lock:
            existing = self.engine.executions.get(arn)
            if existing is None:
                execution = self._new_execution(call, machine, name, arn, text)
            elif existing.execution_input == text and existing.exec_status == ExecutionStatus.RUNNING:
                return {"executionArn": arn, "startDate": existing.start_date}
            else:
                raise AwsError("ExecutionAlreadyExists", f"Execution Already Exists: '{arn}'")
        execution.start()
        return {"executionArn": arn, "startDate": execution.start_date}

    @operation("StartSyncExecution")
    def start_sync_execution(self, call: Call) -> Reply:
        """Run an express machine and wait for its end."""
        execution = self._find(call, str(self.start_execution(call)["executionArn"]))
        execution.done.result()
        described = execution.describe()
        keys = ("executionArn", "stateMachineArn", "name", "startDate", "stopDate", "input", "output", "error", "cause")
        return {"status": described["status"], **{key: described[key] for key in keys if key in described}}

    @operation("StopExecution")
    def stop_execution(self, call: Call) -> Reply:
        """Abort a run, the runs it waits for and its Map Runs' children."""
        execution = self._find(call, call.params["executionArn"])
        if execution.exec_status != ExecutionStatus.RUNNING:
            return {"stopDate": execution.stop_date}
        return {"stopDate": execution.abort(call.params.get("error"), call.params.get("cause"))}

    @operation("RedriveExecution")
    def redrive_execution(self, call: Call) -> Reply:
        """Go on from the state that failed. A Distributed Map that failed runs all its children again."""
        execution = self._find(call, call.params["executionArn"])
        with self.engine.lock:
            why = not_redrivable(execution, self.world.clock.now())
            if why is not None:
                raise AwsError("ExecutionNotRedrivable", why)
            return {"redriveDate": execution.redrive()}

    @operation("DescribeExecution")
    def describe_execution(self, call: Call) -> Reply:
        """Describe a run or a Map Run's child."""
        execution = self._find(call, call.params["executionArn"])
        why = not_redrivable(execution, self.world.clock.now())
        status = {"redriveStatus": "REDRIVABLE" if why is None else "NOT_REDRIVABLE", "redriveStatusReason": why}
        return {**execution.describe(), **{key: value for key, value in status.items() if value is not None}}

    @operation("DescribeStateMachineForExecution")
    def describe_machine_for_execution(self, call: Call) -> Reply:
        """Describe the machine as it was when the run started."""
        execution = self._find(call, call.params["executionArn"])
        machine = execution.state_machine
        return {
            "stateMachineArn": _base(execution.state_machine_arn),
            "name": machine.name,
            "definition": machine.definition,
            "roleArn": execution.role_arn,
            "updateDate": getattr(machine, "update_date", execution.start_date),
        }

    @operation("ListExecutions")
    def list_executions(self, call: Call) -> Reply:
        """List runs, latest first, of a machine or a Map Run."""
        map_run, machine_arn = call.params.get("mapRunArn"), call.params.get("stateMachineArn")
        if machine_arn:
            machine_arn = _base_arn(self._machine(call.account, call.region, machine_arn))
        status = call.params.get("statusFilter")
        with self.engine.lock:
            all_of_them = list(self.engine.executions.values())
        found = [
            execution
            for execution in all_of_them
            if (execution.account_id, execution.region_name) == (call.account, call.region)
            and (execution.map_run_arn == map_run if map_run else _base(execution.state_machine_arn) == machine_arn)
            and status in (None, execution.exec_status.value)
        ]
        found.sort(key=lambda execution: execution.start_date, reverse=True)
        shown, token = page(found, call)
        return {"executions": [listed(execution) for execution in shown], "nextToken": token}

    @operation("GetExecutionHistory")
    def get_execution_history(self, call: Call) -> Reply:
        """Return the events of a run."""
        execution = self._find(call, call.params["executionArn"])
        events = execution.to_history_output()["events"]
        if call.params.get("reverseOrder"):
            events.reverse()
        shown, token = page(events, call)
        return {
            "events": [history_event(one, call.params.get("includeExecutionData", True)) for one in shown],
            "nextToken": token,
        }

    @operation("SendTaskSuccess")
    def send_task_success(self, call: Call) -> Reply:
        """End a callback task well."""
        output = tokens.parse_output(call.params["output"])
        self._token(call).succeed(output)
        return {}

    @operation("SendTaskFailure")
    def send_task_failure(self, call: Call) -> Reply:
        """Fail a callback task."""
        self._token(call).fail(call.params.get("error"), call.params.get("cause"))
        return {}

    @operation("SendTaskHeartbeat")
    def send_task_heartbeat(self, call: Call) -> Reply:
        """Keep a callback task alive."""
        self._token(call).beat()
        return {}

    @operation("ListMapRuns")
    def list_map_runs(self, call: Call) -> Reply:
        """List the Map Runs of a run."""
        execution = self._find(call, call.params["executionArn"])
        records = execution.env.map_run_record_pool_manager.get_all()
        shown, token = page([dated(record.list_item()) for record in records], call)
        return {"mapRuns": shown, "nextToken": token}

    @operation("DescribeMapRun")
    def describe_map_run(self, call: Call) -> Reply:
        """Describe a Map Run with its counts."""
        return {"redriveCount": 0, **dated(self._map_run(call).describe())}

    @operation("UpdateMapRun")
    def update_map_run(self, call: Call) -> Reply:
        """Change the limits of a Map Run; the tolerance holds at once, the concurrency for Map Runs yet to start."""
        params = call.params
        self._map_run(call).update(
            params.get("maxConcurrency"), params.get("toleratedFailureCount"), params.get("toleratedFailurePercentage")
        )
        return {}

    @operation("PublishStateMachineVersion")
    def publish_version(self, call: Call) -> Reply:
        """Make the machine as it is a version; the same definition and role again give the same version."""
        machine = self._machine(call.account, call.region, call.params["stateMachineArn"])
        latest = machine.latest_version
        published = None if latest is None else machine.versions[machine.latest_version_number]
        if published is None or (published.definition, published.roleArn) != (machine.definition, machine.roleArn):
            machine.publish(call.params.get("description"))
            published = machine.versions[machine.latest_version_number]
        return {"stateMachineVersionArn": published.arn, "creationDate": published.creation_date}

    @operation("ListStateMachineVersions")
    def list_versions(self, call: Call) -> Reply:
        """List the versions of a machine, latest first."""
        machine = self._machine(call.account, call.region, call.params["stateMachineArn"])
        latest_first = [machine.versions[number] for number in sorted(machine.versions, reverse=True)]
        versions = [{"stateMachineVersionArn": v.arn, "creationDate": v.creation_date} for v in latest_first]
        shown, token = page(versions, call)
        return {"stateMachineVersions": shown, "nextToken": token}

    @operation("DeleteStateMachineVersion")
    def delete_version(self, call: Call) -> Reply:
        """Delete a version that no alias points at."""
        arn = call.params["stateMachineVersionArn"]
        machine = self._machine(call.account, call.region, arn.rpartition(":")[0])
        routes = [route for alias in machine.aliases.values() for route in alias.routing_configuration]
        if any(route["stateMachineVersionArn"] == arn for route in routes):
            raise AwsError("ConflictException", f"Version to be deleted must not be referenced by an alias: {arn}")
        machine.versions.pop(int(arn.rpartition(":")[2]), None)
        return {}

    @operation("ValidateStateMachineDefinition")
    def validate_definition(self, call: Call) -> Reply:
        """Say whether a definition parses."""
        try:
            definitions.parse(call.params["definition"])
        except Exception as error:  # noqa: BLE001 - whatever the parser raises is the diagnosis
            problem = {"severity": "ERROR", "code": "SCHEMA_VALIDATION_FAILED", "message": str(error)}
            return {"result": "FAIL", "diagnostics": [problem], "truncated": False}
        return {"result": "OK", "diagnostics": [], "truncated": False}

    def _new_engine(self) -> Engine:
        engine = Engine(self.world)
        engine.on_change = self._announce
        stepfunctions_patches.install(engine)
        return engine

    def _new_execution(self, call: Call, machine: Any, name: str, arn: str, text: str) -> TrackedExecution:
        snapshot = copy.copy(machine)
        execution = TrackedExecution(
            name=name,
            sm_type="STANDARD",
            role_arn=machine.roleArn,
            exec_arn=arn,
            account_id=call.account,
            region_name=call.region,
            state_machine=snapshot,
            start_date=datetime.now(UTC),
            input_data=text,
            trace_header=call.params.get("traceHeader"),
            alias_arn=_alias(call.params["stateMachineArn"]),
        )
        self.engine.executions[arn] = execution
        return execution

    def _announce(self, execution: TrackedExecution) -> None:
        """Emit the status-change event, as AWS does for the runs of a machine (not for a Map Run's children)."""
        if execution.map_run_arn:
            return
        events: Any = self.world.service("events")
        source, kind = "aws.states", "Step Functions Execution Status Change"
        events.emit(
            execution.account_id, execution.region_name, source, kind, [execution.exec_arn], status_detail(execution)
        )

    def _machine(self, account: str, region: str, arn: str) -> Any:
        if not re.fullmatch(r"arn:[\w-]+:states:[\w-]+:\d{12}:stateMachine:[^\s]+", arn):
            raise AwsError("InvalidArn", f"Invalid Arn: 'Invalid ARN prefix: {arn}'")
        backend = get_backend(account, region)
        try:
            if _alias(arn):
                alias = backend.describe_state_machine_alias(arn)
                weights = [route["weight"] for route in alias.routing_configuration]
                chosen = random.choices(alias.routing_configuration, weights)[0]  # noqa: S311 - traffic shares
                return backend.describe_state_machine(chosen["stateMachineVersionArn"])
            return backend.describe_state_machine(arn)
        except Exception as error:
            raise AwsError("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{arn}'") from error

    def _find(self, call: Call, arn: str) -> TrackedExecution:
        execution = self.engine.executions.get(arn)
        if execution is None or (execution.account_id, execution.region_name) != (call.account, call.region):
            if not re.match(r"arn:[\w-]+:states:", arn):
                raise AwsError("InvalidArn", f"Invalid Arn: 'Invalid ARN prefix: {arn}'")
            raise AwsError("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'")
        return execution

    def _token(self, call: Call) -> tokens.Token:
        return tokens.find(self.engine, call.params["taskToken"], call.account, call.region)

    def _map_run(self, call: Call) -> Any:
        arn = call.params["mapRunArn"]
        for execution in list(self.engine.executions.values()):
            record = execution.env.map_run_record_pool_manager.get(arn)
            if record is not None and (execution.account_id, execution.region_name) == (call.account, call.region):
                return record
        raise AwsError("ResourceNotFound", f"Resource not found: '{arn}'", resourceName=arn)


def _alias(arn: str) -> str | None:
    """Return the ARN when it names an alias."""
    return arn if arn.count(":") == 7 and not arn.rpartition(":")[2].isnumeric() else None


def _base_arn(machine: Any) -> str:
    """Return the machine's ARN without a version."""
    return str(machine.source_arn if isinstance(machine, StateMachineVersion) else machine.arn)


def _base(arn: str) -> str:
    parts = arn.split(":")
    return ":".join(parts[:7])
