"""The Auto Scaling service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from localaws.service import AwsError, Call, Reply, Service, operation
from localaws.services.autoscaling import moto_bridge
from localaws.services.autoscaling.models import Life, invalid, state_of
from localaws.services.autoscaling.refreshes import Refreshes, in_progress
from localaws.services.autoscaling.scheduler import Scheduler
from localaws.services.autoscaling.warm_pools import WarmPools

if TYPE_CHECKING:
    from localaws.world import World

GROUPS_PER_REGION = 500
LAUNCH_CONFIGURATIONS_PER_REGION = 200
DELETE_SECONDS = 90.0
PROTECTED = {
    "prevent-force-deletion": "force deletion",
    "prevent-all-deletion": "deletion",
}


class AutoScalingService(Service):
    """EC2 Auto Scaling."""

    name: ClassVar[str] = "autoscaling"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.scheduler = Scheduler(world)
        self.warm_pools = WarmPools(world, self.scheduler)
        self.refreshes = Refreshes(world, self.scheduler, self.warm_pools)
        self.reset()

    def reset(self) -> None:
        """Listen to moto, whose groups have one listener per process: the world that starts anew."""
        moto_bridge.install(self._changed)

    def settle_now(self, account: str, region: str, name: str) -> None:
        """Bring a group and its warm pool to their sizes at once: an estate starts with what is up."""
        group = self.world.backend("autoscaling", account, region).autoscaling_groups[name]
        self.scheduler.settle(group)
        self.warm_pools.settle(group)

    @operation("CreateAutoScalingGroup")
    def create_auto_scaling_group(self, call: Call) -> Reply:
        """Create a group; its instances follow. Raises AlreadyExists, ValidationError."""
        params = call.params
        groups = self.world.backend("autoscaling", call.account, call.region).autoscaling_groups
        if params["AutoScalingGroupName"] in groups:
            raise AwsError("AlreadyExists", "AutoScalingGroup by this name already exists - A group with the name "
                           f"{params['AutoScalingGroupName']} already exists")  # fmt: skip
        desired = params.get("DesiredCapacity")
        _check_sizes(params["MinSize"], params["MaxSize"], params["MinSize"] if desired is None else desired)
        reply = self.world.moto(call)
        group = groups[params["AutoScalingGroupName"]]
        group.created_time = self.world.clock.now().isoformat()
        state_of(group).deletion_protection = params.get("DeletionProtection") or "none"
        return reply

    @operation("UpdateAutoScalingGroup")
    def update_auto_scaling_group(self, call: Call) -> Reply:
        """Change a group; sizes take effect over time. Raises ValidationError (no such group, sizes)."""
        group, params = self._group(call), call.params
        least = params.get("MinSize", group.min_size)
        most = params.get("MaxSize", group.max_size)
        desired = params.get("DesiredCapacity")
        if desired is None:
            desired = min(max(int(group.desired_capacity or 0), least), max(least, most))
        _check_sizes(least, most, desired)
        if "DeletionProtection" in params:
            state_of(group).deletion_protection = params["DeletionProtection"]
        policy = params.get("MixedInstancesPolicy") or (
            None if params.get("LaunchTemplate") else group.mixed_instances_policy
        )
        return self.world.moto(call.with_params(DesiredCapacity=desired, MixedInstancesPolicy=policy))

    @operation("SetDesiredCapacity")
    def set_desired_capacity(self, call: Call) -> Reply:
        """Change the desired capacity. Raises ValidationError outside the limits."""
        group, wanted = self._group(call), call.params["DesiredCapacity"]
        for limit, beyond in (
            (f"above max value {group.max_size}", wanted > group.max_size),
            (f"below min value {group.min_size}", wanted < group.min_size),
        ):
            if beyond:
                raise invalid(f"New SetDesiredCapacity value {wanted} is {limit} for the AutoScalingGroup.")
        return self.world.moto(call)

    @operation("DescribeAutoScalingGroups")
    def describe_auto_scaling_groups(self, call: Call) -> Reply:
        """List groups."""
        reply = self.world.moto(call)
        groups = self.world.backend("autoscaling", call.account, call.region).autoscaling_groups
        for shown in reply["AutoScalingGroups"]:
            self._complete(shown, groups[shown["AutoScalingGroupName"]])
        return reply

    @operation("DescribeScalingActivities")
    def describe_scaling_activities(self, call: Call) -> Reply:
        """List activities, newest first. Raises ValidationError for an unknown group."""
        if call.params.get("AutoScalingGroupName"):
            groups = [self._group(call)]
        else:
            groups = list(self.world.backend("autoscaling", call.account, call.region).autoscaling_groups.values())
        found = [activity for group in groups for activity in state_of(group).activities]
        if ids := call.params.get("ActivityIds"):
            found = [activity for activity in found if activity["ActivityId"] in ids]
        found.sort(key=lambda activity: activity["StartTime"], reverse=True)
        start = int(call.params.get("NextToken") or 0)
        end = start + int(call.params.get("MaxRecords") or 100)
        reply: dict[str, Any] = {"Activities": found[start:end]}
        return {**reply, "NextToken": str(end)} if end < len(found) else reply

    @operation("SuspendProcesses")
    def suspend_processes(self, call: Call) -> Reply:
        """Suspend processes. Raises ValidationError for an unknown group."""
        self._group(call)
        return self.world.moto(call)

    @operation("ResumeProcesses")
    def resume_processes(self, call: Call) -> Reply:
        """Resume processes; what waited happens now. Raises ValidationError for an unknown group."""
        group = self._group(call)
        reply = self.world.moto(call)
        self._changed(group)
        return reply

    @operation("SetInstanceProtection")
    def set_instance_protection(self, call: Call) -> Reply:
        """Protect instances from scale-in or not. Raises ValidationError for unknown groups and instances."""
        group = self._group(call)
        known = {state.instance_id for state in group.instance_states}
        for instance_id in call.params["InstanceIds"]:
            if instance_id not in known:
                raise invalid(f"The instance {instance_id} is not part of Auto Scaling group {group.name}.")
        reply = self.world.moto(call)
        self._changed(group)
        return reply

    @operation("TerminateInstanceInAutoScalingGroup")
    def terminate_instance_in_auto_scaling_group(self, call: Call) -> Reply:
        """Terminate one instance; it is replaced unless the capacity shrinks. Raises ValidationError."""
        wanted = call.params["InstanceId"]
        for group in self.world.backend("autoscaling", call.account, call.region).autoscaling_groups.values():
            for state in group.instance_states:
                if state.instance_id == wanted:
                    if call.params["ShouldDecrementDesiredCapacity"]:
                        group.desired_capacity -= 1
                    cause = f"instance {wanted} was taken out of service in response to a user request."
                    activity = self.scheduler.terminate(group, state, cause)
                    self._changed(group)
                    return {"Activity": activity}
        raise invalid(f"Instance Id not found - No managed instance found for instance ID: {wanted}")

    @operation("DeleteAutoScalingGroup")
    def delete_auto_scaling_group(self, call: Call) -> Reply:
        """Delete a group, with ForceDelete its instances too. Raises ResourceInUse, ValidationError."""
        group, force = self._group(call), bool(call.params.get("ForceDelete"))
        state = state_of(group)
        protection = state.deletion_protection
        if protection == "prevent-all-deletion" or (force and protection == "prevent-force-deletion"):
            message = f"Auto Scaling group {group.name} is protected from {PROTECTED[protection]} ({protection})."
            raise invalid(message)
        if (group.instance_states or state.warm) and not force:
            raise AwsError(
                "ResourceInUse",
                "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) "
                "still in the group.",
            )
        state.deleting = True
        group.desired_capacity = group.min_size = 0
        for instance in group.instance_states:
            instance.protected_from_scale_in = False
        busy = bool(group.instance_states or state.warm)
        self._changed(group)
        groups = self.world.backend("autoscaling", call.account, call.region).autoscaling_groups

        def gone() -> None:
            if groups.get(group.name) is group:
                del groups[group.name]

        if busy:
            self.world.transition("autoscaling.delete-group", group.arn, DELETE_SECONDS, gone)
        else:
            gone()
        return {}

    @operation("PutWarmPool")
    def put_warm_pool(self, call: Call) -> Reply:
        """Create or change the warm pool. Raises InstanceRefreshInProgress, ValidationError."""
        group = self._group(call)
        if state_of(group).refresh is not None:
            raise in_progress(group)
        reply = self.world.moto(call)
        self._changed(group)
        return reply

    @operation("DescribeWarmPool")
    def describe_warm_pool(self, call: Call) -> Reply:
        """Describe the warm pool and its instances. Raises ValidationError for an unknown group."""
        group = self._group(call)
        if group.warm_pool is None:
            return {"Instances": []}
        return {
            "WarmPoolConfiguration": _warm_pool(group.warm_pool),
            "Instances": [_instance(group, state) for state in state_of(group).warm],
        }

    @operation("DeleteWarmPool")
    def delete_warm_pool(self, call: Call) -> Reply:
        """Delete the warm pool and its instances. Raises ValidationError for an unknown group."""
        group = self._group(call)
        reply = self.world.moto(call)
        self._changed(group)
        return reply

    @operation("StartInstanceRefresh")
    def start_instance_refresh(self, call: Call) -> Reply:
        """Replace the group's instances. Raises InstanceRefreshInProgress, ValidationError."""
        return {"InstanceRefreshId": self.refreshes.start(self._group(call), call).id}

    @operation("CancelInstanceRefresh")
    def cancel_instance_refresh(self, call: Call) -> Reply:
        """Stop replacing. Raises ActiveInstanceRefreshNotFound."""
        return {"InstanceRefreshId": self.refreshes.cancel(self._group(call)).id}

    @operation("DescribeInstanceRefreshes")
    def describe_instance_refreshes(self, call: Call) -> Reply:
        """List refreshes, newest first. Raises ValidationError for an unknown group."""
        group = self._group(call)
        found = state_of(group).refreshes
        if ids := call.params.get("InstanceRefreshIds"):
            found = [refresh for refresh in found if refresh.id in ids]
        start = int(call.params.get("NextToken") or 0)
        end = start + int(call.params.get("MaxRecords") or 50)
        reply: dict[str, Any] = {"InstanceRefreshes": [refresh.shape(group) for refresh in found[start:end]]}
        return {**reply, "NextToken": str(end)} if end < len(found) else reply

    @operation("DescribeAccountLimits")
    def describe_account_limits(self, call: Call) -> Reply:
        """Return limits and use of the account in this Region."""
        backend = self.world.backend("autoscaling", call.account, call.region)
        return {
            "MaxNumberOfAutoScalingGroups": GROUPS_PER_REGION,
            "MaxNumberOfLaunchConfigurations": LAUNCH_CONFIGURATIONS_PER_REGION,
            "NumberOfAutoScalingGroups": len(backend.autoscaling_groups),
            "NumberOfLaunchConfigurations": len(backend.launch_configurations),
        }

    def _changed(self, group: Any) -> None:
        self.scheduler.changed(group)
        self.world.clock.after(0, lambda: self.warm_pools.reconcile(group))

    def _group(self, call: Call) -> Any:
        wanted = call.params["AutoScalingGroupName"]
        group = self.world.backend("autoscaling", call.account, call.region).autoscaling_groups.get(wanted)
        if group is None:
            raise invalid(f"AutoScalingGroup name not found - AutoScalingGroup '{wanted}' not found")
        return group

    def _complete(self, shown: dict[str, Any], group: Any) -> None:
        state = state_of(group)
        shown["DeletionProtection"] = state.deletion_protection
        shown["Instances"] = [_instance(group, each) for each in group.instance_states]
        names = sorted(process["ProcessName"] for process in group.suspended_processes)
        shown["SuspendedProcesses"] = [{"ProcessName": n, "SuspensionReason": "User suspended"} for n in names]
        if state.deleting:
            shown["Status"] = "Delete in progress"
        if group.warm_pool is not None:
            shown["WarmPoolConfiguration"] = _warm_pool(group.warm_pool)
            shown["WarmPoolSize"] = len([w for w in state.warm if w.lifecycle_state != Life.WARM_TERMINATING])


