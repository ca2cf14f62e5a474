"""KMS: moto's keys, with replica keys that are keys of their own (moto shares one key's aliases and policy)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moto.kms import utils

from localaws.service import AwsError, Call, Reply, Service, operation

if TYPE_CHECKING:
    from localaws.world import World

MULTI_REGION_ID_CHARACTERS = 40
_read_blob = utils._deserialize_ciphertext_blob


def _make_room_for_multi_region_ids() -> None:
    """Let moto's ciphertexts name keys like mrk-<uuid>: its header cuts ids off after 36 characters."""
    utils.KEY_ID_LEN = MULTI_REGION_ID_CHARACTERS
    utils.HEADER_LEN = utils.KEY_ID_LEN + utils.IV_LEN + utils.TAG_LEN
    utils.CIPHERTEXT_HEADER_FORMAT = f">{utils.KEY_ID_LEN}s{utils.IV_LEN}s{utils.TAG_LEN}s"
    utils._deserialize_ciphertext_blob = _read_padded_blob


def _read_padded_blob(ciphertext_blob: bytes) -> Any:
    blob = _read_blob(ciphertext_blob)
    return blob._replace(key_id=blob.key_id.rstrip("\0"))


class KmsService(Service):
    """Multi-Region keys: a replica shares key material with its primary and nothing else."""

    name = "kms"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        _make_room_for_multi_region_ids()

    @operation("EnableKey")
    def enable_key(self, call: Call) -> Reply:
        """Enable a key, named by its id or ARN; moto takes the id only."""
        return self._by_id(call)

    @operation("DisableKey")
    def disable_key(self, call: Call) -> Reply:
        """Disable a key, named by its id or ARN; moto takes the id only."""
        return self._by_id(call)

    @operation("ScheduleKeyDeletion")
    def schedule_key_deletion(self, call: Call) -> Reply:
        """Schedule the deletion of a key, named by its id or ARN; moto takes the id only."""
        return self._by_id(call)

    @operation("CancelKeyDeletion")
    def cancel_key_deletion(self, call: Call) -> Reply:
        """Keep a key, named by its id or ARN; moto takes the id only."""
        return self._by_id(call)

    def _by_id(self, call: Call) -> Reply:
        return self.world.moto(call.with_params(KeyId=str(call.params["KeyId"]).rpartition("/")[2]))

    @operation("ReplicateKey")
    def replicate_key(self, call: Call) -> Reply:
        key_id = call.params["KeyId"].rsplit("/", 1)[-1]
        region = call.params["ReplicaRegion"]
        target = self.world.backend("kms", call.account, region)
        if key_id in target.keys:
            raise AwsError("AlreadyExistsException", f"Key {key_id} already exists in {region}")
        source = self.world.backend("kms", call.account, call.region).keys.get(key_id)
        if source is None:
            arn = f"arn:aws:kms:{call.region}:{call.account}:key/{key_id}"
            raise AwsError("NotFoundException", f"Key '{arn}' does not exist")
        if not source.multi_region:
            raise AwsError("UnsupportedOperationException", f"{source.arn} is not a multi-Region primary key.")
        self.world.moto(call.with_params(KeyId=key_id))
        replica = target.keys[key_id]
        replica.aliases, replica.grants, replica.rotations = {}, {}, []
        replica.description = call.params.get("Description", "")
        replica.policy = call.params.get("Policy") or replica.generate_default_policy()
        replica.multi_region_configuration = {
            **source.multi_region_configuration,
            "MultiRegionKeyType": "REPLICA",
        }
        if call.params.get("Tags"):
            target.tag_resource(key_id, call.params["Tags"])
        return {"ReplicaKeyMetadata": replica.to_dict()["KeyMetadata"], "ReplicaPolicy": replica.policy}
