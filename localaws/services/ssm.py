"""Systems Manager: moto keeps parameters and documents, Automation is ours."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from localaws.acting import role_principal
from localaws.service import AwsError, Call, Principal, Reply, Service, operation
from localaws.ssm_automation.actions import ACTIONS
from localaws.ssm_automation.document import Document, bind, parse
from localaws.ssm_automation.run import AutomationRun, Status, StepRun
from localaws.ssm_automation.values import as_list, as_text, substitute

if TYPE_CHECKING:
    from localaws.world import World

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_EXECUTION_FILTERS = {
    "DocumentNamePrefix": lambda run, values: any(run.name.startswith(value) for value in values),
    "ExecutionStatus": lambda run, values: run.status in values,
    "ExecutionId": lambda run, values: run.id in values,
    "CurrentAction": lambda run, values: run.current is not None and run.current.step.action in values,
}


class SsmService(Service):
    """The automations of all accounts and Regions."""

    name: ClassVar[str] = "ssm"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._runs: dict[tuple[str, str], dict[str, AutomationRun]] = {}
        self._tokens: dict[str, str] = {}

    def reset(self) -> None:
        """Stop all automations and forget them."""
        for runs in self._runs.values():
            for run in runs.values():
                run.stop()
        self._runs.clear()
        self._tokens.clear()

    @operation("CreateDocument")
    def create_document(self, call: Call) -> Reply:
        """Create through moto, with AWS's default format; an Automation document must be one we can run."""
        if call.params.get("DocumentType") == "Automation":
            _require_known(parse(call.params["Content"]))
        return self.world.moto(call.with_params(DocumentFormat=call.params.get("DocumentFormat", "JSON")))

    @operation("UpdateDocument")
    def update_document(self, call: Call) -> Reply:
        """Update through moto, keeping the document's format unless told."""
        if "DocumentFormat" in call.params:
            return self.world.moto(call)
        described = self.world.moto(Call("ssm", "DescribeDocument", {"Name": call.params["Name"]}, *_where(call)))
        return self.world.moto(call.with_params(DocumentFormat=described["Document"]["DocumentFormat"]))

    @operation("StartAutomationExecution")
    def start(self, call: Call) -> Reply:
        """Check the parameters and start the document."""
        token = call.params.get("ClientToken")
        if token and not _UUID.fullmatch(token):
            raise AwsError("ValidationException", f"ClientToken {token!r}: expected a UUID")
        if token in self._tokens:
            return {"AutomationExecutionId": self._tokens[token]}
        name, version = _named(call.params["DocumentName"]), call.params.get("DocumentVersion", "$DEFAULT")
        document, number = self._document(call, name, version)
        parameters = bind(document, call.params.get("Parameters", {}))
        run = AutomationRun(self.world, document, name, number, call.principal, call.region, call.principal)
        run.parameters = parameters
        run.assume_role = as_text(substitute(document.assume_role, run.lookup)) if document.assume_role else ""
        if run.assume_role:
            run.principal = self._assumed(run.assume_role, run.id)
        self._runs.setdefault((call.account, call.region), {})[run.id] = run
        if token:
            self._tokens[token] = run.id
        run.start()
        return {"AutomationExecutionId": run.id}

    @operation("GetAutomationExecution")
    def get(self, call: Call) -> Reply:
        """Return a run with its steps."""
        run = self._find(call)
        shown = _summary(run) | {
            "StepExecutions": [_shown(step) for step in run.steps.values()],
            "StepExecutionsTruncated": False,
            "Parameters": {name: as_list(value) for name, value in run.parameters.items()},
        }
        shown["AutomationExecutionStatus"] = run.status
        return {"AutomationExecution": shown}

    @operation("DescribeAutomationExecutions")
    def describe(self, call: Call) -> Reply:
        """List runs, latest first."""
        runs = list(self._runs.get((call.account, call.region), {}).values())
        for wanted in call.params.get("Filters", []):
            test = _EXECUTION_FILTERS.get(wanted["Key"])
            if test is None:
                raise AwsError("InvalidFilterKey", f"The filter key {wanted['Key']} is not served")
            runs = [run for run in runs if test(run, wanted["Values"])]
        runs.sort(key=lambda run: run.started, reverse=True)
        limit = call.params.get("MaxResults", 50)
        return {
            "AutomationExecutionMetadataList": [{**_summary(run), "AutomationType": "Local"} for run in runs[:limit]]
        }

    @operation("DescribeAutomationStepExecutions")
    def describe_steps(self, call: Call) -> Reply:
        """List the steps of a run."""
        steps = [_shown(step) for step in self._find(call).steps.values()]
        return {"StepExecutions": steps[::-1] if call.params.get("ReverseOrder") else steps}

    @operation("StopAutomationExecution")
    def stop(self, call: Call) -> Reply:
        """Cancel a run."""
        run = self._find(call)
        if run.status not in {Status.PENDING, Status.IN_PROGRESS}:
            message = f"Execution {run.id} is {run.status} and cannot be stopped"
            raise AwsError("InvalidAutomationStatusUpdateException", message)
        run.stop()
        return {}

    def _find(self, call: Call) -> AutomationRun:
        run_id = call.params["AutomationExecutionId"]
        run = self._runs.get((call.account, call.region), {}).get(run_id)
        if run is None:
            message = f"Automation Execution with ID {run_id} does not exist."
            raise AwsError("AutomationExecutionNotFoundException", message)
        return run

    def _document(self, call: Call, name: str, version: str) -> tuple[Document, str]:
        params = {"Name": name, **({} if version == "$DEFAULT" else {"DocumentVersion": version})}
        try:
            found = self.world.moto(Call("ssm", "GetDocument", params, *_where(call)))
        except AwsError as error:
            code = "AutomationDefinitionNotFoundException"
            if error.code == "InvalidDocumentVersion":
                code = "AutomationDefinitionVersionNotFoundException"
            raise AwsError(code, f"Automation document {name} version {version}: {error.message}") from error
        if found.get("DocumentType") != "Automation":
            message = f"Document {name} is of type {found.get('DocumentType')}, not Automation"
            raise AwsError("AutomationDefinitionNotFoundException", message)
        document = parse(found["Content"])
        _require_known(document)
        return document, str(found["DocumentVersion"])

    def _assumed(self, role_arn: str, run_id: str) -> Principal:
        if not re.fullmatch(r"arn:[\w-]+:iam::\d{12}:role/.+", role_arn):
            message = f"The automation assume role {role_arn!r} is not the ARN of a role"
            raise AwsError("InvalidAutomationExecutionParametersException", message)
        return role_principal(role_arn, f"Automation-{run_id}")


