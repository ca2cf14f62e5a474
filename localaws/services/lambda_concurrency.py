"""Reserved and provisioned concurrency, and the account's limits.

Timings in AWS seconds. A fault of the scenario acts on `lambda.provisioned-concurrency` (resource: the ARN of the
version or alias).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from localaws.lambda_runtime import moto_bridge
from localaws.service import AwsError, Call, Reply, Service, operation
from localaws.services.lambda_functions import acts_for_itself, find, named

ALLOCATE_SECONDS = 120.0
LEAST_UNRESERVED = 100
QUOTA = {"ServiceCode": "lambda", "QuotaCode": "L-B99A9384"}
CODE_BYTES_PER_REGION = 80_530_636_800
CODE_BYTES_UNZIPPED = 262_144_000
CODE_BYTES_ZIPPED = 52_428_800


@dataclass(eq=False)
class Provisioned:
    """Provisioned concurrency of a version or alias."""

    arn: str
    requested: int
    changed_at: datetime
    status: str = "IN_PROGRESS"
    ready: int = 0
    reason: str | None = None

    def shape(self) -> dict[str, Any]:
        """Return what Get and Put answer."""
        shown = {
            "RequestedProvisionedConcurrentExecutions": self.requested,
            "AllocatedProvisionedConcurrentExecutions": self.ready,
            "AvailableProvisionedConcurrentExecutions": self.ready,
            "Status": self.status,
            "LastModified": self.changed_at.strftime("%Y-%m-%dT%H:%M:%S+0000"),
        }
        return {**shown, "StatusReason": self.reason} if self.reason else shown


class Concurrency(Service):
    """The operations on concurrency."""

    @operation("GetAccountSettings")
    def get_account_settings(self, call: Call) -> Reply:
        """Return the limits of the account in this Region, and what is used."""
        functions = list(moto_bridge.backend(call.account, call.region).list_functions())
        limit = self._limit(call)
        return {
            "AccountLimit": {
                "TotalCodeSize": CODE_BYTES_PER_REGION,
                "CodeSizeUnzipped": CODE_BYTES_UNZIPPED,
                "CodeSizeZipped": CODE_BYTES_ZIPPED,
                "ConcurrentExecutions": limit,
                "UnreservedConcurrentExecutions": limit - _reserved(functions),
            },
            "AccountUsage": {
                "TotalCodeSize": sum(int(function.code_size) for function in functions),
                "FunctionCount": len(functions),
            },
        }

    @operation("PutFunctionConcurrency")
    def put_function_concurrency(self, call: Call) -> Reply:
        """Reserve concurrency; 0 stops the function.

        Raises: InvalidParameterValueException when fewer than 100 stay unreserved, or less than is provisioned.
        """
        function, wanted = find(call, call.params["FunctionName"]), call.params["ReservedConcurrentExecutions"]
        functions = moto_bridge.backend(call.account, call.region).list_functions()
        others = _reserved([each for each in functions if each.function_name != function.function_name])
        if wanted > 0 and self._limit(call) - others - wanted < LEAST_UNRESERVED:
            raise _invalid(
                "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution "
                f"below its minimum value of [{LEAST_UNRESERVED}]."
            )
        prefix = f"{function.function_arn}:"
        provisioned = sum(one.requested for one in self._kept(call).values() if one.arn.startswith(prefix))
        if wanted < provisioned:
            raise _invalid(
                f"ReservedConcurrentExecutions {wanted} should not be lower than function's total provisioned "
                f"concurrency [{provisioned}]."
            )
        return self.world.moto(call)

    @operation("PutProvisionedConcurrencyConfig")
    def put_provisioned_concurrency_config(self, call: Call) -> Reply:
        """Provision concurrency for a version or alias; READY after minutes.

        Raises: InvalidParameterValueException ($LATEST, more than reserved), ResourceNotFoundException.
        """
        arn, function = self._qualified(call)
        wanted = call.params["ProvisionedConcurrentExecutions"]
        reserved = function.reserved_concurrency
        if reserved is not None and wanted > int(reserved):
            raise _invalid(
                "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for "
                "function"
            )
        made = Provisioned(arn, wanted, self.world.clock.now())
        kept = self._kept(call)
        kept[arn] = made

        def ready() -> None:
            if kept.get(arn) is made:
                made.status, made.ready = "READY", made.requested

        def failed() -> None:
            made.status, made.reason = "FAILED", "FUNCTION_ERROR_INIT_FAILURE"

        if acts_for_itself(call):
            ready()
            return made.shape()
        self.world.transition("lambda.provisioned-concurrency", arn, ALLOCATE_SECONDS, ready, failed)
        return made.shape()

    @operation("GetProvisionedConcurrencyConfig")
    def get_provisioned_concurrency_config(self, call: Call) -> Reply:
        """Describe provisioned concurrency. Raises ProvisionedConcurrencyConfigNotFoundException."""
        arn, _ = self._qualified(call)
        found = self._kept(call).get(arn)
        if found is None:
            message = "No Provisioned Concurrency Config found for this function"
            raise AwsError("ProvisionedConcurrencyConfigNotFoundException", message, 404, Type="User")
        return found.shape()

    @operation("DeleteProvisionedConcurrencyConfig")
    def delete_provisioned_concurrency_config(self, call: Call) -> Reply:
        """Release provisioned concurrency; repeating the call changes nothing."""
        arn, _ = self._qualified(call)
        self._kept(call).pop(arn, None)
        return {}

    @operation("ListProvisionedConcurrencyConfigs")
    def list_provisioned_concurrency_configs(self, call: Call) -> Reply:
        """List the provisioned concurrency of a function."""
        prefix = f"{find(call, call.params['FunctionName']).function_arn}:"
        found = [one for one in self._kept(call).values() if one.arn.startswith(prefix)]
        return {"ProvisionedConcurrencyConfigs": [{**one.shape(), "FunctionArn": one.arn} for one in found]}

    def _limit(self, call: Call) -> int:
        reply = self.world.call("service-quotas", "GetServiceQuota", call.account, call.region, **QUOTA)
        return int(reply["Quota"]["Value"])

    def _kept(self, call: Call) -> dict[str, Provisioned]:
        backend = moto_bridge.backend(call.account, call.region)
        kept: dict[str, Provisioned] = backend.__dict__.setdefault("provisioned_concurrency", {})
        return kept

    def _qualified(self, call: Call) -> tuple[str, Any]:
        """Return the ARN of the version or alias, and the function. Raises ResourceNotFoundException."""
        function, qualifier = find(call, call.params["FunctionName"]), call.params["Qualifier"]
        if qualifier == "$LATEST":
            raise _invalid("Provisioned Concurrency Configs cannot be applied to unpublished function versions.")
        name, _ = named(call, call.params["FunctionName"])
        try:
            moto_bridge.backend(call.account, call.region).get_function(name, qualifier)
        except Exception as error:
            message = f"Cannot find alias arn: {function.function_arn}:{qualifier}"
            raise AwsError("ResourceNotFoundException", message, 404, Type="User") from error
        return f"{function.function_arn}:{qualifier}", function


def _reserved(functions: list[Any]) -> int:
    return sum(int(function.reserved_concurrency or 0) for function in functions)


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterValueException", message, 400, Type="User")
