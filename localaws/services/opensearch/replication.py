"""The cross-cluster replication plugin of a domain: `/_plugins/_replication/...`.

An outage of the leader's Region leaves followers SYNCING with what they have; `_stop` needs no leader.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from localaws.services.opensearch.errors import Refusal, illegal
from localaws.services.opensearch.indices import OpenSearchIndices
from localaws.services.opensearch.state import (
    Connection,
    Follow,
    Index,
    Place,
    Processing,
    Rule,
    Seconds,
    Sync,
)

ROLES = ("leader_cluster_role", "follower_cluster_role")
ACKNOWLEDGED: Mapping[str, Any] = {"acknowledged": True}


class OpenSearchReplication(OpenSearchIndices):
    """Requests to the plugin, each answered with its JSON reply."""

    def start_replication(self, place: Place, name: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Follow an index of a connected leader: `BOOTSTRAPPING`, then `SYNCING`."""
        self._require_ready(place, body)
        link = self._require_link(place, body)
        if name in self.state(place).indices:
            raise Refusal(
                400,
                "resource_already_exists_exception",
                f"Cant use same index again for replication. Delete the index:{name}",
            )
        self.follow(place, name, link, str(body.get("leader_index", "")))
        return ACKNOWLEDGED

    def follow(self, place: Place, name: str, link: Connection, leader_index: str, reason: str = "") -> Index:
        """Create a follower index and copy the leader's content into it."""
        leader_domain = self.state(link.remote)
        if leader_index not in leader_domain.indices:
            raise Refusal(404, "index_not_found_exception", f"no such index [{link.alias}:{leader_index}]")
        if leader_domain.indices[leader_index].follow is not None:
            raise illegal(f"Cannot Replicate a Replicated Index {leader_index}")
        index = self.add_index(place, name)
        index.follow = Follow(link.remote.arn, leader_index, link.alias, reason=reason or "User initiated")
        self.bootstrap(place, index)
        return index

    def bootstrap(self, place: Place, index: Index) -> None:
        """Copy the leader's content, then keep up with it; a failed copy is auto-paused."""
        follow = index.follow
        assert follow is not None

        def copied() -> None:
            if index.follow is not follow:
                return
            leader = self.leader_of(follow)
            follow.status = Sync.SYNCING
            if leader is not None:
                index.writes_per_second = leader.writes_per_second
                index.shards = leader.shards
                index.checkpoint = max(0.0, leader.checkpoint - self.lag_of(place, leader))
            self.settle(place, index)

        def failed() -> None:
            if index.follow is follow:
                self.pause(index, "AutoPaused: Unable to restore the leader index")

        self.later("opensearch.bootstrap-follower", f"{place.arn}/{index.name}", Seconds.BOOTSTRAP, copied, failed)

    def stop_replication(self, place: Place, name: str) -> Mapping[str, Any]:
        """End replication: the follower becomes a writable index. It cannot be taken back."""
        index = self._follower(place, name)
        self.stop_following(place, index)
        return ACKNOWLEDGED

    def pause_replication(self, place: Place, name: str) -> Mapping[str, Any]:
        """Pause replication of a follower."""
        index = self._follower(place, name)
        assert index.follow is not None
        if index.follow.status is Sync.PAUSED:
            raise illegal(f"Index {name} is already paused")
        self.pause(index, "User initiated")
        return ACKNOWLEDGED

    def resume_replication(self, place: Place, name: str) -> Mapping[str, Any]:
        """Resume a paused follower, within twelve hours."""
        index = self._follower(place, name)
        follow = index.follow
        assert follow is not None
        if follow.status is not Sync.PAUSED or follow.paused_at is None:
            raise illegal(f"Replication on Index {name} is already running")
        if self.aws_seconds_between(follow.paused_at, self.world.clock.now()) > Seconds.PAUSE_LIMIT:
            reason = f"Retention lease doesn't exist. Replication can't be resumed for {name}"
            raise Refusal(404, "resource_not_found_exception", reason)
        follow.status, follow.reason, follow.paused_at = Sync.SYNCING, "User initiated", None
        self.settle(place, index)
        return ACKNOWLEDGED

    def replication_status(self, place: Place, name: str) -> Mapping[str, Any]:
        """Return a follower's status and checkpoints; an index that follows nothing is not in progress."""
        if name not in self.state(place).indices:
            return {"status": str(Sync.NONE)}
        index = self.index(place, name)
        follow = index.follow
        if follow is None or follow.managed:
            return {"status": str(Sync.NONE)}
        shown: dict[str, Any] = {
            "status": str(follow.status),
            "reason": follow.reason,
            "leader_alias": follow.alias,
            "leader_index": follow.leader_index,
            "follower_index": name,
        }
        if follow.status is Sync.SYNCING:
            shown["syncing_details"] = {
                "leader_checkpoint": int(follow.leader_checkpoint),
                "follower_checkpoint": int(index.checkpoint),
                "seq_no": int(index.checkpoint) + 1,
            }
        elif follow.status is Sync.BOOTSTRAPPING:
            shown["bootstrap_details"] = {"bytes_total": 1024, "bytes_percent": 40.0, "files_total": 10}
        return shown

    # --- autofollow

    def add_rule(self, place: Place, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Follow the leader's indices that match a pattern, those of the future, too."""
        self._require_ready(place, body)
        link = self._require_link(place, body)
        rule = Rule(str(body.get("name", "")), link.alias, str(body.get("pattern", "")))
        if not rule.name or not rule.pattern:
            raise illegal("Mandatory params [name, pattern] are missing for autofollow")
        self.state(place).rules[rule.name] = rule
        self._look_for_indices(place, rule)
        return ACKNOWLEDGED

    def remove_rule(self, place: Place, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Follow no further indices; those that are followed stay so."""
        name = str(body.get("name", ""))
        rule = self.state(place).rules.get(name)
        if rule is None or rule.alias != body.get("leader_alias"):
            what = f"autofollow rule {name} of {body.get('leader_alias')}"
            raise Refusal(404, "resource_not_found_exception", f"Metadata for {what} doesn't exist")
        del self.state(place).rules[name]
        return ACKNOWLEDGED

    def rules(self, place: Place) -> Mapping[str, Any]:
        """List the autofollow rules."""
        found = [{"name": one.name, "pattern": one.pattern} for one in self.state(place).rules.values()]
        return {"autofollow_stats": found}

    def _look_for_indices(self, place: Place, rule: Rule) -> None:
        if not self.exists_domain(place) or self.state(place).rules.get(rule.name) is not rule:
            return
        link = self.connection(place, rule.alias)
        down = self.region_is_down(place.region) or (link is not None and self.region_is_down(link.remote.region))
        if link is not None and not down and self.exists_domain(link.remote):
            for name, leader in list(self.state(link.remote).indices.items()):
                known = name in self.state(place).indices
                if not known and leader.follow is None and fnmatchcase(name, rule.pattern):
                    self.follow(place, name, link, name, reason="autofollow")
        self.world.clock.after(Seconds.AUTOFOLLOW_POLL, lambda: self._look_for_indices(place, rule))

    # --- preconditions

    def _follower(self, place: Place, name: str) -> Index:
        if name in self.state(place).indices:
            index = self.index(place, name)
            if index.follow is not None and not index.follow.managed:
                return index
        raise illegal(f"No replication in progress for index:{name}")

    def _require_ready(self, place: Place, body: Mapping[str, Any]) -> None:
        """Refuse without the prerequisites: node-to-node encryption, and roles where access control is on."""
        domain = self.domain(place)
        if self.state(place).status == Processing.CREATING:
            raise Refusal(503, "cluster_manager_not_discovered_exception", "the domain is being created")
        if not domain.node_to_node_encryption_options.get("Enabled"):
            raise illegal("Cross-cluster replication needs node-to-node encryption")
        guarded = domain.advanced_security_options.get("Enabled")
        given = body.get("use_roles") or {}
        if guarded and not all(given.get(role) for role in ROLES):
            raise illegal(f"Need roles for {' and '.join(ROLES)}")

    def _require_link(self, place: Place, body: Mapping[str, Any]) -> Connection:
        alias = str(body.get("leader_alias", ""))
        link = self.connection(place, alias)
        if link is None or self.region_is_down(link.remote.region):
            raise Refusal(404, "no_such_remote_cluster_exception", f"no such remote cluster: [{alias}]")
        if self.domain(link.remote).engine_version.options < self.domain(place).engine_version.options:
            raise illegal("The follower must not run a newer version than its leader")
        if not _allows_reading(self.domain(link.remote).access_policies):
            raise Refusal(
                403,
                "security_exception",
                f"no permissions for [es:ESCrossClusterGet] on {link.remote.arn}: its access policy must allow it",
            )
        return link


def _allows_reading(policy: str) -> bool:
    """Tell whether a leader's access policy allows es:ESCrossClusterGet."""
    statements = json.loads(policy).get("Statement", []) if policy else []
    statements = [statements] if isinstance(statements, dict) else statements
    for one in statements:
        actions = one.get("Action", [])
        actions = [actions] if isinstance(actions, str) else actions
        if one.get("Effect") == "Allow" and any(fnmatchcase("es:ESCrossClusterGet", action) for action in actions):
            return True
    return False
