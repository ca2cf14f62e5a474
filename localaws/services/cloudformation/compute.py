"""Lambda and Step Functions."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Mapping
from typing import Any

from localaws.service import AwsError
from localaws.services.cloudformation.resource import Context, Made, Properties, ResourceType, camel, pick, whole

INLINE_FILES = {"python": "index.py", "nodejs": "index.js"}
SUBSTITUTION = re.compile(r"\$\{([^}!]+)\}")


class Function(ResourceType):
    """AWS::Lambda::Function."""

    replaced_by = frozenset({"FunctionName", "PackageType"})
    settings = (
        "Role",
        "Handler",
        "Runtime",
        "Description",
        "Timeout",
        "MemorySize",
        "Environment",
        "VpcConfig",
        "DeadLetterConfig",
        "KMSKeyArn",
        "TracingConfig",
        "Layers",
        "FileSystemConfigs",
        "EphemeralStorage",
        "SnapStart",
        "LoggingConfig",
        "ImageConfig",
    )
    others = frozenset(
        {"FunctionName", "Code", "Tags", "Architectures", "PackageType", "ReservedConcurrentExecutions"}
        | {"RuntimeManagementConfig", "RecursiveLoop", "CodeSigningConfigArn"}
    )

    def create(self, context: Context, properties: Properties) -> Made:
        unknown = set(properties) - set(self.settings) - self.others
        if unknown:
            raise AwsError("ValidationError", f"AWS::Lambda::Function: the embedded AWS does not know {unknown}")
        name = properties.get("FunctionName") or context.name(64)
        reply = context.call(
            "lambda",
            "CreateFunction",
            FunctionName=name,
            Code=_code(properties),
            Tags=context.tag_map(properties.get("Tags")) or None,
            **pick(properties, *self.settings, "Architectures", "PackageType"),
        )
        made = Made(name, {"Arn": reply["FunctionArn"]})
        with whole(self, context, made, properties):
            self._concurrency(context, name, {}, properties)
        return made

    def update(self, context: Context, made: Made, old: Properties, new: Properties) -> Made:
        name = made.physical_id
        changed = {key: new[key] for key in self.settings if key in new and new[key] != old.get(key)}
        if "Environment" in old and "Environment" not in new:
            changed["Environment"] = {"Variables": {}}
        if changed:
            context.call("lambda", "UpdateFunctionConfiguration", FunctionName=name, **changed)
        if new["Code"] != old["Code"]:
            context.call("lambda", "UpdateFunctionCode", FunctionName=name, **_code(new))
        tags = context.tag_map(new.get("Tags"))
        if tags:
            context.call("lambda", "TagResource", Resource=made.attributes["Arn"], Tags=tags)
        self._concurrency(context, name, old, new)
        return made

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        context.call("lambda", "DeleteFunction", FunctionName=made.physical_id)

    def _concurrency(self, context: Context, name: str, old: Properties, new: Properties) -> None:
        key = "ReservedConcurrentExecutions"
        if key in new and new[key] != old.get(key):
            context.call("lambda", "PutFunctionConcurrency", FunctionName=name, ReservedConcurrentExecutions=new[key])
        elif key in old and key not in new:
            context.call("lambda", "DeleteFunctionConcurrency", FunctionName=name)


def _code(properties: Properties) -> dict[str, Any]:
    code = properties["Code"]
    if "ZipFile" not in code:
        return pick(code, "S3Bucket", "S3Key", "S3ObjectVersion", "ImageUri")
    runtime = properties.get("Runtime", "python3.12")
    name = next((file for prefix, file in INLINE_FILES.items() if runtime.startswith(prefix)), "index.py")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, code["ZipFile"])
    return {"ZipFile": buffer.getvalue()}


class Version(ResourceType):
    """AWS::Lambda::Version."""

    replaced_by = frozenset({"FunctionName", "CodeSha256", "Description"})

    def create(self, context: Context, properties: Properties) -> Made:
        wanted = pick(properties, "FunctionName", "Description")
        reply = context.call("lambda", "PublishVersion", **wanted)
        arn = reply["FunctionArn"]
        if not arn.endswith(f":{reply['Version']}"):
            arn = f"{arn}:{reply['Version']}"
        provisioned = properties.get("ProvisionedConcurrencyConfig")
        if provisioned:
            context.call(
                "lambda",
                "PutProvisionedConcurrencyConfig",
                FunctionName=properties["FunctionName"],
                Qualifier=reply["Version"],
                **provisioned,
            )
        return Made(arn, {"Version": reply["Version"], "FunctionArn": arn})

    def update(self, context: Context, made: Made, old: Properties, new: Properties) -> Made:
        return made

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        function, version = made.physical_id.rsplit(":", 1)
        context.call("lambda", "DeleteFunction", FunctionName=function.rsplit(":", 1)[-1], Qualifier=version)


class FunctionAlias(ResourceType):
    """AWS::Lambda::Alias."""

    replaced_by = frozenset({"FunctionName", "Name"})

    def create(self, context: Context, properties: Properties) -> Made:
        wanted = pick(properties, "FunctionName", "Name", "FunctionVersion", "Description")
        arn = context.call("lambda", "CreateAlias", **wanted)["AliasArn"]
        self._provision(context, properties)
        return Made(arn, {"AliasArn": arn})

    def update(self, context: Context, made: Made, old: Properties, new: Properties) -> Made:
        wanted = pick(new, "FunctionName", "Name", "FunctionVersion", "Description")
        context.call("lambda", "UpdateAlias", **wanted)
        self._provision(context, new)
        return made

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        context.call("lambda", "DeleteAlias", **pick(properties, "FunctionName", "Name"))

    def _provision(self, context: Context, properties: Properties) -> None:
        provisioned = properties.get("ProvisionedConcurrencyConfig")
        if provisioned:
            context.call(
                "lambda",
                "PutProvisionedConcurrencyConfig",
                FunctionName=properties["FunctionName"],
                Qualifier=properties["Name"],
                **provisioned,
            )


class Permission(ResourceType):
    """AWS::Lambda::Permission: every change makes a new statement."""

    names = ("FunctionName", "Action", "Principal", "SourceArn", "SourceAccount", "PrincipalOrgID", "EventSourceToken")
    replaced_by = frozenset({*names, "FunctionUrlAuthType"})

    def create(self, context: Context, properties: Properties) -> Made:
        statement = context.name(100)
        context.call("lambda", "AddPermission", StatementId=statement, **self._wanted(properties))
        return Made(statement, {"Id": statement})

    def update(self, context: Context, made: Made, old: Properties, new: Properties) -> Made:
        return made

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        function = self._wanted(properties)
        where = {key: function[key] for key in ("FunctionName", "Qualifier") if key in function}
        context.call("lambda", "RemovePermission", StatementId=made.physical_id, **where)

    def _wanted(self, properties: Properties) -> dict[str, Any]:
        wanted = pick(properties, *self.names, "FunctionUrlAuthType")
        name = str(wanted["FunctionName"])
        # A version's or alias's ARN carries the qualifier as its eighth part.
        parts = name.split(":")
        if name.startswith("arn:") and len(parts) == 8:
            wanted |= {"FunctionName": ":".join(parts[:7]), "Qualifier": parts[7]}
        return wanted


class EventInvokeConfig(ResourceType):
    """AWS::Lambda::EventInvokeConfig."""

    replaced_by = frozenset({"FunctionName", "Qualifier"})

    def create(self, context: Context, properties: Properties) -> Made:
        context.call("lambda", "PutFunctionEventInvokeConfig", **self._wanted(properties))
        return Made(context.name(128))

    def update(self, context: Context, made: Made, old: Properties, new: Properties) -> Made:
        context.call("lambda", "PutFunctionEventInvokeConfig", **self._wanted(new))
        return made

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        where = {key: value for key, value in self._wanted(properties).items() if key in {"FunctionName", "Qualifier"}}
        context.call("lambda", "DeleteFunctionEventInvokeConfig", **where)

    def _wanted(self, properties: Properties) -> dict[str, Any]:
        wanted = dict(properties)
        if wanted.get("Qualifier") == "$LATEST":
            del wanted["Qualifier"]
        return wanted


class EventSourceMapping(ResourceType):
    """AWS::Lambda::EventSourceMapping."""

    replaced_by = frozenset({"EventSourceArn"})

    def create(self, context: Context, properties: Properties) -> Made:
        wanted = {key: value for key, value in properties.items() if key != "Tags"}
        mapping = context.call("lambda", "CreateEventSourceMapping", **wanted)["UUID"]
        arn = f"arn:aws:lambda:{context.region}:{context.account}:event-source-mapping:{mapping}"
        return Made(mapping, {"Id": mapping, "EventSourceMappingArn": arn})

    def update(self, context: Context, made: Made, old: Properties, new: Properties) -> Made:
        wanted = {key: value for key, value in new.items() if key not in {"Tags", "EventSourceArn"}}
        context.call("lambda", "UpdateEventSourceMapping", UUID=made.physical_id, **wanted)
        return made

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        context.call("lambda", "DeleteEventSourceMapping", UUID=made.physical_id)


class LayerVersion(ResourceType):
    """AWS::Lambda::LayerVersion: every change makes a new version."""

    replaced_by = frozenset({"Content", "LayerName", "CompatibleRuntimes", "Description", "LicenseInfo"})

    def create(self, context: Context, properties: Properties) -> Made:
        wanted = {**properties, "LayerName": properties.get("LayerName") or context.logical_id}
        arn = context.call("lambda", "PublishLayerVersion", **wanted)["LayerVersionArn"]
        return Made(arn, {"LayerVersionArn": arn})

    def update(self, context: Context, made: Made, old: Properties, new: Properties) -> Made:
        return made

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        layer, version = made.physical_id.rsplit(":", 1)
        context.call("lambda", "DeleteLayerVersion", LayerName=layer, VersionNumber=version)


class StateMachine(ResourceType):
    """AWS::StepFunctions::StateMachine."""

    replaced_by = frozenset({"StateMachineName", "StateMachineType"})

    def create(self, context: Context, properties: Properties) -> Made:
        name = properties.get("StateMachineName") or context.name(80)
        tags = camel(context.tag_list(properties.get("Tags")))
        reply = context.call(
            "stepfunctions",
            "CreateStateMachine",
            name=name,
            type=properties.get("StateMachineType", "STANDARD"),
            tags=tags or None,
            **self._wanted(context, properties),
        )
        arn = reply["stateMachineArn"]
        return Made(arn, {"Arn": arn, "Name": name, "StateMachineRevisionId": "INITIAL"})

    def update(self, context: Context, made: Made, old: Properties, new: Properties) -> Made:
        wanted = self._wanted(context, new)
        context.call("stepfunctions", "UpdateStateMachine", stateMachineArn=made.physical_id, **wanted)
        return made

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        context.call("stepfunctions", "DeleteStateMachine", stateMachineArn=made.physical_id)

    def _wanted(self, context: Context, properties: Properties) -> dict[str, Any]:
        wanted = {"definition": self._definition(context, properties), "roleArn": properties["RoleArn"]}
        for name, api in (
            ("LoggingConfiguration", "loggingConfiguration"),
            ("TracingConfiguration", "tracingConfiguration"),
            ("EncryptionConfiguration", "encryptionConfiguration"),
        ):
            if name in properties:
                wanted[api] = camel(properties[name])
        return wanted

    def _definition(self, context: Context, properties: Properties) -> str:
        if "DefinitionString" in properties:
            text = str(properties["DefinitionString"])
        elif "Definition" in properties:
            text = json.dumps(properties["Definition"])
        else:
            where = properties["DefinitionS3Location"]
            reply = context.call("s3", "GetObject", Bucket=where["Bucket"], Key=where["Key"])
            text = str(reply["Body"], "utf-8")
        return substitute(text, properties.get("DefinitionSubstitutions", {}))


def substitute(text: str, values: Mapping[str, Any]) -> str:
    """Replace `${Token}` in a state machine definition. Tokens without a value stay, as in CloudFormation."""

    def replace(match: re.Match[str]) -> str:
        if match[1] not in values:
            return match[0]
        value = values[match[1]]
        # The definition is JSON: the value lands inside a string literal or stands for a bare number.
        return json.dumps(value)[1:-1] if isinstance(value, str) else json.dumps(value)

    return SUBSTITUTION.sub(replace, text)


TYPES: dict[str, ResourceType] = {
    "AWS::Lambda::Alias": FunctionAlias(),
    "AWS::Lambda::EventInvokeConfig": EventInvokeConfig(),
    "AWS::Lambda::EventSourceMapping": EventSourceMapping(),
    "AWS::Lambda::Function": Function(),
    "AWS::Lambda::LayerVersion": LayerVersion(),
    "AWS::Lambda::Permission": Permission(),
    "AWS::Lambda::Version": Version(),
    "AWS::StepFunctions::StateMachine": StateMachine(),
}
