"""What a call needs: the IAM actions it is judged by, on which resources, with which condition keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from localaws.iam.passed_roles import passed_roles
from localaws.iam.request_keys import request_tags, service_keys
from localaws.iam.resources import EVERYTHING, Target, Where, find_targets, function_arn, key_arn, values
from localaws.iam.s3_actions import S3_ACTIONS, S3_VERSIONED
from localaws.iam.table import actions_of, prefix_of, resource_types

if TYPE_CHECKING:
    from localaws.iam.resources import Found

Params = Mapping[str, Any]
Keys = Mapping[str, "str | list[str]"]


@dataclass(frozen=True)
class Need:
    """One action that must be allowed on every target. `known` False: the targets are a guess (`*`)."""

    action: str
    targets: tuple[Target, ...]
    keys: Keys = field(default_factory=dict)
    known: bool = True


def needs(service: str, operation: str, params: Params, where: Where) -> tuple[Need, ...]:
    """Return everything a call must be allowed to do; empty for the calls that need no permission."""
    if (service, operation) in FREE:
        return ()
    keys = service_keys(service, operation, params, where)
    special = SPECIAL.get((service, operation))
    own = special(params, where) if special else _main(service, operation, params, where)
    found = [Need(need.action, need.targets, {**keys, **need.keys}, need.known) for need in own]
    found += _tagging(service, operation, params, own, where)
    found += _companions(service, operation, params, where)
    passed = passed_roles(service, operation, params)
    if (service, operation) in _STARTING_TASKS:
        definition = str(params.get("taskDefinition", ""))
        passed += [(arn, "ecs-tasks.amazonaws.com") for arn in where.names.task_roles(definition)]
    found += [
        Need("iam:PassRole", (Target(arn, tagged=True),), {"iam:PassedToService": to})
        for arn, to in dict.fromkeys(passed)
    ]
    return tuple(found)


# Starting a task passes the roles its definition names, besides those the request overrides.
_STARTING_TASKS = {("ecs", "RunTask"), ("ecs", "StartTask")}

# "No permissions are required to perform this operation", or judged elsewhere (AssumeRole, by STS itself).
FREE = {
    ("sts", "AssumeRole"),
    ("sts", "AssumeRoleWithSAML"),
    ("sts", "AssumeRoleWithWebIdentity"),
    ("sts", "GetCallerIdentity"),
    ("sts", "GetSessionToken"),
    ("sts", "DecodeAuthorizationMessage"),
}

_RENAMED = {
    "lambda:Invoke": "lambda:InvokeFunction",
    "lambda:InvokeAsync": "lambda:InvokeFunction",
    "lambda:InvokeWithResponseStream": "lambda:InvokeFunction",
    "sns:PublishBatch": "sns:Publish",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:SendMessageBatch": "sqs:SendMessage",
    "dynamodb:BatchExecuteStatement": "dynamodb:PartiQLSelect",
    "dynamodb:ExecuteStatement": "dynamodb:PartiQLSelect",
    "dynamodb:ExecuteTransaction": "dynamodb:PartiQLSelect",
}


def action_of(service: str, operation: str, params: Params) -> str:
    """Return the IAM action of an operation (`lambda.Invoke` -> `lambda:InvokeFunction`)."""
    prefix = prefix_of(service)
    if prefix == "s3":
        versioned = S3_VERSIONED.get(operation) if params.get("VersionId") else None
        return "s3:" + (versioned or S3_ACTIONS.get(operation, operation))
    action = f"{prefix}:{operation}"
    action = _RENAMED.get(action, action)
    if resource_types(action) is None:  # the same name in another case (memorydb DescribeACLs, DescribeAcls)
        name = action.partition(":")[2].lower()
        return next((f"{prefix}:{known}" for known in actions_of(prefix) if known.lower() == name), action)
    return action


def _main(service: str, operation: str, params: Params, where: Where) -> list[Need]:
    action = action_of(service, operation, params)
    found = find_targets(action, params, where)
    targets = found.targets
    if service == "ec2" and operation.startswith(("Create", "Copy", "Run", "Allocate")):
        targets = _with_created(action, found, where)
    return [Need(action, targets, known=found.known)]


# What a launch template supplies when the request does not.
_FROM_TEMPLATE = {"image", "security-group", "subnet"}


def _with_created(action: str, found: Found, where: Where) -> tuple[Target, ...]:
    """EC2 judges a creation also on what it creates: `instance/*`, `snapshot/*`."""
    wanted = [kind for kind in resource_types(action) or () if kind.required and kind.name not in _FROM_TEMPLATE]
    created = [kind.arn("*", where.account, where.region) for kind in wanted]
    present = {_kind_of(target.arn) for target in found.targets}
    extra = tuple(Target(arn) for arn in created if _kind_of(arn) not in present)
    kept = tuple(target for target in found.targets if target is not EVERYTHING or not extra)
    return kept + extra


def _kind_of(arn: str) -> str:
    return arn.split(":", 5)[-1].partition("/")[0]


_TAG_RESOURCE = """
application-autoscaling backup cloudwatch drs dynamodb ecr ecs elasticfilesystem events fsx kms lambda logs memorydb
scheduler secretsmanager sns states
"""
_TAG_ACTIONS = {
    "rds": "rds:AddTagsToResource",
    "elasticache": "elasticache:AddTagsToResource",
    "ssm": "ssm:AddTagsToResource",
    "sqs": "sqs:TagQueue",
    "elasticloadbalancing": "elasticloadbalancing:AddTags",
    "es": "es:AddTags",
    **{prefix: f"{prefix}:TagResource" for prefix in _TAG_RESOURCE.split()},
}
_SNAPSHOTTING = {"CreateDBSnapshot", "CreateDBClusterSnapshot", "CopyDBSnapshot", "CopyDBClusterSnapshot"}
_CREATING = ("Create", "Copy", "Restore", "Register", "Put", "Run", "StartDBInstanceAutomatedBackups")


def _tagging(service: str, operation: str, params: Params, own: list[Need], where: Where) -> list[Need]:
    """Tags given on creation need the tagging permission on what is created."""
    tags = request_tags(params)
    action = _TAG_ACTIONS.get(prefix_of(service))
    if action is None or not tags or not own or not operation.startswith(_CREATING):
        return []
    keys: Keys = {f"aws:RequestTag/{key}": value for key, value in tags.items()} | {"aws:TagKeys": list(tags)}
    # RDS names the instance or cluster before the snapshot that is made of it.
    snapshots = [target for target in own[0].targets if "snapshot:" in target.arn]
    created = snapshots if service == "rds" and operation in _SNAPSHOTTING and snapshots else own[0].targets
    if service == "memorydb" and (made := _made_in_memorydb(operation, params)):
        arn = f"arn:aws:memorydb:{where.region}:{where.account}:{made}"
        return [Need(action, (Target(arn, tagged=True),), keys, own[0].known)]
    if (service, operation) in _STARTING_TASKS:  # the call names the definition; the tags go on the task
        created = (Target(f"arn:aws:ecs:{where.region}:{where.account}:task/*"),)
    if (service, operation) == (
        "efs",
        "CreateAccessPoint",
    ):  # the call names the file system; the tags go on the new point
        created = (Target(f"arn:aws:elasticfilesystem:{where.region}:{where.account}:access-point/*"),)
    if (service, operation) == ("drs", "CreateRecoveryPlan"):  # the call names nothing that exists
        created = (Target(f"arn:aws:drs:{where.region}:{where.account}:recovery-plan/*"),)
    return [Need(action, tuple(created[:1]), keys, own[0].known)]


def _made_in_memorydb(operation: str, params: Params) -> str:
    """MemoryDB judges a creation on what it is made of; the tags go on what is made."""
    if operation == "CreateCluster":
        return f"cluster/{params.get('ClusterName')}"
    name = params.get("TargetSnapshotName") or params.get("SnapshotName")
    return f"snapshot/{name}" if operation in {"CreateSnapshot", "CopySnapshot"} else ""


_CROSS_REGION = {
    "CopyDBClusterSnapshot",
    "CopyDBSnapshot",
    "CreateDBCluster",
    "CreateDBInstanceReadReplica",
    "StartDBInstanceAutomatedBackupsReplication",
}
_ENCRYPTING = {"rds", "efs", "fsx", "elasticache", "memorydb"}


def _companions(service: str, operation: str, params: Params, where: Where) -> list[Need]:
    """Permissions a call needs besides its own action; the service uses them with the caller's rights."""
    found: list[Need] = []
    if service == "rds" and operation in _CROSS_REGION and _names_other_region(params, where.region):
        found.append(Need("rds:CrossRegionCommunication", (EVERYTHING,)))
    if service == "autoscaling" and operation in {"CreateAutoScalingGroup", "UpdateAutoScalingGroup"}:
        found += _could_launch(params, where)
    if (service, operation) == ("ec2", "CopyImage"):
        found += _uses_key("ec2", params, where)
    if service == "lambda" and operation in {"CreateFunction", "UpdateFunctionCode"}:
        found += _reads_code(params.get("Code") or params)
    if service in _ENCRYPTING and operation.startswith(("Create", "Copy", "Restore", "Start")):
        found += _uses_key(service, params, where)
    if service == "memorydb":
        found += _memorydb_companions(operation, params, where)
    if service == "elasticache":
        found += _reaches_bucket(params)
    return found


