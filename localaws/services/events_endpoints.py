"""Global endpoints of EventBridge: one name for a bus in two Regions, switched by a Route 53 health check.

Timings in AWS seconds. A fault of the scenario acts on `events.create-endpoint`, `events.update-endpoint` and
`events.delete-endpoint` (resource: the endpoint's ARN).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from moto.moto_api._internal import mock_random

from localaws.service import AwsError, Call, Reply, Service, operation

if TYPE_CHECKING:
    from localaws.world import World

CHANGE_SECONDS = 60.0
BUSY = frozenset({"CREATING", "UPDATING", "DELETING"})


@dataclass(eq=False)
class Endpoint:
    """An endpoint; `settings` are RoutingConfig, ReplicationConfig, EventBuses, RoleArn and Description."""

    name: str
    account: str
    region: str
    id: str
    created_at: datetime
    changed_at: datetime
    settings: dict[str, Any]
    state: str = "CREATING"
    reason: str | None = None

    @property
    def arn(self) -> str:
        """Return the endpoint's ARN."""
        return f"arn:aws:events:{self.region}:{self.account}:endpoint/{self.name}"

    @property
    def health_check_id(self) -> str:
        """Return the id of the health check that decides."""
        arn: str = self.settings["RoutingConfig"]["FailoverConfig"]["Primary"]["HealthCheck"]
        return arn.rpartition("/")[2]

    @property
    def secondary_region(self) -> str:
        """Return the Region that takes over."""
        return str(self.settings["RoutingConfig"]["FailoverConfig"]["Secondary"]["Route"])

    @property
    def bus(self) -> str:
        """Return the name of the bus in both Regions."""
        return str(self.settings["EventBuses"][0]["EventBusArn"].rpartition("/")[2])

    @property
    def replicates(self) -> bool:
        """Say whether each event goes to both Regions."""
        return bool((self.settings.get("ReplicationConfig") or {}).get("State", "ENABLED") == "ENABLED")

    def shape(self) -> dict[str, Any]:
        """Return the API's Endpoint."""
        shown = {
            "Name": self.name,
            "Arn": self.arn,
            "EndpointId": self.id,
            "EndpointUrl": f"https://{self.id}.endpoint.events.amazonaws.com",
            "State": self.state,
            "CreationTime": self.created_at,
            "LastModifiedTime": self.changed_at,
            "ReplicationConfig": {"State": "ENABLED" if self.replicates else "DISABLED"},
            **self.settings,
        }
        return {**shown, "StateReason": self.reason} if self.reason else shown