def _require_known(document: Document) -> None:
    unknown = sorted({step.action for step in document.steps} - set(ACTIONS) - {"aws:branch"})
    if unknown:
        message = f"actions {unknown} are not served by the embedded AWS; served: {sorted(ACTIONS)}"
        raise AwsError("InvalidDocumentContent", message)


def _named(name: str) -> str:
    return name.rsplit("/", 1)[-1] if name.startswith("arn:") else name


def _where(call: Call) -> tuple[str, str, Principal]:
    return call.account, call.region, call.principal


def _summary(run: AutomationRun) -> dict[str, Any]:
    shown = {
        "AutomationExecutionId": run.id,
        "DocumentName": run.name,
        "DocumentVersion": run.version,
        "AutomationExecutionStatus": run.status,
        "ExecutionStartTime": run.started,
        "ExecutionEndTime": run.ended,
        "ExecutedBy": run.caller.arn,
        "Mode": "Auto",
        "Outputs": run.outputs,
        "FailureMessage": run.failure if run.status in {Status.FAILED, Status.TIMED_OUT} else None,
        "AssumeRole": run.assume_role or None,
    }
    if run.current is not None:
        shown |= {"CurrentStepName": run.current.step.name, "CurrentAction": run.current.step.action}
    return {key: value for key, value in shown.items() if value is not None}


def _shown(step_run: StepRun) -> dict[str, Any]:
    step = step_run.step
    shown: Mapping[str, Any] = {
        "StepName": step.name,
        "Action": step.action,
        "StepExecutionId": step_run.id,
        "StepStatus": step_run.status,
        "ExecutionStartTime": step_run.started,
        "ExecutionEndTime": step_run.ended,
        "Inputs": {key: as_text(value) for key, value in step_run.inputs.items()},
        "Outputs": {key: as_list(value) for key, value in step_run.outputs.items()},
        "FailureMessage": step_run.failure,
        "OnFailure": step.on_failure,
        "IsEnd": step.end,
        "IsCritical": step.critical,
        "MaxAttempts": step.max_attempts,
        "NextStep": step_run.next_step or step.next_step,
        "TimeoutSeconds": int(step.timeout_seconds) if step.timeout_seconds else None,
    }
    return {key: value for key, value in shown.items() if value is not None}