def _reaches_bucket(params: Params) -> list[Need]:
    """ElastiCache writes exports, and reads what it seeds from, with the caller's rights as well as its own."""
    found = [Need("s3:GetObject", (Target(arn, tagged=True),)) for arn in values(params, ("SnapshotArns[]",))]
    if bucket := params.get("TargetBucket"):
        arn = f"arn:aws:s3:::{bucket}"
        found.append(Need("s3:GetBucketAcl", (Target(arn, tagged=True),)))
        found += [Need(f"s3:{name}", (Target(f"{arn}/*", tagged=True),)) for name in ("DeleteObject", "PutObject")]
    return found


def _could_launch(params: Params, where: Where) -> list[Need]:
    """Auto Scaling lets EC2 say whether the caller could launch from a template that the request names."""
    named = values(params, ("LaunchTemplate.LaunchTemplateId",))
    mixed = params.get("MixedInstancesPolicy") or {}
    named += values(mixed, ("LaunchTemplate.LaunchTemplateSpecification.LaunchTemplateId",))
    base = f"arn:aws:ec2:{where.region}:{where.account}:"
    made = tuple(Target(f"{base}{kind}/*") for kind in ("instance", "network-interface", "volume"))
    return [
        Need("ec2:RunInstances", (*made, Target(f"{base}launch-template/{template}", tagged=True)))
        for template in named
    ]


