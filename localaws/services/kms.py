"""KMS: moto's keys, with replica keys that are keys of their own (moto shares one key's aliases and policy)."""

from __future__ import annotations

from localaws.service import AwsError, Call, Reply, Service, operation


class KmsService(Service):
    """Multi-Region keys: a replica shares key material with its primary and nothing else."""

    name = "kms"

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
