"""The fence of an EFS file system: a statement in its policy that lets no client in, its tag that says since when.

A file system always has a policy, if only the default one; the statement `DrFence` is added to it and taken out again, so
nothing else need be remembered. Policy changes take minutes, and AWS does not say what becomes of open NFS connections, so
clients must be seen not to write (CloudWatch, DataWriteIOBytes) before anything is believed of the moment of the fence.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from adapters.efs.spec import (
    CLIENT_ACTIONS,
    DRAINED,
    FAILED_LIFE,
    FENCE_SID,
    FENCED_TAG,
    POLICY_SECONDS,
    QUIET_BOUND_SECONDS,
)
from adapters.efs.view_sides import EfsSide, last_write, statements
from adapters.reading import Datapoint, tag_list
from orchestrator.contract import Call, Later, Param, RunContext, Step, blocked, busy, done, failed, todo
from orchestrator.words import Effect, Side

POLICY_LIMIT = 20_000


def fence(side: EfsSide, run: RunContext) -> list[Step]:
    """Return the steps that let no client into the source side, and note since when."""
    if side.fs is None:
        return [done("fence", f"there is no file system {side.place.id} to be fenced", effect=Effect.REVERSIBLE)]
    return [_close(side), _note(side, run)]


def _close(side: EfsSide) -> Step:
    name, policy = "fence", closed(side.policy)
    call = Call("efs", "PutFileSystemPolicy", {"FileSystemId": side.id, "Policy": policy}, Side.SOURCE)
    if side.closed:
        return done(name, f"the policy of {side.id} lets no client in", effect=Effect.REVERSIBLE)
    if len(policy) > POLICY_LIMIT:
        why = f"the policy of {side.id} would have {len(policy)} characters, at most {POLICY_LIMIT} are allowed"
        return blocked(name, why, "shorten it: aws efs put-file-system-policy, then retry.", call=call)
    return when_available(name, side, call, f"the policy of {side.id} lets clients in")


def _note(side: EfsSide, run: RunContext) -> Step:
    name = "note-fence"
    if side.fenced_at is not None:
        return done(name, f"fenced since {side.fenced_at:%H:%M:%S} UTC", effect=Effect.REVERSIBLE)
    call = tag(side, {FENCED_TAG: run.now.isoformat(timespec="seconds")}, Side.SOURCE)
    return todo(name, call, Effect.REVERSIBLE, f"{side.id} does not say since when it is fenced")


def note_drained(side: EfsSide, until: datetime | None, *, needed: bool) -> Step:
    """Return the step that notes on the fenced side that the other side holds everything, so that any later run knows."""
    name = "note-drained"
    if not needed or side.drained_to is not None:
        return done(name, f"{side.id} is noted as drained" if side.drained_to else "nothing to note")
    since = side.fenced_at.isoformat(timespec="seconds") if side.fenced_at else None
    value: Param = f"{since} {DRAINED} {until.isoformat(timespec='seconds')}" if since and until else Later("last sync")
    params: dict[str, Param] = {"ResourceId": side.id, "Tags": [{"Key": FENCED_TAG, "Value": value}]}
    call = Call("efs", "TagResource", params, Side.SOURCE)
    return todo(name, call, Effect.REVERSIBLE, f"{side.id} is not noted as drained yet")


def quiet(side: EfsSide, writes: Sequence[Datapoint], run: RunContext, *, already: bool = False) -> Step:
    """Return the wait until the fence holds and clients are seen not to write."""
    name, silent = "quiet", side.silent_from(writes)
    if already or side.fs is None:
        return done(name, f"nobody depends on {side.id} any more")
    if silent is None or side.fenced_at is None:
        return busy(name, f"{side.id} is not fenced yet")
    settled = silent + timedelta(seconds=POLICY_SECONDS)
    if run.now >= settled:
        return done(name, f"clients wrote nothing to {side.id} since {silent:%H:%M:%S} UTC")
    shown = f"clients may have written to {side.id} until {silent:%H:%M:%S} UTC, expected five silent minutes"
    return still_writing(name, side, writes, run) or busy(name, shown)


def still_writing(name: str, side: EfsSide, writes: Sequence[Datapoint], run: RunContext) -> Step | None:
    """Return the step that asks a person to stop the clients, when they have written behind the fence for too long."""
    last = last_write(writes)
    if last is None or side.fenced_at is None or (run.now - last).total_seconds() > 2 * POLICY_SECONDS:
        return None
    waited = (run.now - max(side.fenced_at, run.started_at)).total_seconds()
    if waited <= QUIET_BOUND_SECONDS:
        return None
    why = f"clients still write to {side.id}: last at {last:%H:%M} UTC, {waited / 60:.0f} min after it was fenced"
    return blocked(name, why, "unmount it or stop its clients (scale them to zero), then retry.")


def reopen(side: EfsSide, at: Side, name: str, *, keys: tuple[str, ...] = (FENCED_TAG,)) -> list[Step]:
    """Return the steps that give a file system back to its clients: the note first, so that a half-open one is never trusted.

    `keys` are the tags of the platform that go.
    """
    if side.fs is None:
        return [done(name, f"there is no file system {side.place.id}", effect=Effect.REVERSIBLE)]
    carried = [key for key in keys if key in side.fs.tags]
    forget = Call("efs", "UntagResource", {"ResourceId": side.id, "TagKeys": list(keys)}, at)
    noted = (
        todo(f"{name}-note", forget, Effect.REVERSIBLE, f"{side.id} carries {' '.join(carried)}")
        if carried
        else done(f"{name}-note", f"{side.id} carries no {' '.join(keys)}", effect=Effect.REVERSIBLE)
    )
    if not side.closed:
        return [noted, done(name, f"clients are let into {side.id}", effect=Effect.REVERSIBLE)]
    policy = opened(side.policy)
    call = (
        Call("efs", "PutFileSystemPolicy", {"FileSystemId": side.id, "Policy": policy}, at)
        if policy
        else Call("efs", "DeleteFileSystemPolicy", {"FileSystemId": side.id}, at)
    )
    return [noted, when_available(name, side, call, f"the policy of {side.id} lets no client in")]


def closed(policy: str | None) -> str:
    """Return a policy with the fence in it."""
    kept: dict[str, Any] = json.loads(policy) if policy else {"Version": "2012-10-17"}
    denied = {"Sid": FENCE_SID, "Effect": "Deny", "Principal": {"AWS": "*"}, "Action": list(CLIENT_ACTIONS)}
    return json.dumps({**kept, "Statement": [*_own(policy), denied]})


def opened(policy: str | None) -> str | None:
    """Return a policy without the fence, or None when nothing but the default is left of it."""
    own = _own(policy)
    if policy is None or not own:
        return None
    return json.dumps({**json.loads(policy), "Statement": own})


def _own(policy: str | None) -> list[dict[str, Any]]:
    return [each for each in statements(policy) if each.get("Sid") != FENCE_SID]


def tag(side: EfsSide, tags: dict[str, str], at: Side) -> Call:
    """Return the call that tags a side's file system."""
    return Call("efs", "TagResource", {"ResourceId": side.id, "Tags": tag_list(tags)}, at)


def when_available(name: str, side: EfsSide, call: Call, why: str, effect: Effect = Effect.REVERSIBLE) -> Step:
    """Return the step that changes a file system as soon as that is available."""
    life = side.fs.LifeCycleState if side.fs else "not there"
    if life == "available":
        return todo(name, call, effect, why)
    shown = f"{side.id} is {life}, expected available"
    if life in FAILED_LIFE or side.fs is None:
        return failed(name, shown, "look at it in the console; restore it from a recovery point if it is lost.")
    return busy(name, shown, effect=effect, call=call)
