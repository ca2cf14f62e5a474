"""EC2: give instances the time they need to boot, stop and pass their status checks.

moto changes states at once. Here StopInstances, StartInstances, RunInstances and TerminateInstances pass
through `stopping`, `pending` and `shutting-down`, and status checks read `initializing` until they pass. Images and
launch templates are in `ec2_images`, capacity reservations in `ec2_reservations`, everything else is moto's. DRS asks this
module since when a source instance has been silent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, ClassVar

from localaws.service import AwsError, Call, Reply, operation
from localaws.services.ec2_images import ImagesAndTemplates
from localaws.services.ec2_reservations import CapacityReservations
from localaws.world import World

BOOT_SECONDS = 20.0
STOP_SECONDS = 40.0
TERMINATE_SECONDS = 30.0
STATUS_CHECK_SECONDS = 120.0

STATE_CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}

Key = tuple[str, str, str]


def vpc_of_subnets(world: World, account: str, region: str, subnet_ids: Sequence[str]) -> str:
    """Return the VPC that subnets, all of one VPC, belong to; empty where there are none."""
    backend = world.backend("ec2", account, region)
    return next((str(backend.get_subnet(each).vpc_id) for each in subnet_ids), "")


class Ec2Service(ImagesAndTemplates, CapacityReservations):
    """Amazon EC2 on top of moto's backend."""

    name: ClassVar[str] = "ec2"

    def reset(self) -> None:
        """Forget which instances are booting and which have stopped, and tokens."""
        self._checks: dict[Key, str] = {}
        self._silent: dict[Key, datetime] = {}
        self.forget_tokens()
        self.forget_reservations()

    def __init__(self, world: Any) -> None:
        super().__init__(world)
        self.reset()

    def instance(self, account: str, region: str, instance_id: str) -> Any | None:
        """Return moto's instance object, None when it does not exist (any more)."""
        backend = self.world.backend("ec2", account, region)
        return next((i for i in backend.all_instances() if i.id == instance_id), None)

    def state(self, account: str, region: str, instance_id: str) -> str:
        """Return the instance's state as EC2 names it, `not-found` when there is none."""
        instance = self.instance(account, region, instance_id)
        return "not-found" if instance is None else str(instance.state)

    def silent_since(self, account: str, region: str, instance_id: str) -> datetime | None:
        """Return since when software on the instance cannot speak; None while it runs."""
        key = (account, region, instance_id)
        if self.state(*key) in {"running", "pending"}:
            self._silent.pop(key, None)
            return None
        return self._silent.setdefault(key, self.world.clock.now())

    def settle(self, account: str, region: str, instance_id: str, name: str = "running") -> None:
        """Bring a fresh instance into a state, checked, at once: an estate starts with servers that are up."""
        self._set_state((account, region, instance_id), name)
        self._checks.pop((account, region, instance_id), None)

    @operation("RunInstances")
    def run_instances(self, call: Call) -> Reply:
        """Launch instances that boot for a while before they are `running`."""
        reply = self.world.moto(call)
        for entry in reply["Instances"]:
            self._boot((call.account, call.region, entry["InstanceId"]))
            entry["State"] = _state("pending")
        return reply

    @operation("StartInstances")
    def start_instances(self, call: Call) -> Reply:
        """Boot stopped instances; an instance that is still stopping is refused as EC2 does."""
        before = self._states(call)
        busy = [i for i, state in before.items() if state not in {"stopped", "running", "pending"}]
        if busy:
            raise AwsError(
                "IncorrectInstanceState",
                f"The instance '{busy[0]}' is not in a state from which it can be started. (state {before[busy[0]]})",
            )
        reply = self.world.moto(call)
        for entry in reply["StartingInstances"]:
            instance_id = entry["InstanceId"]
            if before[instance_id] == "stopped":
                self._boot((call.account, call.region, instance_id))
            else:
                self._set_state((call.account, call.region, instance_id), before[instance_id])
            entry["PreviousState"] = _state(before[instance_id])
            entry["CurrentState"] = _state("pending" if before[instance_id] == "stopped" else before[instance_id])
        return reply

    @operation("StopInstances")
    def stop_instances(self, call: Call) -> Reply:
        """Stop instances by way of `stopping`; repeating the call changes nothing."""
        before = self._states(call)
        reply = self.world.moto(call)
        self._wind_down(call, reply["StoppingInstances"], before, via="stopping", end="stopped", seconds=STOP_SECONDS)
        return reply

    @operation("TerminateInstances")
    def terminate_instances(self, call: Call) -> Reply:
        """Terminate instances by way of `shutting-down`; one that is protected keeps all of them."""
        before = self._states(call)
        self._refuse_protected(call)
        reply = self.world.moto(call)
        self._wind_down(
            call,
            reply["TerminatingInstances"],
            before,
            via="shutting-down",
            end="terminated",
            seconds=TERMINATE_SECONDS,
        )
        return reply

    @operation("DescribeInstances")
    def describe_instances(self, call: Call) -> Reply:
        """List instances, with the boot mode that moto does not know."""
        reply = self.world.moto(call)
        known = {i.id: i for i in self.world.backend("ec2", call.account, call.region).all_instances()}
        for entry in (each for reservation in reply["Reservations"] for each in reservation["Instances"]):
            if entry["InstanceId"] in known:
                entry["CurrentInstanceBootMode"] = self.boot_mode(known[entry["InstanceId"]])
        return reply

    def boot_mode(self, instance: Any) -> str:
        """Return the boot mode of one of moto's instances; legacy BIOS unless a test or an estate chose another."""
        return str(getattr(instance, "localaws_boot_mode", "legacy-bios"))

    def choose_boot_mode(self, account: str, region: str, instance_id: str, mode: str) -> None:
        """Let an instance boot in another mode than legacy BIOS."""
        self.instance(account, region, instance_id).localaws_boot_mode = mode  # type: ignore[union-attr]

    @operation("DescribeInstanceStatus")
    def describe_instance_status(self, call: Call) -> Reply:
        """Show `initializing` until the checks have passed and `impaired` when they failed."""
        reply = self.world.moto(call)
        for entry in reply["InstanceStatuses"]:
            check = self._checks.get((call.account, call.region, entry["InstanceId"]))
            if entry["InstanceState"]["Name"] != "running":
                continue
            entry["AttachedEbsStatus"] = {"Status": check or "ok"}
            if check is not None:
                detail = {"Name": "reachability", "Status": "failed" if check == "impaired" else check}
                entry["InstanceStatus"] = {"Status": check, "Details": [detail]}
                entry["SystemStatus"] = {"Status": check, "Details": [detail]}
        return reply

    def _refuse_protected(self, call: Call) -> None:
        for instance_id in call.params.get("InstanceIds", []):
            instance = self.instance(call.account, call.region, instance_id)
            if instance is not None and str(instance.disable_api_termination).lower() == "true":
                raise AwsError(
                    "OperationNotPermitted",
                    f"The instance '{instance_id}' may not be terminated. Modify its 'disableApiTermination' instance "
                    "attribute and try again.",
                )

    def _states(self, call: Call) -> dict[str, str]:
        return {i: self.state(call.account, call.region, i) for i in call.params.get("InstanceIds", [])}

    def _set_state(self, key: Key, name: str) -> None:
        instance = self.instance(*key)
        if instance is not None:
            instance._state.name = name
            instance._state.code = STATE_CODES[name]

    def _boot(self, key: Key) -> None:
        self._set_state(key, "pending")
        self._silent.pop(key, None)
        self._checks[key] = "initializing"
        self.world.transition("ec2.start-instances", key[2], BOOT_SECONDS, lambda: self._booted(key))

    def _booted(self, key: Key) -> None:
        if self.state(*key) != "pending":
            return
        self._set_state(key, "running")
        self.world.transition(
            "ec2.status-checks",
            key[2],
            STATUS_CHECK_SECONDS,
            lambda: self._checked(key, None),
            lambda: self._checked(key, "impaired"),
        )

    def _checked(self, key: Key, verdict: str | None) -> None:
        if verdict is None:
            self._checks.pop(key, None)
        else:
            self._checks[key] = verdict

    def _wind_down(
        self,
        call: Call,
        entries: Iterable[dict[str, Any]],
        before: dict[str, str],
        *,
        via: str,
        end: str,
        seconds: float,
    ) -> None:
        for entry in entries:
            key = (call.account, call.region, entry["InstanceId"])
            was = before[entry["InstanceId"]]
            now = was if was in {via, end, "terminated", "shutting-down"} else via
            self._set_state(key, now)
            entry["PreviousState"], entry["CurrentState"] = _state(was), _state(now)
            if now != was:
                self._silent.setdefault(key, self.world.clock.now())
                kind = "ec2.stop-instances" if end == "stopped" else "ec2.terminate-instances"
                self.world.transition(kind, key[2], seconds, lambda key=key: self._ended(key, via, end))  # type: ignore[misc]

    def _ended(self, key: Key, via: str, end: str) -> None:
        if self.state(*key) == via:
            self._set_state(key, end)


def _state(name: str) -> dict[str, Any]:
    return {"Code": STATE_CODES[name], "Name": name}
