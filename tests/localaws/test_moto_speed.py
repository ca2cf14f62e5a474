"""The shortcuts in moto change how fast it answers, never what."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import xmltodict
from hypothesis import given
from hypothesis import strategies as st
from moto.core.serialize import AttributePicker, BaseXMLSerializer, EC2Serializer, QuerySerializer
from moto.core.utils import get_service_model

from localaws import moto_speed
from localaws.moto_speed import _as_xml

AT = datetime(2026, 1, 1, 3, 0, tzinfo=UTC)
TAGS = [{"Key": "dr:wave", "Value": "1"}, {"Key": "empty", "Value": ""}]
REPLIES: dict[str, tuple[str, dict[str, Any]]] = {
    "rds": (
        "DescribeDBInstances",
        {
            "DBInstances": [
                {
                    "DBInstanceIdentifier": "orders",
                    "InstanceCreateTime": AT,
                    "MultiAZ": True,
                    "Endpoint": {"Address": "orders.example.com", "Port": 5432},
                    "VpcSecurityGroups": [{"VpcSecurityGroupId": "sg-1", "Status": "active"}],
                    "ReadReplicaDBInstanceIdentifiers": [],
                    "KmsKeyId": None,
                    "TagList": TAGS,
                }
            ]
        },
    ),
    "ec2": (
        "DescribeVolumes",
        {"Volumes": [{"VolumeId": "orders", "CreateTime": AT, "Encrypted": True, "Attachments": [], "Tags": TAGS}]},
    ),
}

NAMES = st.from_regex(r"\A[A-Za-z][A-Za-z0-9]{0,8}\Z")
TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), max_size=12)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS


def structures(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    attributed = st.builds(lambda name, text, members: {f"@{name}": text, **members}, NAMES, TEXTS, members(inner))
    return members(inner) | attributed | st.lists(members(inner) | LEAVES, max_size=3)


def members(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(NAMES, inner, max_size=4)


@pytest.mark.parametrize("serializer", [QuerySerializer, EC2Serializer])
def test_structure_that_knows_its_members_is_written_as_if_every_member_was_looked_for(serializer: Any) -> None:
    service = "ec2" if serializer is EC2Serializer else "rds"
    model = get_service_model(service)
    operation, reply = REPLIES[service]
    written = serializer(model.operation_model(operation)).serialize(reply)["body"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseXMLSerializer, "_serialize_type_structure", moto_speed._every_member_of_xml)
        patch.setattr(AttributePicker, "__call__", moto_speed._picked)
        expected = serializer(model.operation_model(operation)).serialize(reply)["body"]
    assert xmltodict.parse(written) == xmltodict.parse(expected)
    assert all(text in written for text in ("orders", "2026-01-01T03:00:00", "true"))


@given(members(st.recursive(LEAVES, structures, max_leaves=12)))
def test_xml_is_written_as_xmltodict_writes_it(body: dict[str, Any]) -> None:
    assert _as_xml(None, body) == xmltodict.unparse(body, full_document=False, short_empty_elements=True)
