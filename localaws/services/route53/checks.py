"""Health-check operations: the settings live on moto's objects, completed with what moto drops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localaws.service import AwsError, Call, Reply, Service, operation
from localaws.services.route53.health import HealthChecks

if TYPE_CHECKING:
    from localaws.world import World

# Parameter of the API -> attribute of moto's health check.
ATTRIBUTES = {
    "IPAddress": "ip_address",
    "Port": "port",
    "ResourcePath": "resource_path",
    "FullyQualifiedDomainName": "fqdn",
    "SearchString": "search_string",
    "RequestInterval": "request_interval",
    "FailureThreshold": "failure_threshold",
    "MeasureLatency": "measure_latency",
    "Inverted": "inverted",
    "Disabled": "disabled",
    "HealthThreshold": "health_threshold",
    "ChildHealthChecks": "children",
    "EnableSNI": "enable_sni",
    "Regions": "regions",
    "AlarmIdentifier": "alarm_identifier",
    "InsufficientDataHealthStatus": "insufficient_data_health_status",
    "RoutingControlArn": "routing_control_arn",
}
UPDATABLE = set(ATTRIBUTES) - {"RequestInterval", "MeasureLatency", "RoutingControlArn"}
ENDPOINT_TYPES = {"HTTP", "HTTPS", "HTTP_STR_MATCH", "HTTPS_STR_MATCH", "TCP"}
ENDPOINT_ONLY = {"IPAddress", "Port", "RequestInterval", "FailureThreshold", "MeasureLatency", "EnableSNI"}
CHECKERS = {
    "us-east-1": "15.177.2.1",
    "us-west-1": "15.177.14.1",
    "us-west-2": "15.177.18.1",
    "eu-west-1": "15.177.10.1",
    "ap-southeast-1": "15.177.38.1",
    "ap-southeast-2": "15.177.42.1",
    "ap-northeast-1": "15.177.50.1",
    "sa-east-1": "15.177.58.1",
}


class HealthCheckOperations(Service):
    """The operations on health checks."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.health = HealthChecks(world)

    @operation("CreateHealthCheck")
    def create_health_check(self, call: Call) -> Reply:
        config, reference = dict(call.params["HealthCheckConfig"]), call.params["CallerReference"]
        backend = self._moto(call)
        same = next((each for each in backend.health_checks.values() if each.caller_reference == reference), None)
        if same is not None:
            if getattr(same, "created_with", config) != config:
                raise AwsError(
                    "HealthCheckAlreadyExists",
                    "A health check with the specified CallerReference and different settings already exists.",
                    409,
                )
            return self._created(same, call)
        self._check_config(call, config)
        check = backend.create_health_check(reference, {"type": config["Type"]})
        check.created_with = config
        check.port = None
        for name, attribute in ATTRIBUTES.items():
            if name in config:
                setattr(check, attribute, config[name])
        if config["Type"] in ENDPOINT_TYPES and check.port is None:
            check.port = 443 if config["Type"].startswith("HTTPS") else 80
        if config["Type"].startswith("HTTPS"):
            check.enable_sni = config.get("EnableSNI", True)
        self.health.is_healthy(check)
        return self._created(check, call)

    @operation("GetHealthCheck")
    def get_health_check(self, call: Call) -> Reply:
        return {"HealthCheck": self._shown(self._check(call), call)}

    @operation("ListHealthChecks")
    def list_health_checks(self, call: Call) -> Reply:
        checks = sorted(self._moto(call).health_checks.values(), key=lambda check: str(check.id))
        size = int(call.params.get("MaxItems") or 100)
        marker = call.params.get("Marker") or ""
        following = [check for check in checks if str(check.id) >= marker]
        reply: dict[str, Any] = {
            "HealthChecks": [self._shown(check, call) for check in following[:size]],
            "Marker": marker,
            "IsTruncated": len(following) > size,
            "MaxItems": str(size),
        }
        if len(following) > size:
            reply["NextMarker"] = following[size].id
        return reply

    @operation("UpdateHealthCheck")
    def update_health_check(self, call: Call) -> Reply:
        check = self._check(call)
        version = call.params.get("HealthCheckVersion")
        if version is not None and int(version) != check.health_check_version:
            raise AwsError(
                "HealthCheckVersionMismatch",
                "The value of HealthCheckVersion in the request doesn't match the value of HealthCheckVersion in the "
                f"health check: {version} given, {check.health_check_version} current.",
                409,
            )
        self.health.is_healthy(check)
        for name in UPDATABLE & set(call.params):
            setattr(check, ATTRIBUTES[name], call.params[name])
        for name in call.params.get("ResetElements") or []:
            setattr(check, ATTRIBUTES[name], None)
        check.health_check_version += 1
        return {"HealthCheck": self._shown(check, call)}

    @operation("DeleteHealthCheck")
    def delete_health_check(self, call: Call) -> Reply:
        check = self._check(call)
        backend = self._moto(call)
        del backend.health_checks[check.id]
        backend.resource_tags.pop(check.id, None)
        return {}

    @operation("GetHealthCheckStatus")
    def get_health_check_status(self, call: Call) -> Reply:
        check = self._check(call)
        if check.type_ == "CALCULATED":
            raise AwsError("InvalidInput", "GetHealthCheckStatus is not supported for calculated health checks.")
        return {"HealthCheckObservations": self._observations(check, self.health.is_healthy(check))}

    @operation("GetHealthCheckLastFailureReason")
    def get_health_check_last_failure_reason(self, call: Call) -> Reply:
        check = self._check(call)
        healthy = self.health.is_healthy(check)
        return {"HealthCheckObservations": [] if healthy else self._observations(check, healthy)}

    def status(self, account: str, check_id: str) -> bool | None:
        """Return a check's status (for the AWS/Route53 metric), None when there is no such check."""
        backend = self.world.backend("route53", account, "us-east-1")
        check = backend.health_checks.get(check_id)
        return None if check is None else self.health.is_healthy(check)

    def _moto(self, call: Call) -> Any:
        return self.world.backend("route53", call.account, "us-east-1")

    def _check(self, call: Call) -> Any:
        check_id = call.params["HealthCheckId"]
        check = self._moto(call).health_checks.get(check_id)
        if check is None:
            raise AwsError("NoSuchHealthCheck", f"No health check exists with the specified ID: {check_id}", 404)
        return check

    def _check_config(self, call: Call, config: dict[str, Any]) -> None:
        kind = config["Type"]
        if kind in ENDPOINT_TYPES and not (config.get("IPAddress") or config.get("FullyQualifiedDomainName")):
            raise AwsError("InvalidInput", "Either IPAddress or FullyQualifiedDomainName must be specified.")
        if kind == "TCP" and not config.get("Port"):
            raise AwsError("InvalidInput", "Port must be specified for TCP health checks.")
        if kind == "RECOVERY_CONTROL" and not config.get("RoutingControlArn"):
            raise AwsError("InvalidInput", "RoutingControlArn must be specified for RECOVERY_CONTROL health checks.")
        if kind == "CLOUDWATCH_METRIC":
            identifier = config.get("AlarmIdentifier")
            if not identifier:
                raise AwsError("InvalidInput", "AlarmIdentifier must be specified for CLOUDWATCH_METRIC health checks.")
            alarms = self.world.backend("cloudwatch", call.account, identifier["Region"]).alarms
            if identifier["Name"] not in alarms:
                raise AwsError(
                    "InvalidInput",
                    f"The alarm {identifier['Name']} does not exist in {identifier['Region']}: create it first.",
                )

    def _created(self, check: Any, call: Call) -> Reply:
        location = f"https://route53.amazonaws.com/2013-04-01/healthcheck/{check.id}"
        return {"HealthCheck": self._shown(check, call), "Location": location}

    def _shown(self, check: Any, call: Call) -> dict[str, Any]:
        config: dict[str, Any] = {"Type": check.type_}
        for name, attribute in ATTRIBUTES.items():
            value = getattr(check, attribute, None)
            relevant = check.type_ in ENDPOINT_TYPES or name not in ENDPOINT_ONLY
            if value is not None and relevant:
                config[name] = value
        shown = {
            "Id": check.id,
            "CallerReference": check.caller_reference,
            "HealthCheckConfig": config,
            "HealthCheckVersion": check.health_check_version,
        }
        alarm = self._alarm(check, call)
        return {**shown, "CloudWatchAlarmConfiguration": alarm} if alarm else shown

    def _alarm(self, check: Any, call: Call) -> dict[str, Any] | None:
        identifier = getattr(check, "alarm_identifier", None)
        if not identifier:
            return None
        alarm = self.world.backend("cloudwatch", call.account, identifier["Region"]).alarms.get(identifier["Name"])
        if alarm is None or not alarm.metric_name:
            return None
        return {
            "EvaluationPeriods": int(alarm.evaluation_periods),
            "Threshold": float(alarm.threshold),
            "ComparisonOperator": alarm.comparison_operator,
            "Period": int(alarm.period),
            "MetricName": alarm.metric_name,
            "Namespace": alarm.namespace,
            "Statistic": alarm.statistic,
            "Dimensions": [{"Name": each.name, "Value": each.value} for each in alarm.dimensions or []],
        }

    def _observations(self, check: Any, healthy: bool) -> list[dict[str, Any]]:
        now = self.world.clock.now()
        words = self._words(check, healthy)
        regions = check.regions or list(CHECKERS)
        return [
            {
                "Region": region,
                "IPAddress": CHECKERS.get(region, "15.177.2.1"),
                "StatusReport": {"Status": words, "CheckedTime": now},
            }
            for region in regions
        ]

    def _words(self, check: Any, healthy: bool) -> str:
        verdict = "Success" if healthy else "Failure"
        if check.disabled or check.inverted:
            turned = [name for name, on in (("disabled", check.disabled), ("inverted", check.inverted)) if on]
            return f"{verdict}: the health check is {' and '.join(turned)}."
        if check.type_ == "CLOUDWATCH_METRIC":
            return f"{verdict}: the CloudWatch alarm is in state {self.health.alarm_state(check)}."
        if check.type_ == "RECOVERY_CONTROL":
            return f"{verdict}: the routing control is {'On' if healthy else 'Off'}."
        if healthy:
            return f"Success: {'Connection established' if check.type_ == 'TCP' else 'HTTP Status Code 200, OK'}"
        return (
            "Failure: Connection timed out. The endpoint or the internet connection is down, or requests are "
            "being blocked by your firewall."
        )
