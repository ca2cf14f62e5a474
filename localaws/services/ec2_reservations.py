"""Capacity reservations, which moto lacks: active until they are cancelled. What instances use of them is not counted."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from localaws.service import AwsError, Call, Reply, Service, operation

if TYPE_CHECKING:
    from localaws.world import World


class CapacityReservations(Service):
    """The operations on capacity reservations."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._reservations: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}

    def forget_reservations(self) -> None:
        """Forget all reservations."""
        self._reservations.clear()

    @operation("CreateCapacityReservation")
    def create_capacity_reservation(self, call: Call) -> Reply:
        """Reserve capacity; it is there at once."""
        mine = self._reservations.setdefault((call.account, call.region), {})
        digest = hashlib.sha256(f"{call.account}{call.region}{len(mine)}".encode()).hexdigest()[:17]
        name, count = f"cr-{digest}", int(call.params["InstanceCount"])
        mine[name] = {
            "CapacityReservationId": name,
            "OwnerId": call.account,
            "CapacityReservationArn": f"arn:aws:ec2:{call.region}:{call.account}:capacity-reservation/{name}",
            "InstanceType": call.params["InstanceType"],
            "InstancePlatform": call.params["InstancePlatform"],
            "AvailabilityZone": call.params.get("AvailabilityZone") or f"{call.region}a",
            "TotalInstanceCount": count,
            "AvailableInstanceCount": count,
            "State": "active",
            "InstanceMatchCriteria": call.params.get("InstanceMatchCriteria") or "open",
            "CreateDate": self.world.clock.now(),
        }
        return {"CapacityReservation": mine[name]}

    @operation("CancelCapacityReservation")
    def cancel_capacity_reservation(self, call: Call) -> Reply:
        """Cancel a reservation; it stays to be seen as cancelled."""
        self._named(call, call.params["CapacityReservationId"]).update(
            State="cancelled", AvailableInstanceCount=0, TotalInstanceCount=0
        )
        return {"Return": True}

    @operation("DescribeCapacityReservations")
    def describe_capacity_reservations(self, call: Call) -> Reply:
        """List reservations, all or the named ones. Raises InvalidCapacityReservationId.NotFound."""
        asked = call.params.get("CapacityReservationIds")
        mine = self._reservations.get((call.account, call.region), {})
        return {"CapacityReservations": [self._named(call, each) for each in asked] if asked else list(mine.values())}

    def _named(self, call: Call, name: str) -> dict[str, Any]:
        found = self._reservations.get((call.account, call.region), {}).get(name)
        if found is None:
            message = f"The capacity reservation ID '{name}' does not exist."
            raise AwsError("InvalidCapacityReservationId.NotFound", message)
        return found