class Endpoints(Service):
    """The operations on endpoints."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._endpoints: dict[tuple[str, str, str], Endpoint] = {}

    def forget_endpoints(self) -> None:
        """Forget every endpoint."""
        self._endpoints.clear()

    def endpoints(self, account: str, region: str) -> list[Endpoint]:
        """Return the endpoints whose home is this Region."""
        return [e for e in self._endpoints.values() if (e.account, e.region) == (account, region)]

    def settle_endpoint(self, account: str, region: str, name: str) -> None:
        """Make an endpoint ACTIVE at once: an estate starts with what is up."""
        self._endpoints[account, region, name].state = "ACTIVE"

    def serving_regions(self, account: str, endpoint_id: str) -> tuple[str, list[str]]:
        """Return the bus and the Regions that get an event now. Raises ResourceNotFoundException."""
        found = next((e for e in self._endpoints.values() if (e.account, e.id) == (account, endpoint_id)), None)
        if found is None:
            raise _missing(endpoint_id)
        route53: Any = self.world.service("route53")
        healthy = route53.status(account, found.health_check_id) is not False
        first, second = (found.region, found.secondary_region) if healthy else (found.secondary_region, found.region)
        regions = [first, second] if found.replicates else [first]
        return found.bus, [region for region in regions if not self.world.faults.region_is_down(region)]

    @operation("CreateEndpoint")
    def create_endpoint(self, call: Call) -> Reply:
        """Create an endpoint. Raises ResourceAlreadyExistsException, ValidationException."""
        name = call.params["Name"]
        if (call.account, call.region, name) in self._endpoints:
            raise AwsError("ResourceAlreadyExistsException", f"Endpoint {name} already exists.")
        settings = {key: value for key, value in call.params.items() if key != "Name"}
        self._check(call, settings)
        now = self.world.clock.now()
        endpoint_id = f"{mock_random.get_random_string(length=10, lower_case=True)}.veo"
        made = Endpoint(name, call.account, call.region, endpoint_id, now, now, settings)
        self._endpoints[call.account, call.region, name] = made
        self._walk("events.create-endpoint", made, "CREATE_FAILED")
        return _short(made)

    @operation("UpdateEndpoint")
    def update_endpoint(self, call: Call) -> Reply:
        """Change an endpoint, in its home Region only. Raises ResourceNotFoundException, ConcurrentModification."""
        found = self._endpoint(call)
        changes = {key: value for key, value in call.params.items() if key != "Name"}
        settings = {**found.settings, **changes}
        self._check(call, settings)
        found.settings, found.state, found.changed_at = settings, "UPDATING", self.world.clock.now()
        self._walk("events.update-endpoint", found, "UPDATE_FAILED")
        return {**_short(found), "EndpointId": found.id, "EndpointUrl": found.shape()["EndpointUrl"]}

    @operation("DeleteEndpoint")
    def delete_endpoint(self, call: Call) -> Reply:
        """Delete an endpoint. Raises ResourceNotFoundException, ConcurrentModificationException."""
        found = self._endpoint(call)
        found.state = "DELETING"

        def gone() -> None:
            self._endpoints.pop((found.account, found.region, found.name), None)

        def failed() -> None:
            found.state, found.reason = "DELETE_FAILED", "The endpoint could not be deleted."

        self.world.transition("events.delete-endpoint", found.arn, CHANGE_SECONDS, gone, failed)
        return {}

    @operation("DescribeEndpoint")
    def describe_endpoint(self, call: Call) -> Reply:
        """Describe an endpoint, from another Region by naming its home. Raises ResourceNotFoundException."""
        home = call.params.get("HomeRegion") or call.region
        self._reachable(home)
        found = self._endpoints.get((call.account, home, call.params["Name"]))
        if found is None:
            raise _missing(call.params["Name"])
        return found.shape()

    @operation("ListEndpoints")
    def list_endpoints(self, call: Call) -> Reply:
        """List the endpoints of a home Region."""
        home = call.params.get("HomeRegion") or call.region
        self._reachable(home)
        prefix = call.params.get("NamePrefix") or ""
        found = [endpoint for endpoint in self.endpoints(call.account, home) if endpoint.name.startswith(prefix)]
        return {"Endpoints": [endpoint.shape() for endpoint in found]}

    def _endpoint(self, call: Call) -> Endpoint:
        found = self._endpoints.get((call.account, call.region, call.params["Name"]))
        if found is None:
            raise _missing(call.params["Name"])
        if found.state in BUSY:
            raise AwsError("ConcurrentModificationException", f"Endpoint {found.name} is {found.state}.")
        return found

    def _reachable(self, home: str) -> None:
        if self.world.faults.region_is_down(home):
            raise AwsError("InternalException", f"{home} does not answer.", 500)

    def _walk(self, kind: str, endpoint: Endpoint, failure: str) -> None:
        before = endpoint.state

        def reach(state: str, reason: str | None) -> None:
            if endpoint.state == before:
                endpoint.state, endpoint.reason = state, reason

        self.world.transition(
            kind,
            endpoint.arn,
            CHANGE_SECONDS,
            lambda: reach("ACTIVE", None),
            lambda: reach(failure, "The endpoint could not be configured in both Regions."),
        )

    def _check(self, call: Call, settings: Mapping[str, Any]) -> None:
        arns = [bus["EventBusArn"] for bus in settings["EventBuses"]]
        failover = settings["RoutingConfig"]["FailoverConfig"]
        expected = {call.region, failover["Secondary"]["Route"]}
        if len(arns) != 2 or {arn.split(":")[3] for arn in arns} != expected or len(expected) != 2:
            raise _invalid("EventBuses", "one bus in the home Region and one in the secondary Region are needed")
        if len({arn.rpartition("/")[2] for arn in arns}) != 1 or {arn.split(":")[4] for arn in arns} != {call.account}:
            raise _invalid("EventBuses", "both buses must have one name and belong to this account")
        for arn in arns:
            region, name = arn.split(":")[3], arn.rpartition("/")[2]
            if name not in self.world.backend("events", call.account, region).event_buses:
                raise _invalid("EventBuses", f"event bus {arn} does not exist")
        check = failover["Primary"]["HealthCheck"].rpartition("/")[2]
        if check not in self.world.backend("route53", call.account, "us-east-1").health_checks:
            raise _invalid("RoutingConfig", f"health check {check} does not exist")
        if (settings.get("ReplicationConfig") or {}).get("State", "ENABLED") == "ENABLED" and not settings.get(
            "RoleArn"
        ):
            raise _invalid("RoleArn", "event replication needs a role")


def _short(endpoint: Endpoint) -> dict[str, Any]:
    members = ("Name", "Arn", "RoutingConfig", "ReplicationConfig", "EventBuses", "RoleArn", "State")
    shape = endpoint.shape()
    return {name: shape[name] for name in members if name in shape}


def _missing(name: str) -> AwsError:
    return AwsError("ResourceNotFoundException", f"Endpoint {name} does not exist.")


def _invalid(parameter: str, reason: str) -> AwsError:
    return AwsError("ValidationException", f"Parameter {parameter} is not valid. Reason: {reason}.")
