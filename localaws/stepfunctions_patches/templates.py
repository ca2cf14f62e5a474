"""AWS::StepFunctions::StateMachine: definition substitutions, definitions in S3, attributes; moto lacks them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from moto.s3.models import s3_backends
from moto.stepfunctions import models
from moto.stepfunctions.parser import models as parser_models
from moto.stepfunctions.utils import cfn_to_api_tags

_StateMachine = models.StateMachine
_has_attribute = _StateMachine.has_cfn_attr.__func__
_attribute = _StateMachine.get_cfn_attribute


def patch() -> None:
    """Install, and let templates create machines where the interpreter looks for them."""
    models.stepfunctions_backends = parser_models.stepfunctions_parser_backends
    _StateMachine.create_from_cloudformation_json = classmethod(_create)
    _StateMachine.update_from_cloudformation_json = classmethod(_update)
    _StateMachine.has_cfn_attr = classmethod(_has)
    _StateMachine.get_cfn_attribute = _get


def _create(
    _cls: Any, resource_name: str, cloudformation_json: Mapping[str, Any], account_id: str, region_name: str, **_: Any
) -> Any:
    properties = cloudformation_json["Properties"]
    backend = parser_models.stepfunctions_parser_backends[account_id][region_name]
    machine = backend.create_state_machine(
        name=properties.get("StateMachineName", resource_name),
        definition=_definition(properties, account_id),
        roleArn=properties.get("RoleArn", ""),
        tags=cfn_to_api_tags(properties.get("Tags", [])),
        loggingConfiguration=_api_case(properties.get("LoggingConfiguration")),
        tracingConfiguration=_api_case(properties.get("TracingConfiguration")),
        encryptionConfiguration=_api_case(properties.get("EncryptionConfiguration")),
        sm_type=properties.get("StateMachineType"),
    )
    return machine


def _update(
    cls: Any,
    original_resource: Any,
    new_resource_name: str,
    cloudformation_json: Mapping[str, Any],
    account_id: str,
    region_name: str,
) -> Any:
    properties = cloudformation_json["Properties"]
    name = properties.get("StateMachineName", original_resource.name)
    if name != original_resource.name:
        created = _create(cls, new_resource_name, cloudformation_json, account_id, region_name)
        original_resource.backend.delete_state_machine(original_resource.arn)
        return created
    original_resource.backend.update_state_machine(
        original_resource.arn,
        definition=_definition(properties, account_id),
        role_arn=properties.get("RoleArn"),
        logging_configuration=_api_case(properties.get("LoggingConfiguration")),
        tracing_configuration=_api_case(properties.get("TracingConfiguration")),
    )
    original_resource.backend.tagger.tag_resource(original_resource.arn, cfn_to_api_tags(properties.get("Tags", [])))
    return original_resource


def _definition(properties: Mapping[str, Any], account: str) -> str:
    text = properties.get("DefinitionString")
    if text is None and "Definition" in properties:
        text = json.dumps(properties["Definition"])
    if text is None and "DefinitionS3Location" in properties:
        location = properties["DefinitionS3Location"]
        found = s3_backends[account]["aws"].get_object(location["Bucket"], location["Key"])
        text = found.value.decode()
    values = properties.get("DefinitionSubstitutions", {})
    return re.sub(r"\$\{(\w+)\}", lambda match: str(values.get(match[1], match[0])), str(text or ""))


def _api_case(value: Any) -> Any:
    """Return a template's value in the case of the API (first letter small)."""
    if isinstance(value, dict):
        return {key[:1].lower() + key[1:]: _api_case(item) for key, item in value.items()}
    return [_api_case(item) for item in value] if isinstance(value, list) else value


def _has(cls: Any, attr: str) -> bool:
    return attr in {"Arn", "StateMachineRevisionId"} or bool(_has_attribute(cls, attr))


def _get(self: Any, attribute_name: str) -> Any:
    if attribute_name == "Arn":
        return self.arn
    if attribute_name == "StateMachineRevisionId":
        return "INITIAL"
    return _attribute(self, attribute_name)
