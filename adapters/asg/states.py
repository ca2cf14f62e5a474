"""What the statuses and error codes of Auto Scaling mean. Sources: API references of Auto Scaling and EC2, their enumerations."""

from __future__ import annotations

HELD = ("AlarmNotification", "ScheduledActions")
"""Processes that would change the size of a group that sleeps."""
SAVED_TAG = "dr:saved-capacity"
MAX_PROTECTED = 50
STANDARD_VCPUS = ("ec2", "L-1216C47A")
STANDARD = "vCPUs of standard instances"
STANDARD_FAMILIES = frozenset("acdhimrtz")
OTHER_FAMILIES = ("inf", "dl", "trn", "hpc", "mac", "high", "u-")
"""Instance types whose first letter misleads: they count against quotas of their own."""
WITHOUT_VCPUS = ("Warmed:Stopped", "Warmed:Hibernated")
"""Instances that have stopped count against no quota of running ones."""


def is_standard(kind: str) -> bool:
    """Say whether an instance type counts against the quota of standard instances."""
    return kind[:1] in STANDARD_FAMILIES and not kind.startswith(OTHER_FAMILIES)


FAILED_ACTIVITIES = frozenset({"Failed", "Cancelled"})
PERMANENT = (
    "does not exist",
    "is not valid",
    "Invalid",
    "not supported",
    "not authorized",
    "quota",
    "vCPU",
    "limit exceeded",
    "InstanceLimitExceeded",
    "AccessDenied",
    "InternalError",
)
"""Words in a failed launch that mean: trying again will not help. Capacity comes and goes."""
PATIENCE_SECONDS = 120
"""When launches have failed on for this long, the cause is not one zone of several."""
STALL_SECONDS = 1200
"""Without all instances in service for this long, a scaled group counts as failed."""
SETTLED_SECONDS = 120
"""After this long a count between the bounds is autoscaling's doing, not a change that does not show yet."""

IN_SERVICE = "InService"
ON_THE_WAY = {
    "Pending": "starts",
    "Pending:Wait": "waits for a lifecycle hook",
    "Pending:Proceed": "starts",
    "ReplacingRootVolume": "has its root volume replaced",
    "ReplacingRootVolume:Wait": "waits for a lifecycle hook",
    "ReplacingRootVolume:Proceed": "has its root volume replaced",
    "RootVolumeReplaced": "has its root volume replaced",
    "EnteringStandby": "enters Standby",
    "Terminating": "ends",
    "Terminating:Wait": "waits for a lifecycle hook",
    "Terminating:Proceed": "ends",
    "Detaching": "leaves the group",
    "Warmed:Pending": "warms up",
    "Warmed:Pending:Wait": "waits for a lifecycle hook",
    "Warmed:Pending:Proceed": "warms up",
    "Warmed:Terminating": "ends",
    "Warmed:Terminating:Wait": "waits for a lifecycle hook",
    "Warmed:Terminating:Proceed": "ends",
}
STUCK = {
    "Quarantined": "was quarantined by AWS",
    "Standby": "is in Standby, outside every size",
    "Terminating:Retained": "was retained by the instance lifecycle policy",
    "Warmed:Pending:Retained": "was retained by the instance lifecycle policy",
    "Warmed:Terminating:Retained": "was retained by the instance lifecycle policy",
}
"""Lifecycle states that last until a person ends them."""
OVER = frozenset({"Terminated", "Detached", "Warmed:Terminated"})
WARM = frozenset({"Warmed:Stopped", "Warmed:Running", "Warmed:Hibernated"})

REFRESHING = frozenset({"Pending", "InProgress", "Baking", "Cancelling", "RollbackInProgress"})
REFRESHED = "Successful"
FAILED_REFRESHES = frozenset({"Failed", "Cancelled", "RollbackFailed", "RollbackSuccessful"})

IMAGE_READY = "available"
IMAGE_COMING = frozenset({"pending", "transient"})
FAILED_IMAGES = frozenset({"invalid", "deregistered", "failed", "error", "disabled"})

TEMPLATE_MISSING = (
    "InvalidLaunchTemplateId.NotFound",
    "InvalidLaunchTemplateId.NotFoundException",
    "InvalidLaunchTemplateId.VersionNotFound",
)
SUBNET_MISSING = ("InvalidSubnetID.NotFound",)
GROUP_MISSING = ("InvalidGroup.NotFound", "InvalidGroupId.Malformed")
KEY_PAIR_MISSING = ("InvalidKeyPair.NotFound",)
PROFILE_MISSING = ("NoSuchEntity",)
RESERVATION_MISSING = ("InvalidCapacityReservationId.NotFound", "InvalidCapacityReservationId.Malformed")
SSM = "resolve:ssm:"
"""How a launch template says that a parameter names its image."""
TYPE_MISSING = ("InvalidInstanceType",)
