"""IAM, KMS and SSM."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from localaws.service import AwsError
from localaws.services.cloudformation.resource import (
    Context,
    Made,
    Properties,
    ResourceType,
    ignore_missing,
    pick,
    whole,
)


def document(value: Any) -> str:
    """Return a policy as text."""
    return value if isinstance(value, str) else json.dumps(value)


class Role(ResourceType):
    """AWS::IAM::Role."""

    replaced_by = frozenset({"RoleName", "Path"})

    def create(self, context: Context, properties: Properties) -> Made:
        name = properties.get("RoleName") or context.name(64)
        role = context.call(
            "iam",
            "CreateRole",
            RoleName=name,
            AssumeRolePolicyDocument=document(properties["AssumeRolePolicyDocument"]),
            Tags=context.tag_list(properties.get("Tags")),
            **pick(properties, "Path", "Description", "MaxSessionDuration", "PermissionsBoundary"),
        )["Role"]
        made = Made(name, {"Arn": role["Arn"], "RoleId": role["RoleId"]})
        with whole(self, context, made, properties):
            self._policies(context, name, {}, properties)
        return made

    def update(self, context: Context, made: Made, old: Properties, new: Properties) -> Made:
        trust = document(new["AssumeRolePolicyDocument"])
        context.call("iam", "UpdateAssumeRolePolicy", RoleName=made.physical_id, PolicyDocument=trust)
        context.call("iam", "UpdateRole", RoleName=made.physical_id, **pick(new, "Description", "MaxSessionDuration"))
        if new.get("PermissionsBoundary") and new.get("PermissionsBoundary") != old.get("PermissionsBoundary"):
            boundary = new["PermissionsBoundary"]
            context.call("iam", "PutRolePermissionsBoundary", RoleName=made.physical_id, PermissionsBoundary=boundary)
        context.call("iam", "TagRole", RoleName=made.physical_id, Tags=context.tag_list(new.get("Tags")))
        self._policies(context, made.physical_id, old, new)
        return made

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        for policy in context.call("iam", "ListAttachedRolePolicies", RoleName=made.physical_id)["AttachedPolicies"]:
            context.call("iam", "DetachRolePolicy", RoleName=made.physical_id, PolicyArn=policy["PolicyArn"])
        for name in context.call("iam", "ListRolePolicies", RoleName=made.physical_id)["PolicyNames"]:
            context.call("iam", "DeleteRolePolicy", RoleName=made.physical_id, PolicyName=name)
        context.call("iam", "DeleteRole", RoleName=made.physical_id)

    def _policies(self, context: Context, name: str, old: Properties, new: Properties) -> None:
        inline = {policy["PolicyName"]: policy["PolicyDocument"] for policy in new.get("Policies", [])}
        for policy in old.get("Policies", []):
            if policy["PolicyName"] not in inline:
                context.call("iam", "DeleteRolePolicy", RoleName=name, PolicyName=policy["PolicyName"])
        for policy_name, content in inline.items():
            text = document(content)
            context.call("iam", "PutRolePolicy", RoleName=name, PolicyName=policy_name, PolicyDocument=text)
        _attach(context, name, set(old.get("ManagedPolicyArns", [])), set(new.get("ManagedPolicyArns", [])))


def _attach(context: Context, role: str, before: set[str], after: set[str]) -> None:
    for arn in sorted(before - after):
        context.call("iam", "DetachRolePolicy", RoleName=role, PolicyArn=arn)
    for arn in sorted(after - before):
        ensure_aws_managed_policy(context, arn)
        context.call("iam", "AttachRolePolicy", RoleName=role, PolicyArn=arn)


def ensure_aws_managed_policy(context: Context, arn: str) -> None:
    """Make an AWS managed policy known to moto, which would load all of them or none."""
    if not arn.startswith("arn:aws:iam::aws:policy/"):
        return
    from moto.iam.models import AWSManagedPolicy

    backend = context.world.backend("iam", context.account, context.region)
    if arn in backend.managed_policies:
        return
    data = _aws_managed_policies()
    name = arn.rsplit("/", 1)[-1]
    if name not in data:
        raise AwsError("NoSuchEntity", f"Policy {arn} does not exist or is not attachable.", 404)
    policy = AWSManagedPolicy.from_data(name, context.account, context.region, data[name])
    backend.managed_policies[policy.arn] = policy


@lru_cache
def _aws_managed_policies() -> dict[str, Any]:
    from moto.iam.aws_managed_policies import aws_managed_policies_data

    return dict(json.loads(aws_managed_policies_data))


class RolePolicy(ResourceType):
    """AWS::IAM::Policy (inline, on roles) and AWS::IAM::RolePolicy."""

    replaced_by = frozenset({"PolicyName", "RoleName"})

    def create(self, context: Context, properties: Properties) -> Made:
        for role in self._roles(properties):
            self._put(context, role, properties)
        if properties.get("Groups") or properties.get("Users"):
            raise AwsError("ValidationError", "the embedded AWS attaches AWS::IAM::Policy to roles only")
        return Made(properties["PolicyName"])

    def update(self, context: Context, made: Made, old: Properties, new: Properties) -> Made:
        for role in set(self._roles(old)) - set(self._roles(new)):
            context.call("iam", "DeleteRolePolicy", RoleName=role, PolicyName=made.physical_id)
        for role in self._roles(new):
            self._put(context, role, new)
        return made

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        for role in self._roles(properties):
            try:
                context.call("iam", "DeleteRolePolicy", RoleName=role, PolicyName=made.physical_id)
            except AwsError as error:
                ignore_missing(error)

    def _roles(self, properties: Properties) -> list[str]:
        return [properties["RoleName"]] if "RoleName" in properties else list(properties.get("Roles", []))

    def _put(self, context: Context, role: str, properties: Properties) -> None:
        text = document(properties["PolicyDocument"])
        context.call("iam", "PutRolePolicy", RoleName=role, PolicyName=properties["PolicyName"], PolicyDocument=text)


class ManagedPolicy(ResourceType):
    """AWS::IAM::ManagedPolicy."""

    replaced_by = frozenset({"ManagedPolicyName", "Path", "Description"})

    def create(self, context: Context, properties: Properties) -> Made:
        policy = context.call(
            "iam",
            "CreatePolicy",
            PolicyName=properties.get("ManagedPolicyName") or context.name(128),
            PolicyDocument=document(properties["PolicyDocument"]),
            **pick(properties, "Path", "Description"),
        )["Policy"]
        made = Made(policy["Arn"], {"PolicyArn": policy["Arn"], "PolicyId": policy["PolicyId"]})
        with whole(self, context, made, properties):
            for role in properties.get("Roles", []):
                context.call("iam", "AttachRolePolicy", RoleName=role, PolicyArn=policy["Arn"])
        return made

    def update(self, context: Context, made: Made, old: Properties, new: Properties) -> Made:
        versions = context.call("iam", "ListPolicyVersions", PolicyArn=made.physical_id)["Versions"]
        for version in versions[4:]:
            if not version["IsDefaultVersion"]:
                number = version["VersionId"]
                context.call("iam", "DeletePolicyVersion", PolicyArn=made.physical_id, VersionId=number)
        text = document(new["PolicyDocument"])
        context.call("iam", "CreatePolicyVersion", PolicyArn=made.physical_id, PolicyDocument=text, SetAsDefault=True)
        before, after = set(old.get("Roles", [])), set(new.get("Roles", []))
        for role in before - after:
            context.call("iam", "DetachRolePolicy", RoleName=role, PolicyArn=made.physical_id)
        for role in after - before:
            context.call("iam", "AttachRolePolicy", RoleName=role, PolicyArn=made.physical_id)
        return made

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        attached = context.call("iam", "ListEntitiesForPolicy", PolicyArn=made.physical_id).get("PolicyRoles", [])
        for role in attached:
            context.call("iam", "DetachRolePolicy", RoleName=role["RoleName"], PolicyArn=made.physical_id)
        for version in context.call("iam", "ListPolicyVersions", PolicyArn=made.physical_id)["Versions"]:
            if not version["IsDefaultVersion"]:
                number = version["VersionId"]
                context.call("iam", "DeletePolicyVersion", PolicyArn=made.physical_id, VersionId=number)
        context.call("iam", "DeletePolicy", PolicyArn=made.physical_id)


class Key(ResourceType):
    """AWS::KMS::Key."""

    replaced_by = frozenset({"KeySpec", "KeyUsage", "MultiRegion"})

    def create(self, context: Context, properties: Properties) -> Made:
        policy = document(properties["KeyPolicy"]) if "KeyPolicy" in properties else None
        tags = [{"TagKey": k, "TagValue": v} for k, v in context.tag_map(properties.get("Tags")).items()]
        wanted = pick(properties, "Description", "KeySpec", "KeyUsage", "MultiRegion")
        key = context.call("kms", "CreateKey", Policy=policy, Tags=tags, **wanted)["KeyMetadata"]
        made = Made(key["KeyId"], {"Arn": key["Arn"], "KeyId": key["KeyId"]})
        with whole(self, context, made, properties):
            self._settle(context, key["KeyId"], properties)
        return made

    def update(self, context: Context, made: Made, old: Properties, new: Properties) -> Made:
        self._settle(context, made.physical_id, new)
        if "Description" in new:
            context.call("kms", "UpdateKeyDescription", KeyId=made.physical_id, Description=new["Description"])
        if "KeyPolicy" in new:
            text = document(new["KeyPolicy"])
            context.call("kms", "PutKeyPolicy", KeyId=made.physical_id, PolicyName="default", Policy=text)
        tags = [{"TagKey": k, "TagValue": v} for k, v in context.tag_map(new.get("Tags")).items()]
        if tags:
            context.call("kms", "TagResource", KeyId=made.physical_id, Tags=tags)
        return made

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        days = properties.get("PendingWindowInDays", 30)
        context.call("kms", "ScheduleKeyDeletion", KeyId=made.physical_id, PendingWindowInDays=days)

    def _settle(self, context: Context, key: str, properties: Properties) -> None:
        if str(properties.get("EnableKeyRotation", "")).lower() == "true":
            context.call("kms", "EnableKeyRotation", KeyId=key)
        if str(properties.get("Enabled", "true")).lower() == "false":
            context.call("kms", "DisableKey", KeyId=key)


class ReplicaKey(Key):
    """AWS::KMS::ReplicaKey: made by the primary key's Region."""

    replaced_by = frozenset({"PrimaryKeyArn"})

    def create(self, context: Context, properties: Properties) -> Made:
        arn = str(properties["PrimaryKeyArn"])
        key = context.call(
            "kms",
            "ReplicateKey",
            region=arn.split(":")[3],
            KeyId=arn,
            ReplicaRegion=context.region,
            Policy=document(properties["KeyPolicy"]),
            **pick(properties, "Description"),
        )["ReplicaKeyMetadata"]
        self._settle(context, key["KeyId"], {k: v for k, v in properties.items() if k == "Enabled"})
        key_arn = f"arn:aws:kms:{context.region}:{context.account}:key/{key['KeyId']}"
        return Made(key["KeyId"], {"Arn": key_arn, "KeyId": key["KeyId"]})


