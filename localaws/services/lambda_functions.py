"""Lambda's control plane for functions, versions and aliases: what moto applies at once or does not check.

A function in a VPC is `Pending` first, an update is `InProgress` for a moment, and revision ids guard against
changing what somebody else changed. AWS services (CloudFormation) act as an account's root and wait for themselves:
for them everything is done at once. Functions of an account, deployed ones included, run as before.

Timings in AWS seconds. A fault of the scenario acts on `lambda.create-function` and `lambda.update-function`
(resource: the function's ARN).
"""

from __future__ import annotations

import copy
import uuid
from typing import Any

from localaws.lambda_runtime import moto_bridge
from localaws.service import AwsError, Call, Reply, Service, operation

VPC_SECONDS = 60.0
UPDATE_SECONDS = 5.0


class FunctionControl(Service):
    """Functions, versions and aliases."""

    @operation("CreateFunction")
    def create_function(self, call: Call) -> Reply:
        """Create a function; one in a VPC is Pending for a minute."""
        reply = self.world.moto(call)
        function = moto_bridge.backend(call.account, call.region).get_function(reply["FunctionName"])
        _show(function, RevisionId=str(uuid.uuid4()))
        if not (call.params.get("VpcConfig") or {}).get("SubnetIds") or acts_for_itself(call):
            return {**reply, "RevisionId": function.control["RevisionId"]}
        function.state = "Pending"
        reason = {"StateReason": "The function is being created.", "StateReasonCode": "Creating"}
        _show(function, **reason)

        def ready() -> None:
            function.state = "Active"
            _show(function, StateReason=None, StateReasonCode=None)

        def failed() -> None:
            function.state = "Failed"
            why = "Lambda could not create the network interfaces: the subnets have no free addresses."
            _show(function, StateReason=why, StateReasonCode="SubnetOutOfIPAddresses")

        self.world.transition("lambda.create-function", function.function_arn, VPC_SECONDS, ready, failed)
        return {**reply, **function.control, "State": "Pending"}

    @operation("UpdateFunctionCode")
    def update_function_code(self, call: Call) -> Reply:
        """Change the code. Raises PreconditionFailedException, ResourceConflictException (update in progress)."""
        return self._update(call)

    @operation("UpdateFunctionConfiguration")
    def update_function_configuration(self, call: Call) -> Reply:
        """Change settings. Raises PreconditionFailedException, ResourceConflictException (update in progress)."""
        return self._update(call)

    @operation("PublishVersion")
    def publish_version(self, call: Call) -> Reply:
        """Publish $LATEST, or return the newest version when nothing changed since.

        Raises: ResourceNotFoundException, InvalidParameterValueException (another CodeSha256),
            PreconditionFailedException, ResourceConflictException.
        """
        function = find(call, call.params["FunctionName"])
        self._refuse_busy(call, function)
        _check_revision(call, function.control.get("RevisionId"))
        wanted = call.params.get("CodeSha256")
        if wanted and wanted != function.code_sha_256:
            message = f"CodeSHA256 ({wanted}) is different from current CodeSHA256 in $LATEST ({function.code_sha_256})"
            raise AwsError("InvalidParameterValueException", message, 400, Type="User")
        stored = moto_bridge.backend(call.account, call.region)._lambdas
        versions = stored._functions[function.function_name]["versions"]
        if versions and not function.code_or_config_updated:
            return _configuration(versions[-1])
        # moto counts what is left: after a deletion it would give a number a second time, which AWS never does.
        function.published = max([getattr(function, "published", 0), *(int(each.version) for each in versions)]) + 1
        version = copy.copy(function)
        version.set_version(function.published)
        version.description = call.params.get("Description") or version.description
        version.code_or_config_updated = function.code_or_config_updated = False
        versions.append(version)
        stored._arns[version.function_arn] = version
        return _configuration(version)

    @operation("GetFunction")
    def get_function(self, call: Call) -> Reply:
        """Describe a function; its reserved concurrency is shown when it is 0 too."""
        reply = dict(self.world.moto(call))
        reserved = find(call, call.params["FunctionName"]).reserved_concurrency
        reply.pop("Concurrency", None)
        if reserved is not None:
            reply["Concurrency"] = {"ReservedConcurrentExecutions": int(reserved)}
        return reply

    @operation("DeleteFunction")
    def delete_function(self, call: Call) -> Reply:
        """Delete a function or one version. Raises ResourceConflictException for a version an alias points at."""
        name, qualifier = named(call, call.params["FunctionName"])
        qualifier = call.params.get("Qualifier") or qualifier
        if qualifier == "$LATEST":
            message = "$LATEST version cannot be deleted without deleting the function."
            raise AwsError("InvalidParameterValueException", message, 400, Type="User")
        if qualifier is not None:
            backend = moto_bridge.backend(call.account, call.region)
            users = [alias.name for alias in backend.list_aliases(name) if qualifier in _versions(alias)]
            if users:
                message = f"Unable to delete version because the following aliases reference it: {users}"
                raise AwsError("ResourceConflictException", message, 409, Type="User")
        reply = self.world.moto(call)
        if qualifier is None:  # what was provisioned for its aliases and versions goes with it
            provisioned = moto_bridge.backend(call.account, call.region).__dict__.get("provisioned_concurrency", {})
            for arn in [each for each in provisioned if each.split(":")[6] == name]:
                del provisioned[arn]
        return reply

    @operation("UpdateAlias")
    def update_alias(self, call: Call) -> Reply:
        """Point an alias elsewhere. Raises PreconditionFailedException for an outdated RevisionId."""
        name, _ = named(call, call.params["FunctionName"])
        try:
            alias = moto_bridge.backend(call.account, call.region).get_alias(call.params["Name"], name)
        except Exception as error:
            message = f"Cannot find alias {call.params['Name']} of {name}"
            raise AwsError("ResourceNotFoundException", message, 404, Type="User") from error
        _check_revision(call, alias.revision_id)
        reply = dict(self.world.moto(call))
        alias.revision_id = str(uuid.uuid4())
        return {**reply, "RevisionId": alias.revision_id}

    def _update(self, call: Call) -> Reply:
        function = find(call, call.params["FunctionName"])
        self._refuse_busy(call, function)
        _check_revision(call, function.control.get("RevisionId"))
        reply = self.world.moto(call.with_params(RevisionId=None))
        if call.params.get("DryRun"):
            return reply
        _show(function, RevisionId=str(uuid.uuid4()))
        if not acts_for_itself(call):
            _show(function, LastUpdateStatus="InProgress", LastUpdateStatusReasonCode="Updating")
            self.world.transition(
                "lambda.update-function",
                function.function_arn,
                UPDATE_SECONDS,
                lambda: _show(function, LastUpdateStatus=None, LastUpdateStatusReasonCode=None),
                lambda: _show(function, LastUpdateStatus="Failed", LastUpdateStatusReasonCode="InternalError"),
            )
        return {**reply, **function.control}

    def _refuse_busy(self, call: Call, function: Any) -> None:
        busy = function.state == "Pending" or function.control.get("LastUpdateStatus") == "InProgress"
        if busy and not acts_for_itself(call):
            message = (
                "The operation cannot be performed at this time. An update is in progress for resource: "
                f"{function.function_arn}"
            )
            raise AwsError("ResourceConflictException", message, 409, Type="User")