def _check_sizes(least: int, most: int, desired: int) -> None:
    if least > most:
        raise invalid(f"Max bound, {most}, must be greater than or equal to min bound, {least}")
    if not least <= desired <= most:
        raise invalid(f"Desired capacity:{desired} must be between the specified min size:{least} and max size:{most}")


def _instance(group: Any, state: Any) -> dict[str, Any]:
    shown = {
        "InstanceId": state.instance_id,
        "InstanceType": state.instance_type,
        "AvailabilityZone": state.availability_zone,
        "LifecycleState": str(state.lifecycle_state),
        "HealthStatus": state.health_status,
        "ProtectedFromScaleIn": bool(state.protected_from_scale_in),
    }
    version = getattr(state, "template_version", None)
    if version is not None and group.ec2_launch_template is not None:
        template = group.ec2_launch_template
        shown["LaunchTemplate"] = {
            "LaunchTemplateId": template.id,
            "LaunchTemplateName": template.name,
            "Version": version,
        }
    elif group.launch_config is not None:
        shown["LaunchConfigurationName"] = group.launch_configuration_name
    return shown


def _warm_pool(pool: Any) -> dict[str, Any]:
    shown = {
        "MaxGroupPreparedCapacity": pool.max_group_prepared_capacity,
        "MinSize": pool.min_size or 0,
        "PoolState": pool.pool_state or "Stopped",
        "InstanceReusePolicy": pool.instance_reuse_policy,
    }
    return {key: value for key, value in shown.items() if value is not None}