class KeyAlias(ResourceType):
    """AWS::KMS::Alias."""

    replaced_by = frozenset({"AliasName"})

    def create(self, context: Context, properties: Properties) -> Made:
        context.call("kms", "CreateAlias", **pick(properties, "AliasName"), TargetKeyId=_key(properties))
        return Made(properties["AliasName"])

    def update(self, context: Context, made: Made, old: Properties, new: Properties) -> Made:
        context.call("kms", "UpdateAlias", AliasName=made.physical_id, TargetKeyId=_key(new))
        return made

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        context.call("kms", "DeleteAlias", AliasName=made.physical_id)


def _key(properties: Properties) -> str:
    return str(properties["TargetKeyId"]).rsplit("/", 1)[-1]


class Parameter(ResourceType):
    """AWS::SSM::Parameter."""

    replaced_by = frozenset({"Name", "Type"})

    def create(self, context: Context, properties: Properties) -> Made:
        name = properties.get("Name") or f"CFN-{context.name(200)}"
        tags = context.tag_list(properties.get("Tags"))
        context.call("ssm", "PutParameter", Name=name, Tags=tags or None, **self._wanted(properties))
        return self._made(name, properties)

    def update(self, context: Context, made: Made, old: Properties, new: Properties) -> Made:
        context.call("ssm", "PutParameter", Name=made.physical_id, Overwrite=True, **self._wanted(new))
        return self._made(made.physical_id, new)

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        context.call("ssm", "DeleteParameter", Name=made.physical_id)

    def _wanted(self, properties: Properties) -> dict[str, Any]:
        return pick(properties, "Type", "Value", "Description", "AllowedPattern", "Tier", "DataType", "Policies")

    def _made(self, name: str, properties: Properties) -> Made:
        return Made(name, {"Type": properties["Type"], "Value": properties["Value"]})