def acts_for_itself(call: Call) -> bool:
    """Say whether an AWS service makes the call, which waits until things are ready by itself."""
    return call.principal.arn.endswith(":root")


def named(call: Call, given: str) -> tuple[str, str | None]:
    """Return name and qualifier of a FunctionName: a name, a partial or a full ARN."""
    parts = given.split(":")
    if "function" in parts[:-1]:
        parts = parts[parts.index("function") + 1 :]
    return parts[0], parts[1] if len(parts) > 1 else None


def find(call: Call, given: str) -> Any:
    """Return moto's $LATEST of a function. Raises ResourceNotFoundException."""
    name, _ = named(call, given)
    try:
        return moto_bridge.backend(call.account, call.region).get_function(name)
    except Exception as error:
        arn = f"arn:aws:lambda:{call.region}:{call.account}:function:{name}"
        raise AwsError("ResourceNotFoundException", f"Function not found: {arn}", 404, Type="User") from error


def _show(function: Any, **changes: str | None) -> None:
    """Change what the configuration shows beyond moto's; a published version keeps what it had."""
    merged = {**function.control, **changes}
    function.control = {key: value for key, value in merged.items() if value is not None}


def _check_revision(call: Call, current: str | None) -> None:
    given = call.params.get("RevisionId")
    if given is not None and given != current:
        message = (
            "The RevisionId provided does not match the latest RevisionId. Call the GetFunction/GetAlias API to "
            "retrieve the latest RevisionId"
        )
        raise AwsError("PreconditionFailedException", message, 412, Type="User")


def _configuration(function: Any) -> Reply:
    return {key: value for key, value in function.get_configuration().items() if value is not None}


def _versions(alias: Any) -> set[str]:
    weights = (alias.routing_config or {}).get("AdditionalVersionWeights") or {}
    return {str(alias.function_version), *map(str, weights)}
