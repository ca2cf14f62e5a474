"""DynamoDB: moto's tables, plus global tables and transactions that do not copy whole tables.

Replicas of a global table share one store of items, so a write in one Region is read in the other at once.
"""

from __future__ import annotations

import copy
import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from localaws.service import AwsError, Call, Reply, Service, operation
from localaws.services import dynamodb_speed

if TYPE_CHECKING:
    from localaws.world import World

TOKEN_MINUTES = 10
GLOBAL_TABLE_VERSION = "2019.11.21"
CONDITION_FAILED = "ConditionalCheckFailed"


class DynamoDbService(Service):
    """Global tables (version 2019.11.21) and transactions."""

    name = "dynamodb"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        dynamodb_speed.install()
        self._groups: dict[tuple[str, str], set[str]] = {}
        self._replicas_keys: dict[tuple[str, str, str], str] = {}
        self._tokens: dict[tuple[str, str], tuple[datetime, str]] = {}

    def reset(self) -> None:
        """Forget which tables are replicas of each other."""
        self._groups.clear()
        self._replicas_keys.clear()
        self._tokens.clear()

    @operation("UpdateTable")
    def update_table(self, call: Call) -> Reply:
        name = _table_name(call.params["TableName"])
        for update in call.params.get("ReplicaUpdates") or []:
            if "Create" in update:
                self._add_replica(call, name, update["Create"])
            elif "Delete" in update:
                self._remove_replica(call, name, update["Delete"]["RegionName"])
        others = {key for key in call.params if key not in {"TableName", "ReplicaUpdates"}}
        if not others:
            reply = self.world.moto(Call("dynamodb", "DescribeTable", {"TableName": name}, *_who(call)))
            return {"TableDescription": self._with_replicas(call, reply["Table"])}
        changes = {key: call.params[key] for key in others} | {"TableName": name}
        reply = self.world.moto(Call("dynamodb", "UpdateTable", changes, *_who(call)))
        self._indexes_everywhere(call, name)
        return {"TableDescription": self._with_replicas(call, reply["TableDescription"])}

    @operation("CreateTable")
    def create_table(self, call: Call) -> Reply:
        encryption = dict(call.params.get("SSESpecification") or {})
        key = encryption.get("KMSMasterKeyId")
        if not key:
            return self.world.moto(call)
        encryption["KMSMasterKeyId"] = self._key_arn(call.account, call.region, key)
        return self.world.moto(call.with_params(SSESpecification=encryption))

    @operation("DescribeTable")
    def describe_table(self, call: Call) -> Reply:
        return {"Table": self._with_replicas(call, self.world.moto(call)["Table"])}

    @operation("DeleteTable")
    def delete_table(self, call: Call) -> Reply:
        reply = self.world.moto(call)
        name = _table_name(call.params["TableName"])
        group = self._groups.get((call.account, name), set())
        group.discard(call.region)
        if len(group) <= 1:
            self._groups.pop((call.account, name), None)
        return reply

    @operation("TransactWriteItems")
    def transact_write_items(self, call: Call) -> Reply:
        actions = [_Action(self._backend(call, call.region), item) for item in call.params["TransactItems"]]
        if self._seen_before(call):
            return {}
        if len({action.identity for action in actions}) != len(actions):
            message = "Transaction request cannot include multiple operations on one item"
            raise AwsError("ValidationException", message)
        reasons = [action.reason() for action in actions]
        if any(reason["Code"] != "None" for reason in reasons):
            raise _cancelled(reasons)
        before = [copy.deepcopy(action.current()) for action in actions]
        for number, action in enumerate(actions):
            try:
                action.carry_out()
            except Exception as error:
                for undone, item in zip(actions[: number + 1], before, strict=False):
                    undone.restore(item)
                reasons[number] = {"Code": "ValidationError", "Message": str(getattr(error, "message", error))}
                raise _cancelled(reasons) from error
        self._remember(call)
        return {}

    # Global tables

    def _add_replica(self, call: Call, name: str, wanted: dict[str, Any]) -> None:
        region = wanted["RegionName"]
        group = self._groups.setdefault((call.account, name), {call.region})
        if region in group:
            raise AwsError(
                "ValidationException",
                f"Failed to create a the new replica of table with name: '{name}' "
                f"because one or more replicas already existed as tables in {region}.",
            )
        source = self._backend(call, call.region).get_table(name)
        target = self._backend(call, region)
        encryption = copy.deepcopy(source.sse_specification)
        if encryption is not None:
            encryption.pop("KMSMasterKeyId", None)
            if wanted.get("KMSMasterKeyId"):
                encryption["KMSMasterKeyId"] = self._key_arn(call.account, region, wanted["KMSMasterKeyId"])
        replica = target.create_table(
            name=name,
            schema=copy.deepcopy(source.schema),
            throughput=None if source.billing_mode == "PAY_PER_REQUEST" else copy.deepcopy(source.throughput),
            attr=copy.deepcopy(source.attr),
            global_indexes=None,
            indexes=None,
            streams={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
            billing_mode=source.billing_mode,
            sse_specification=encryption,
            tags=[],
            deletion_protection_enabled=False,
            warm_throughput=None,
        )
        replica.indexes = copy.deepcopy(source.indexes)
        replica.global_indexes = copy.deepcopy(source.global_indexes)
        replica.ttl = source.ttl
        replica.items = source.items
        group.add(region)

    def _key_arn(self, account: str, region: str, key: str) -> str:
        """Resolve a key id, alias or ARN. Raises `AwsError` `ValidationException` when KMS has no such key there."""
        try:
            found = self.world.call("kms", "DescribeKey", account, region, KeyId=key)
        except AwsError as error:
            raise AwsError(
                "ValidationException", f"KMS validation error: {error.message} ({key} in {region})"
            ) from error
        return str(found["KeyMetadata"]["Arn"])

    def _remove_replica(self, call: Call, name: str, region: str) -> None:
        group = self._groups.get((call.account, name), set())
        if region not in group:
            raise AwsError("ReplicaNotFoundException", f"The replica in {region} was not found")
        self._backend(call, region).delete_table(name)
        group.discard(region)

    def _indexes_everywhere(self, call: Call, name: str) -> None:
        source = self._backend(call, call.region).get_table(name)
        for region in self._groups.get((call.account, name), set()) - {call.region}:
            replica = self._backend(call, region).get_table(name)
            replica.global_indexes = copy.deepcopy(source.global_indexes)
            replica.attr = copy.deepcopy(source.attr)
            replica.billing_mode = source.billing_mode

    def _with_replicas(self, call: Call, table: Any) -> dict[str, Any]:
        regions = self._groups.get((call.account, table["TableName"]), set())
        others = sorted(regions - {call.region})
        if not others:
            return dict(table)
        lines = []
        for region in others:
            encryption = self._backend(call, region).get_table(table["TableName"]).sse_specification or {}
            key = encryption.get("KMSMasterKeyId")
            line = {"RegionName": region, "ReplicaStatus": "ACTIVE"}
            lines.append(line | ({"KMSMasterKeyId": key} if key else {}))
        return {**table, "Replicas": lines, "GlobalTableVersion": GLOBAL_TABLE_VERSION}

    def _backend(self, call: Call, region: str) -> Any:
        return self.world.backend("dynamodb", call.account, region)

    # Transactions

    def _seen_before(self, call: Call) -> bool:
        token = call.params.get("ClientRequestToken")
        if not token:
            return False
        at, text = self._tokens.get((call.account, token), (None, ""))
        if at is None or at + timedelta(minutes=TOKEN_MINUTES) < self.world.clock.now():
            return False
        if text != _fingerprint(call):
            message = "A transaction with the same token has been used with different parameters"
            raise AwsError("IdempotentParameterMismatchException", message)
        return True

    def _remember(self, call: Call) -> None:
        token = call.params.get("ClientRequestToken")
        if token:
            self._tokens[call.account, token] = (self.world.clock.now(), _fingerprint(call))


class _Action:
    """One action of a transaction on one item."""

    def __init__(self, backend: Any, item: dict[str, Any]) -> None:
        if len(item) != 1:
            message = "TransactItems can only contain one of Check, Put, Update or Delete"
            raise AwsError("ValidationException", message)
        self.kind, self.request = next(iter(item.items()))
        self.backend = backend
        self.table_name = _table_name(self.request["TableName"])
        if self.table_name not in backend.tables:
            raise AwsError("ResourceNotFoundException", "Requested resource not found")
        self.table = backend.get_table(self.table_name)
        names = [name for name in (self.table.hash_key_attr, self.table.range_key_attr) if name]
        source = self.request["Item"] if self.kind == "Put" else self.request["Key"]
        if any(name not in source for name in names):
            raise AwsError("ValidationException", "The provided key element does not match the schema")
        self.key = {name: source[name] for name in names}
        self.identity = (self.table_name, json.dumps(self.key, sort_keys=True, default=str))

    def current(self) -> Any:
        """Return the item as it is."""
        return self.backend.get_item(self.table_name, self.key)

    def reason(self) -> dict[str, Any]:
        """Evaluate the condition; return a cancellation reason, code `None` when it holds."""
        from moto.dynamodb.comparisons import get_filter_expression

        expression = self.request.get("ConditionExpression")
        if expression is None:
            return {"Code": "None"}
        item = self.current()
        condition = get_filter_expression(
            expression,
            self.request.get("ExpressionAttributeNames"),
            self.request.get("ExpressionAttributeValues"),
        )
        if condition.expr(item):
            return {"Code": "None"}
        failed: dict[str, Any] = {"Code": CONDITION_FAILED, "Message": "The conditional request failed"}
        if item is not None and self.request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD":
            failed["Item"] = item.to_json()["Attributes"]
        return failed

    def carry_out(self) -> None:
        """Make the change; the conditions were evaluated before."""
        names = self.request.get("ExpressionAttributeNames")
        values = self.request.get("ExpressionAttributeValues")
        if self.kind == "Put":
            self.backend.put_item(self.table_name, self.request["Item"])
        elif self.kind == "Delete":
            self.backend.delete_item(self.table_name, self.key)
        elif self.kind == "Update":
            self.backend.update_item(
                self.table_name,
                self.key,
                update_expression=self.request["UpdateExpression"],
                condition_expression=None,
                expression_attribute_names=names,
                expression_attribute_values=values,
            )

    def restore(self, item: Any) -> None:
        """Put the item back as it was before the transaction."""
        if item is None:
            self.backend.delete_item(self.table_name, self.key)
        else:
            self.backend.put_item(self.table_name, item.to_json()["Attributes"])


def _cancelled(reasons: list[dict[str, Any]]) -> AwsError:
    codes = ", ".join(reason["Code"] for reason in reasons)
    message = f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]"
    return AwsError("TransactionCanceledException", message, CancellationReasons=reasons)


def _table_name(name_or_arn: str) -> str:
    return name_or_arn.rsplit("/", 1)[-1]


def _who(call: Call) -> tuple[str, str, Any, str]:
    return call.account, call.region, call.principal, call.request_id


def _fingerprint(call: Call) -> str:
    return json.dumps(call.params["TransactItems"], sort_keys=True, default=str)