class Document(ResourceType):
    """AWS::SSM::Document."""

    replaced_by = frozenset({"Name", "DocumentType", "Attachments"})

    def create(self, context: Context, properties: Properties) -> Made:
        name = properties.get("Name") or context.name(128)
        tags = context.tag_list(properties.get("Tags"))
        wanted = pick(properties, "DocumentType", "TargetType", "VersionName", "Requires", "Attachments")
        form = properties.get("DocumentFormat", "JSON")
        content = document(properties["Content"])
        context.call(
            "ssm", "CreateDocument", Name=name, Content=content, DocumentFormat=form, Tags=tags or None, **wanted
        )
        return Made(name)

    def update(self, context: Context, made: Made, old: Properties, new: Properties) -> Made:
        if document(old["Content"]) == document(new["Content"]):
            return made
        form = new.get("DocumentFormat", "JSON")
        version = context.call(
            "ssm",
            "UpdateDocument",
            Name=made.physical_id,
            Content=document(new["Content"]),
            DocumentFormat=form,
            DocumentVersion="$LATEST",
        )["DocumentDescription"]["DocumentVersion"]
        context.call("ssm", "UpdateDocumentDefaultVersion", Name=made.physical_id, DocumentVersion=version)
        return made

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        context.call("ssm", "DeleteDocument", Name=made.physical_id)


TYPES: dict[str, ResourceType] = {
    "AWS::IAM::ManagedPolicy": ManagedPolicy(),
    "AWS::IAM::Policy": RolePolicy(),
    "AWS::IAM::Role": Role(),
    "AWS::IAM::RolePolicy": RolePolicy(),
    "AWS::KMS::Alias": KeyAlias(),
    "AWS::KMS::Key": Key(),
    "AWS::KMS::ReplicaKey": ReplicaKey(),
    "AWS::SSM::Document": Document(),
    "AWS::SSM::Parameter": Parameter(),
}