def _memorydb_companions(operation: str, params: Params, where: Where) -> list[Need]:
    """MemoryDB checks that its caller may read and write the objects it imports and exports, and take final snapshots."""
    if operation == "DeleteCluster" and params.get("FinalSnapshotName"):
        arn = f"arn:aws:memorydb:{where.region}:{where.account}:cluster/{params.get('ClusterName')}"
        return [Need("memorydb:CreateSnapshot", (Target(arn, tagged=True),))]
    if operation == "CopySnapshot" and (bucket := params.get("TargetBucket")):
        arn = f"arn:aws:s3:::{bucket}"
        target = Target(f"{arn}/{params.get('TargetSnapshotName')}-0001.rdb")
        return [
            Need("s3:GetBucketLocation", (Target(arn),)),
            Need("s3:ListAllMyBuckets", (EVERYTHING,)),
            Need("s3:PutObject", (target,)),
            Need("s3:DeleteObject", (target,)),
        ]
    return [Need("s3:GetObject", (Target(arn),)) for arn in params.get("SnapshotArns") or ()]


def _reads_code(code: Params) -> list[Need]:
    if not code.get("S3Bucket"):
        return []
    action = "s3:GetObjectVersion" if code.get("S3ObjectVersion") else "s3:GetObject"
    return [Need(action, (Target(f"arn:aws:s3:::{code['S3Bucket']}/{code.get('S3Key')}"),))]


def _names_other_region(params: Params, region: str) -> bool:
    arns = [value for value in params.values() if isinstance(value, str) and value.startswith("arn:aws:rds:")]
    regions = {arn.split(":")[3] for arn in arns} | {str(params.get("SourceRegion") or region)}
    return bool(regions - {region, ""})


def _uses_key(service: str, params: Params, where: Where) -> list[Need]:
    keys = [name for name in values(params, ("KmsKeyId",)) if "alias/aws/" not in name]
    context: Keys = {
        "kms:ViaService": f"{service if service != 'efs' else 'elasticfilesystem'}.{where.region}.amazonaws.com",
        "kms:GrantIsForAWSResource": "true",
        "aws:ViaAWSService": "true",
    }
    return [
        Need(action, (Target(key_arn(name, where), tagged=True),), context)
        for name in keys
        for action in ("kms:DescribeKey", "kms:CreateGrant")
    ]


def _copy_object(params: Params, where: Where) -> list[Need]:
    source = params.get("CopySource") or ""
    path = f"{source['Bucket']}/{source['Key']}" if isinstance(source, Mapping) else str(source)
    path = path.lstrip("/").partition("?")[0]
    target = f"arn:aws:s3:::{params.get('Bucket')}/{params.get('Key')}"
    return [
        Need("s3:PutObject", (Target(target, tagged=True),)),
        Need("s3:GetObject", (Target(f"arn:aws:s3:::{path}", tagged=True),)),
    ]


_TRANSACTION_ACTIONS = {
    "ConditionCheck": "dynamodb:ConditionCheckItem",
    "Delete": "dynamodb:DeleteItem",
    "Get": "dynamodb:GetItem",
    "Put": "dynamodb:PutItem",
    "Update": "dynamodb:UpdateItem",
}


