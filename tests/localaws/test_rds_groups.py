"""What a database needs first in a Region, and what the embedded RDS says when it is missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.localaws.databases import ACCOUNT, TARGET, Shop, open_shop

SNAPSHOT_ARN = f"arn:aws:rds:{TARGET}:{ACCOUNT}:cluster-snapshot:nowhere"


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Shop:
    opened = open_shop(monkeypatch)
    opened.seed("aurora-single", copied=True)
    return opened


def code(call: Callable[[], Any]) -> tuple[str, int]:
    with pytest.raises(ClientError) as refused:
        call()
    answer = refused.value.response
    return str(answer["Error"]["Code"]), int(answer["ResponseMetadata"]["HTTPStatusCode"])


def test_what_does_not_exist_is_an_error_and_no_empty_list(shop: Shop) -> None:
    rds = shop.target
    missing = {
        "DBParameterGroupNotFound": [
            lambda: rds.describe_db_parameter_groups(DBParameterGroupName="nowhere"),
            lambda: rds.describe_db_cluster_parameter_groups(DBClusterParameterGroupName="nowhere"),
        ],
        "DBSubnetGroupNotFoundFault": [
            lambda: rds.describe_db_subnet_groups(DBSubnetGroupName="nowhere"),
            lambda: rds.list_tags_for_resource(ResourceName=f"arn:aws:rds:{TARGET}:{ACCOUNT}:subgrp:nowhere"),
        ],
        "DBSnapshotNotFound": [lambda: rds.describe_db_snapshots(DBSnapshotIdentifier="nowhere")],
        "DBClusterSnapshotNotFoundFault": [
            lambda: rds.describe_db_cluster_snapshots(DBClusterSnapshotIdentifier="nowhere"),
            lambda: rds.list_tags_for_resource(ResourceName=SNAPSHOT_ARN),
        ],
    }
    assert {(name, *code(call)) for name, calls in missing.items() for call in calls} == {
        (name, name, 404) for name in missing
    }


def test_default_groups_are_there_in_every_region(shop: Shop) -> None:
    rds = shop.target
    (found,) = rds.describe_db_parameter_groups(DBParameterGroupName="default.mysql8.0")["DBParameterGroups"]
    assert found["DBParameterGroupFamily"] == "mysql8.0"
    clusters = rds.describe_db_cluster_parameter_groups(DBClusterParameterGroupName="default.aurora-mysql8.0")
    assert clusters["DBClusterParameterGroups"][0]["DBClusterParameterGroupName"] == "default.aurora-mysql8.0"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"DBSubnetGroupName": "nowhere"}, "DBSubnetGroupNotFoundFault"),
        ({"DBClusterParameterGroupName": "nowhere"}, "DBClusterParameterGroupNotFound"),
        ({"SnapshotIdentifier": "nowhere"}, "DBClusterSnapshotNotFoundFault"),
        ({"Engine": "aurora-mysql"}, "InvalidParameterCombination"),
    ],
)
def test_a_cluster_is_restored_into_what_exists_only(shop: Shop, change: dict[str, str], expected: str) -> None:
    params = {"DBClusterIdentifier": "new", "SnapshotIdentifier": "orders-nightly", "Engine": "aurora-postgresql"}
    assert code(lambda: shop.target.restore_db_cluster_from_snapshot(**{**params, **change}))[0] == expected


def test_an_instance_is_made_in_groups_that_exist_only(shop: Shop) -> None:
    def make(**group: str) -> None:
        shop.target.create_db_instance(
            DBInstanceIdentifier="new",
            Engine="mysql",
            DBInstanceClass="db.r6g.large",
            MasterUsername="u",
            MasterUserPassword="not-a-secret",  # noqa: S106
            **group,
        )

    assert code(lambda: make(DBSubnetGroupName="nowhere"))[0] == "DBSubnetGroupNotFoundFault"
    assert code(lambda: make(DBParameterGroupName="nowhere"))[0] == "DBParameterGroupNotFound"
    assert code(lambda: make(OptionGroupName="nowhere"))[0] == "OptionGroupNotFoundFault"
