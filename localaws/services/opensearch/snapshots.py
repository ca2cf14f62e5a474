"""Snapshot repositories of a domain: `/_snapshot/...`. Snapshots lie in the bucket, so they travel with it.

Besides the registered repositories each domain has the one that the service itself fills every hour: `cs-automated-enc`,
or `cs-automated` where the domain is not encrypted at rest. Nobody may write to it or remove anything from it. Its
snapshots are kept for 14 days in AWS; here the last ones are, made when somebody looks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from localaws import authorization
from localaws.service import Principal
from localaws.services.opensearch.errors import Refusal, illegal
from localaws.services.opensearch.peers import OpenSearchPeers
from localaws.services.opensearch.replication import ACKNOWLEDGED
from localaws.services.opensearch.state import Index, Place, Repository, Seconds, Taking

SUCCESS = "SUCCESS"
AUTOMATED = "cs-automated"
HOURS_KEPT = 3


class OpenSearchSnapshots(OpenSearchPeers):
    """Requests about repositories and snapshots, each answered with its JSON reply."""

    def add_repository(
        self, place: Place, name: str, body: Mapping[str, Any], principal: Principal
    ) -> Mapping[str, Any]:
        """Register a repository: type s3, bucket, role_arn, which the caller must be allowed to pass (iam:PassRole)."""
        settings = dict(body.get("settings") or {})
        if body.get("type") != "s3" or not settings.get("bucket") or not settings.get("role_arn"):
            raise Refusal(500, "repository_exception", f"[{name}] needs type s3 and settings bucket, region, role_arn")
        authorization.of(self.world).check(
            principal,
            "opensearch",
            "iam:PassRole",
            settings["role_arn"],
            place.region,
            {"iam:PassedToService": "es.amazonaws.com"},
        )
        bucket = self.bucket(place.account, settings["bucket"])
        if bucket is None or bucket.region_name != place.region:
            reason = f"[{name}] bucket {settings['bucket']} is not accessible in {place.region}"
            raise Refusal(500, "repository_verification_exception", reason)
        base = str(settings.get("base_path", "")).strip("/")
        self.state(place).repositories[name] = Repository(name, settings["bucket"], base, settings)
        return ACKNOWLEDGED

    def repositories(self, place: Place, name: str | None = None) -> Mapping[str, Any]:
        """Describe one repository or all."""
        automated = self._automated(place)
        known = {automated.name: automated, **self.state(place).repositories}
        found = known if name is None else {name: self._repository(place, name)}
        return {key: {"type": "s3", "settings": one.settings} for key, one in found.items()}

    def create_snapshot(self, place: Place, repository: str, name: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Start a snapshot of the chosen indices (default: all)."""
        one = self._writable(place, repository)
        if self._stored(place, one, name) or any(taking.name == name for taking in self.state(place).taking):
            reason = f"[{repository}:{name}] Invalid snapshot name [{name}], snapshot with the same name already exists"
            raise Refusal(400, "invalid_snapshot_name_exception", reason)
        chosen = [index for index in self.indices(place) if _is_chosen(index.name, body.get("indices"))]
        content = {index.name: index.checkpoint for index in chosen}
        taking = Taking(repository, name, content, self.world.clock.now())
        self.state(place).taking.append(taking)

        def taken() -> None:
            self.state(place).taking.remove(taking)
            self._write(place, one, taking, self.world.clock.now())

        def failed() -> None:
            taking.failed = True

        self.later("opensearch.create-snapshot", f"{place.arn}/{name}", Seconds.SNAPSHOT, taken, failed)
        return {"accepted": True}

    def snapshots(self, place: Place, repository: str, name: str) -> Mapping[str, Any]:
        """Describe a snapshot or, with `_all`, every snapshot of a repository."""
        one = self._repository(place, repository)
        found = [
            _shown(
                taking.name,
                "FAILED" if taking.failed else "IN_PROGRESS",
                taking.indices,
                taking.started.isoformat(),
                "",
            )
            for taking in self.state(place).taking
            if taking.repository == repository
        ]
        found += [
            _shown(each["name"], SUCCESS, each["indices"], each["started"], each["ended"])
            for each in self._all(place, one)
        ]
        if name not in ("_all", "*"):
            found = [each for each in found if each["snapshot"] == name]
            if not found:
                raise _missing(repository, name)
        return {"snapshots": sorted(found, key=lambda each: str(each["start_time"]))}

    def delete_snapshot(self, place: Place, repository: str, name: str) -> Mapping[str, Any]:
        """Delete a snapshot; its object disappears from the bucket."""
        one = self._writable(place, repository)
        if not self._stored(place, one, name):
            raise _missing(repository, name)
        where = (place.account, place.region)
        self.world.call("s3", "DeleteObject", *where, Bucket=one.bucket, Key=_key(one, name))
        return ACKNOWLEDGED

    def restore_snapshot(self, place: Place, repository: str, name: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Restore indices, under other names when `rename_pattern` and `rename_replacement` say so."""
        content = self._stored(place, self._repository(place, repository), name)
        if content is None:
            reason = f"[{repository}:{name}] snapshot does not exist"
            raise Refusal(500, "snapshot_restore_exception", reason)
        chosen = {key: value for key, value in content["indices"].items() if _is_chosen(key, body.get("indices"))}
        wanted = {_renamed(key, body): value for key, value in chosen.items()}
        for key in wanted:
            if key in self.state(place).indices:
                reason = (
                    f"[{repository}:{name}] cannot restore index [{key}] because an open index with same name "
                    "already exists in the cluster."
                )
                raise Refusal(500, "snapshot_restore_exception", reason)
        for key, checkpoint in wanted.items():
            self._restore(place, self.add_index(place, key, float(checkpoint)), name)
        return {"accepted": True}

    def _restore(self, place: Place, index: Index, snapshot: str) -> None:
        index.recovering_from = snapshot

        def restored() -> None:
            index.recovering_from = None
            index.settings["restored_from"] = snapshot

        def failed() -> None:
            self.state(place).indices.pop(index.name, None)

        self.later("opensearch.restore-snapshot", f"{place.arn}/{index.name}", Seconds.RESTORE, restored, failed)

    # --- the bucket

    def _automated(self, place: Place) -> Repository:
        encrypted = (self.domain(place).encryption_at_rest_options or {}).get("Enabled")
        return Repository(f"{AUTOMATED}-enc" if encrypted else AUTOMATED, "", "", {"readonly": "true"})

    def _hourly(self, place: Place) -> list[dict[str, Any]]:
        """Return what the service itself snapshots: at every full hour all indices, as they were then."""
        now, clock = self.world.clock.now(), self.world.clock
        hour, taken_in = (timedelta(seconds=clock.clock_seconds(each)) for each in (3600, Seconds.SNAPSHOT))
        last = now - (now - datetime.fromtimestamp(0, UTC)) % hour
        hours = [last - hour * back for back in reversed(range(HOURS_KEPT))]
        return [
            {
                "name": f"{at:%Y-%m-%dt%H-%M-%S}.automated",
                "indices": {index.name: index.at(at, clock.aws_seconds(1)) for index in self._held_at(place, at)},
                "started": at.isoformat(),
                "ended": (at + taken_in).isoformat(),
            }
            for at in hours
            if at + taken_in <= now
        ]

    def _held_at(self, place: Place, moment: datetime) -> Iterator[Index]:
        """Return the indices that were there at a moment, those that were deleted since included."""
        yield from (index for index, until in self.state(place).dropped if index.made_at <= moment < until)
        yield from (index for index in self.indices(place) if index.made_at <= moment)

    def _writable(self, place: Place, name: str) -> Repository:
        one = self._repository(place, name)
        if str(one.settings.get("readonly", "")).lower() == "true":
            raise Refusal(500, "repository_exception", f"[{name}] cannot change a readonly repository")
        return one

    def _repository(self, place: Place, name: str) -> Repository:
        automated = self._automated(place)
        found = automated if name == automated.name else self.state(place).repositories.get(name)
        if found is None:
            raise Refusal(404, "repository_missing_exception", f"[{name}] missing")
        return found

    def _write(self, place: Place, one: Repository, taking: Taking, ended: datetime) -> None:
        times = {"started": taking.started.isoformat(), "ended": ended.isoformat()}
        content = {"name": taking.name, "indices": taking.indices, **times}
        where = (place.account, place.region)
        body = json.dumps(content).encode()
        self.world.call("s3", "PutObject", *where, Bucket=one.bucket, Key=_key(one, taking.name), Body=body)

    def _all(self, place: Place, one: Repository) -> list[dict[str, Any]]:
        if not one.bucket:
            return self._hourly(place)
        bucket = self.bucket(place.account, one.bucket)
        prefix = _key(one, "").removesuffix(".dat")
        keys = [] if bucket is None else [key for key in list(bucket.keys) if key.startswith(prefix)]
        found = [bucket.keys[key] for key in keys] if bucket is not None else []
        return [json.loads(each.value) for each in found if hasattr(each, "value")]

    def _stored(self, place: Place, one: Repository, name: str) -> dict[str, Any] | None:
        return next((each for each in self._all(place, one) if each["name"] == name), None)


def _key(one: Repository, name: str) -> str:
    return f"{one.base_path}/snap-{name}.dat" if one.base_path else f"snap-{name}.dat"


def _missing(repository: str, name: str) -> Refusal:
    return Refusal(404, "snapshot_missing_exception", f"[{repository}:{name}] is missing")


def _shown(name: str, state: str, indices: Mapping[str, Any], started: str, ended: str) -> dict[str, Any]:
    return {
        "snapshot": name,
        "uuid": name,
        "state": state,
        "indices": sorted(indices),
        "start_time": started,
        "end_time": ended or "1970-01-01T00:00:00+00:00",
        "failures": [],
        "shards": {"total": len(indices), "failed": 0, "successful": len(indices) if state == SUCCESS else 0},
    }


def _is_chosen(name: str, patterns: Any) -> bool:
    """Tell whether an index is meant by a comma-separated list, where `-` excludes; system indices only by name."""
    if not patterns:
        return not name.startswith(".")
    chosen = False
    for pattern in patterns.split(",") if isinstance(patterns, str) else patterns:
        if pattern.startswith("-") and fnmatchcase(name, pattern[1:]):
            chosen = False
        elif fnmatchcase(name, "*" if pattern == "_all" else pattern):
            chosen = True
    return chosen


def _renamed(name: str, body: Mapping[str, Any]) -> str:
    pattern, replacement = body.get("rename_pattern"), body.get("rename_replacement")
    if pattern is None or replacement is None:
        return name
    try:
        return re.sub(pattern, re.sub(r"\$(\d)", r"\\\1", replacement), name)
    except re.error as error:
        raise illegal(f"rename_pattern {pattern}: {error}") from error