def _transaction(params: Params, where: Where) -> list[Need]:
    """Each item of a transaction is judged as the single call it stands for."""
    wanted: dict[str, list[Target]] = {}
    for item in params.get("TransactItems", []):
        for kind, request in item.items():
            action = _TRANSACTION_ACTIONS[kind]
            wanted.setdefault(action, []).extend(find_targets(action, request, where).targets)
    return [Need(action, tuple(dict.fromkeys(targets))) for action, targets in wanted.items()]


_EC2_IDS = {
    "ami": "image",
    "i": "instance",
    "lt": "launch-template",
    "eni": "network-interface",
    "sg": "security-group",
    "sgr": "security-group-rule",
    "snap": "snapshot",
    "subnet": "subnet",
    "vol": "volume",
    "vpc": "vpc",
    "vpce": "vpc-endpoint",
    "rtb": "route-table",
    "igw": "internet-gateway",
    "nat": "natgateway",
    "acl": "network-acl",
    "eipalloc": "elastic-ip",
}


def _ec2_tags(action: str) -> Callable[[Params, Where], list[Need]]:
    def build(params: Params, where: Where) -> list[Need]:
        types = {kind.name: kind for kind in resource_types(action) or ()}
        targets: list[Target] = []
        for name in values(params, ("Resources[]",)):
            kind = types.get(_EC2_IDS.get(name.partition("-")[0], ""))
            targets.append(Target(kind.arn(name, where.account, where.region), kind.tagged) if kind else EVERYTHING)
        return [Need(action, tuple(targets) or (EVERYTHING,), known=EVERYTHING not in targets)]

    return build


def _re_encrypt(params: Params, where: Where) -> list[Need]:
    source = key_arn(str(params.get("SourceKeyId") or "*"), where)
    target = key_arn(str(params.get("DestinationKeyId")), where)
    return [
        Need("kms:ReEncryptFrom", (Target(source, tagged=True),)),
        Need("kms:ReEncryptTo", (Target(target, tagged=True),)),
    ]


def _event_source_mapping(params: Params, where: Where) -> list[Need]:
    name = function_arn(str(params.get("FunctionName", "*")), None, where)
    return [Need("lambda:CreateEventSourceMapping", (EVERYTHING,), {"lambda:FunctionArn": name})]


def _of_a_mapping(operation: str) -> Callable[[Params, Where], list[Need]]:
    """An existing mapping is judged by the function it calls; the mapping itself does not carry that one's tags."""

    def build(params: Params, where: Where) -> list[Need]:
        function = where.names.mapped_function(str(params.get("UUID")))
        keys: Keys = {"lambda:FunctionArn": function} if function else {}
        return [Need(need.action, need.targets, keys, need.known) for need in _main("lambda", operation, params, where)]

    return build


def _run_instances(params: Params, where: Where) -> list[Need]:
    found = _main("ec2", "RunInstances", params, where)
    return found + _tagged_on_creation("RunInstances", params, f"arn:aws:ec2:{where.region}:{where.account}:")


def _copy_image(params: Params, where: Where) -> list[Need]:
    """The ARNs of images and snapshots name no account."""
    found = _main("ec2", "CopyImage", params, where)
    return found + _tagged_on_creation("CopyImage", params, f"arn:aws:ec2:{where.region}::")


def _tagged_on_creation(operation: str, params: Params, base: str) -> list[Need]:
    return [
        Need(
            "ec2:CreateTags",
            (Target(f"{base}{spec.get('ResourceType', 'instance')}/*"),),
            {"ec2:CreateAction": operation},
        )
        for spec in params.get("TagSpecifications") or []
    ]


SPECIAL: dict[tuple[str, str], Callable[[Params, Where], list[Need]]] = {
    ("dynamodb", "TransactGetItems"): _transaction,
    ("dynamodb", "TransactWriteItems"): _transaction,
    ("ec2", "CopyImage"): _copy_image,
    ("ec2", "CreateTags"): _ec2_tags("ec2:CreateTags"),
    ("ec2", "DeleteTags"): _ec2_tags("ec2:DeleteTags"),
    ("ec2", "RunInstances"): _run_instances,
    ("kms", "ReEncrypt"): _re_encrypt,
    ("lambda", "CreateEventSourceMapping"): _event_source_mapping,
    **{
        ("lambda", operation): _of_a_mapping(operation)
        for operation in ("DeleteEventSourceMapping", "GetEventSourceMapping", "UpdateEventSourceMapping")
    },
    ("s3", "CopyObject"): _copy_object,
    ("s3", "UploadPartCopy"): _copy_object,
}
