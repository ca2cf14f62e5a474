"""Brings the instances of a group to its desired capacity, over realistic time.

Timings in AWS seconds: an instance is InService 90 s after its launch, 30 s after its start from the warm pool, and
gone 60 s after it began to terminate. Failed launches are tried again every minute. A fault of the scenario acts on
`autoscaling.launch-instance` and `autoscaling.terminate-instance` (resource: the group's ARN).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from moto.autoscaling.models import InstanceState

from localaws.service import AwsError
from localaws.services.autoscaling.models import Life, Outcome, finish, is_suspended, state_of
from localaws.services.ec2 import Ec2Service
from localaws.services.elbv2 import Elbv2Service

if TYPE_CHECKING:
    from localaws.world import World

LAUNCH_SECONDS = 90.0
WARM_START_SECONDS = 30.0
TERMINATE_SECONDS = 60.0
RETRY_SECONDS = 60.0
BOOT_CHECK_SECONDS = 15.0
GROUP_TAG = "aws:autoscaling:groupName"
COUNTED = frozenset({Life.PENDING, Life.IN_SERVICE})


class Scheduler:
    """Launches and terminates instances. Holds no state: instances are on moto's groups."""

    def __init__(self, world: World) -> None:
        self.world = world

    def changed(self, group: Any) -> None:
        """Look at a group as soon as the present request is done."""
        self.world.clock.after(0, lambda: self.reconcile(group))

    def is_current(self, group: Any) -> bool:
        """Say whether the group still exists: a reset or a namesake may have come between."""
        groups = self.world.backend("autoscaling", group.account_id, group.region).autoscaling_groups
        return groups.get(group.name) is group

    def reconcile(self, group: Any) -> None:
        """Launch or terminate what separates the group from its desired capacity."""
        if not self.is_current(group):
            return
        live = [state for state in group.instance_states if state.lifecycle_state in COUNTED]
        wanted = 0 if state_of(group).deleting else int(group.desired_capacity or 0)
        if len(live) < wanted and not is_suspended(group, "Launch") and not state_of(group).retrying:
            self._launch(group, len(live), wanted)
        elif len(live) > wanted and not is_suspended(group, "Terminate"):
            self._shrink(group, live, wanted)

    def run_instance(self, group: Any, position: int) -> InstanceState:
        """Start one instance of the group's template, zones in turn. Raises `AwsError` when EC2 refuses."""
        image = group.image_id
        images = self.world.backend("ec2", group.account_id, group.region).amis
        if image not in images or images[image].state != "available":
            raise AwsError("InvalidAMIID.NotFound", f"The image id '[{image}]' does not exist")
        subnets = (group.vpc_zone_identifier or "").split(",")
        subnet = subnets[position % len(subnets)]
        tags = {**group.instance_tags, **group.get_propagated_tags(), GROUP_TAG: group.name}
        pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
        reply = self.world.call(
            "ec2",
            "RunInstances",
            group.account_id,
            group.region,
            MinCount=1,
            MaxCount=1,
            TagSpecifications=[{"ResourceType": "instance", "Tags": pairs}],
            **_template(group),
            **({"SubnetId": subnet} if subnet else {}),
        )
        instance = self.world.backend("ec2", group.account_id, group.region).get_instance(
            reply["Instances"][0]["InstanceId"]
        )
        instance.autoscaling_group = group
        made = InstanceState(
            instance,
            lifecycle_state=Life.PENDING,
            protected_from_scale_in=group.new_instances_protected_from_scale_in,
        )
        made.template_version = template_version(group)
        return made

    def settle(self, group: Any) -> None:
        """Put what is starting into service at once: an estate starts with what is up."""
        self.reconcile(group)
        for state in group.instance_states:
            self.settle_instance(group, state, "running")
            self._serve(group, state)
        for activity in state_of(group).activities:
            finish(activity, self.world.clock.now(), Outcome.SUCCESSFUL)

    def settle_instance(self, group: Any, state: InstanceState, name: str) -> None:
        """Bring the EC2 instance into the state called `name` at once."""
        self._ec2().settle(group.account_id, group.region, state.instance_id, name)

    def terminate(self, group: Any, state: InstanceState, cause: str) -> dict[str, Any]:
        """Take an instance out of service and terminate it; return the activity."""
        now = self.world.clock.now()
        activity = state_of(group).note(
            group, now, f"Terminating EC2 instance: {state.instance_id}", f"At {_iso(now)} {cause}", Outcome.IN_PROGRESS
        )
        state.lifecycle_state = Life.TERMINATING
        self._deregister(group, state)

        def done() -> None:
            self.end_instance(group, state)
            finish(activity, self.world.clock.now(), Outcome.SUCCESSFUL)
            self.reconcile(group)

        def failed() -> None:
            finish(activity, self.world.clock.now(), Outcome.FAILED, "The instance could not be terminated.")

        self.world.transition("autoscaling.terminate-instance", group.arn, TERMINATE_SECONDS, done, failed)
        return activity

    def end_instance(self, group: Any, state: InstanceState) -> None:
        """Terminate the EC2 instance and forget it."""
        group.instance_states = [each for each in group.instance_states if each is not state]
        if self._ec2().state(group.account_id, group.region, state.instance_id) not in {"terminated", "not-found"}:
            where = (group.account_id, group.region)
            self.world.call("ec2", "TerminateInstances", *where, InstanceIds=[state.instance_id])

    def _launch(self, group: Any, live: int, wanted: int) -> None:
        now = self.world.clock.now()
        cause = (
            f"At {_iso(now)} an instance was started in response to a difference between desired and actual "
            f"capacity, increasing the capacity from {live} to {wanted}."
        )
        for position in range(live, wanted):
            warm = self._take_warm(group)
            try:
                state = warm or self.run_instance(group, position)
            except AwsError as error:
                self._refused(group, cause, f"{error.message}. Launching EC2 instance failed.")
                return
            group.instance_states.append(state)
            origin = " from warm pool" if warm else ""
            description = f"Launching a new EC2 instance{origin}: {state.instance_id}"
            activity = state_of(group).note(group, now, description, cause, Outcome.PRE_IN_SERVICE)
            self._await_service(group, state, activity, WARM_START_SECONDS if warm else LAUNCH_SECONDS)

    def _await_service(self, group: Any, state: InstanceState, activity: dict[str, Any], seconds: float) -> None:
        def ready() -> None:
            if state.lifecycle_state != Life.PENDING or state not in group.instance_states:
                return
            if self._ec2().state(group.account_id, group.region, state.instance_id) != "running":
                self.world.clock.after(BOOT_CHECK_SECONDS, ready)
            else:
                self._serve(group, state)
                finish(activity, self.world.clock.now(), Outcome.SUCCESSFUL)

        def failed() -> None:
            if state not in group.instance_states:
                return
            self.end_instance(group, state)
            zone, kind = state.availability_zone, state.instance_type
            message = (
                f"We currently do not have sufficient {kind} capacity in the Availability Zone you requested ({zone}). "
                "Our system will be working on provisioning additional capacity. Launching EC2 instance failed."
            )
            finish(activity, self.world.clock.now(), Outcome.FAILED, message)
            self._retry(group)

        self.world.transition("autoscaling.launch-instance", group.arn, seconds, ready, failed)

    def _refused(self, group: Any, cause: str, message: str) -> None:
        now = self.world.clock.now()
        description = f"Launching a new EC2 instance.  Status Reason: {message}"
        finish(state_of(group).note(group, now, description, cause, Outcome.FAILED), now, Outcome.FAILED, message)
        self._retry(group)

    def _retry(self, group: Any) -> None:
        state = state_of(group)
        if state.retrying:
            return
        state.retrying = True

        def again() -> None:
            state.retrying = False
            self.reconcile(group)

        self.world.clock.after(RETRY_SECONDS, again)

    def _take_warm(self, group: Any) -> InstanceState | None:
        pool = state_of(group).warm
        ready = {Life.WARM_STOPPED, Life.WARM_RUNNING}
        state: InstanceState | None = next((each for each in pool if each.lifecycle_state in ready), None)
        if state is None:
            return None
        pool.remove(state)
        if state.lifecycle_state == Life.WARM_STOPPED:
            where = (group.account_id, group.region)
            self.world.call("ec2", "StartInstances", *where, InstanceIds=[state.instance_id])
        state.lifecycle_state = Life.PENDING
        return state

    def _shrink(self, group: Any, live: list[InstanceState], wanted: int) -> None:
        free = [state for state in live if not state.protected_from_scale_in]
        # Those that do not serve yet go first, then the oldest.
        free.sort(key=lambda state: state.lifecycle_state == Life.IN_SERVICE)
        for state in free[: len(live) - wanted]:
            cause = (
                "an instance was taken out of service in response to a difference between desired and actual "
                f"capacity, shrinking the capacity from {len(live)} to {wanted}."
            )
            self.terminate(group, state, cause)

    def _serve(self, group: Any, state: InstanceState) -> None:
        state.lifecycle_state = Life.IN_SERVICE
        if is_suspended(group, "AddToLoadBalancer"):
            return
        for target_group in self._target_groups(group):
            self._elbv2().register(target_group, [{"Id": state.instance_id, "Port": target_group.port}])

    def _deregister(self, group: Any, state: InstanceState) -> None:
        for target_group in self._target_groups(group):
            self._elbv2().deregister(target_group, [{"Id": state.instance_id}])

    def _target_groups(self, group: Any) -> list[Any]:
        known = self.world.backend("elbv2", group.account_id, group.region).target_groups
        return [known[arn] for arn in group.target_group_arns or [] if arn in known]

    def _ec2(self) -> Ec2Service:
        service = self.world.service("ec2")
        assert isinstance(service, Ec2Service)
        return service

    def _elbv2(self) -> Elbv2Service:
        service = self.world.service("elbv2")
        assert isinstance(service, Elbv2Service)
        return service


def template_version(group: Any) -> str | None:
    """Return the number of the launch template's version that new instances get."""
    template = group.ec2_launch_template
    return None if template is None else str(template.get_version(group.launch_template_version).number)


def _template(group: Any) -> Mapping[str, Any]:
    if group.ec2_launch_template is not None:
        spec = {"LaunchTemplateId": group.ec2_launch_template.id, "Version": template_version(group)}
        return {"LaunchTemplate": spec, "ImageId": group.image_id, "InstanceType": group.instance_type or "t3.micro"}
    return {
        "ImageId": group.image_id,
        "InstanceType": group.instance_type or "t3.micro",
        "SecurityGroupIds": list(group.security_groups or []),
    }


def _iso(moment: Any) -> str:
    return str(moment.strftime("%Y-%m-%dT%H:%M:%SZ"))
