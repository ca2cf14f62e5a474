"""Runs in which AWS tells, of one thing that a phase waits for, that it failed: how does the phase end then?

What AWS says is changed between the wire and the adapter's own models, so that it holds for every service, and whatever reads
the thing sees the same. A copy of the run (see `forks`) is told each value; the run itself goes on undisturbed.
"""

from __future__ import annotations

import gc
import os
import re
import typing
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from types import UnionType
from typing import Any

import botocore.session
import pytest
from botocore.model import ServiceModel
from pydantic import BaseModel

from adapters import registry
from localaws.dispatcher import model_loader
from orchestrator.ledger.records import Stage
from orchestrator.reducer import GOOD
from orchestrator.sessions import AwsReader
from orchestrator.words import Mode, Phase
from tests.contract.facts import Facts, Statuses
from tests.contract.forks import Copies, Failure
from tests.contract.matrix import Case, entries, facts
from tests.contract.rehearsal import LONGEST_JUMP_SECONDS, MAX_TICKS, Rehearsal, Stageplay
from tests.support.driver import open_world
from tests.support.shortcut import only_directly

UNHEARD_OF = "unheard-of"
"""A status that no documentation names."""
NAMED_LIKE_A_STATUS = re.compile(r"(status|statuscode|state|lifecycle|state\.name)$", re.IGNORECASE)
NAMED_LIKE_AN_ID = re.compile(r"(id|arn|name|identifier|uuid)$", re.IGNORECASE)
SOON_SECONDS = 5
LIVES_SECONDS = 900
"""A run makes many copies, and waits for each."""


@dataclass(frozen=True)
class Thing:
    """Something whose status is waited for: where it is told, and by which names it goes."""

    read: str
    account: str
    region: str
    names: tuple[str, ...]

    def is_named_by(self, seen: Thing) -> bool:
        """Say whether what is seen now is this thing: names are added to it while it comes into being."""
        return (self.read, self.account, self.region) == (seen.read, seen.account, seen.region) and set(
            self.names
        ) <= set(seen.names)


@dataclass(frozen=True)
class End:
    """How a phase ended in which `thing` was said to have the status `value`."""

    thing: Thing
    value: str
    phase: Phase
    outcome: str
    detail: str
    remedy: str


@dataclass
class Ear:
    """Hears, and in a copy changes, what AWS says to adapters of the statuses in `known`."""

    known: Mapping[str, Statuses]
    read: set[str] = field(default_factory=set)
    """Every status member that the adapter's models take in."""
    waited: dict[Thing, str] = field(default_factory=dict)
    """What was heard to be on its way since the list was last emptied, and what was said of it."""
    told: tuple[Thing, str] | None = None
    """In a copy: the thing that failed, and its status."""

    def hear(self, reader: AwsReader, model: type[BaseModel], raw: Any, service: str, operation: str) -> Any:
        """Return a reply as the adapter is to see it."""
        of = operation if _has_model(service) else model.__name__.lstrip("_")
        for path in members(model):
            read = f"{service}.{of} {path}"
            if _is_modelled(read):
                self.read.add(read)
            if read in self.known:
                raw = self._walked(raw, path.split("."), read, reader, {})
        return raw

    def _walked(self, at: Any, path: list[str], read: str, reader: AwsReader, around: Mapping[str, Any]) -> Any:
        """Return a reply's part with the status of what failed in it changed."""
        if isinstance(at, list):
            return [self._walked(each, path, read, reader, around) for each in at]
        if not isinstance(at, Mapping):
            return at
        name, rest = path[0].removesuffix("[]"), path[1:]
        if name not in at:
            return at
        around = {**around, **at}
        value = at[name] if rest else self._said(str(at[name]), read, reader, around)
        return {**at, name: self._walked(value, rest, read, reader, around) if rest else value}

    def _said(self, value: str, read: str, reader: AwsReader, around: Mapping[str, Any]) -> str:
        names = sorted(str(v) for k, v in around.items() if NAMED_LIKE_AN_ID.search(k) and isinstance(v, str))
        thing = Thing(read, reader.account, reader.region, tuple(names))
        if self.told is not None and self.told[0].is_named_by(thing):
            return self.told[1]
        if value in self.known[read].passing:
            self.waited.setdefault(thing, value)
        return value


@cache
def members(model: type[BaseModel]) -> frozenset[str]:
    """Return the paths of a model's members that are named like a status."""
    return frozenset(_members(model, ""))


def _members(annotation: Any, path: str) -> Iterator[str]:
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in {list, tuple}:
        yield from _members(inner[0], f"{path}[]")
    elif origin in {typing.Union, UnionType}:
        for each in inner:
            yield from _members(each, path)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, told in annotation.model_fields.items():
            yield from _members(told.annotation, f"{path}.{told.alias or name}".removeprefix("."))
    elif isinstance(annotation, type) and issubclass(annotation, str) and NAMED_LIKE_A_STATUS.search(path):
        yield path


class Failing(Rehearsal):
    """A run whose copies are told, of each thing it waits for, each way in which that can fail."""

    def __init__(self, play: Stageplay, case: Case, ear: Ear) -> None:
        super().__init__(play, case, crashes=False)
        self.ear = ear
        self.ends: list[End] = []
        self.broken: list[str] = []
        self._tried: set[tuple[str, str]] = set()
        self._places: Counter[str] = Counter()

    def _to_the_end(self, run_id: str, stage_id: str, action_id: str) -> None:
        stage = self.world.ledger.stage(run_id, stage_id)
        self._tried = set()
        for _ in range(MAX_TICKS):
            self.ear.waited = {}
            tick = self.platform.engine.advance(run_id, stage_id, action_id)
            if tick.done:
                return
            for thing in tuple(self.ear.waited):
                self._fail(thing, run_id, stage, action_id)
            if self.ear.told is not None:  # nothing is going to happen any more that counts
                self.world.clock.advance(LONGEST_JUMP_SECONDS)
            elif tick.wait_seconds <= SOON_SECONDS:  # look at once, while what was just asked for is on its way
                self.world.clock.advance(tick.wait_seconds)
            else:
                self._let_pass(tick.wait_seconds)
        raise AssertionError(f"{action_id} does not end: {self.world.ledger.action(run_id, action_id).steps}")

    def _fail(self, thing: Thing, run_id: str, stage: Stage, action_id: str) -> None:
        """Try failures of a thing once in a phase; of several things alike (a mount target per zone) one is enough."""
        if (thing.read, thing.region) in self._tried or self.copies.is_copy:
            return
        self._tried.add((thing.read, thing.region))

        def ends(values: Iterable[str]) -> list[End]:
            for value in values:
                label = f"{stage.phase} {thing.read} of {' '.join(thing.names)} in {thing.region} {value}"
                self.copies.run(label, lambda value=value: self._end_of(thing, value, run_id, stage, action_id))
            answers = self.copies.gather()
            self.broken += [f"{label}: {each}" for label, each in answers.items() if not isinstance(each, End)]
            return [each for each in answers.values() if isinstance(each, End)]

        def is_waited_for() -> bool:
            return any(each.outcome not in GOOD for each in ends([self.ear.waited[thing]]))

        found = ends([UNHEARD_OF])
        asked = any(each.outcome in GOOD for each in found)
        if asked and not is_waited_for():
            return  # the phase ends whatever becomes of it
        found += ends(self._in_turn(thing.read))
        # Things whose every failure ends the phase need not be asked: it costs a run up to the deadline.
        if asked or all(each.outcome not in GOOD for each in found) or is_waited_for():
            self.ends += found

    def _in_turn(self, read: str) -> list[str]:
        """Return every failure where the run first waits for such a thing, then one at each place, another each time.

        Which values count as failures stands in one table for all places; that a place looks at all, one value shows.
        """
        failed, before = list(self.ear.known[read].failed), self._places[read]
        self._places[read] += 1
        return [failed[before % len(failed)]] if before and failed else failed

    def _end_of(self, thing: Thing, value: str, run_id: str, stage: Stage, action_id: str) -> End:
        self.ear.told = (thing, value)
        self._to_the_end(run_id, stage.stage_id, action_id)
        action = self.world.ledger.action(run_id, action_id)
        return End(thing, value, stage.phase, str(action.outcome), action.detail, action.remedy)


@dataclass(frozen=True)
class Failures:
    """What was found of one strategy in one mode."""

    ends: tuple[End, ...]
    broken: tuple[str, ...]
    read: frozenset[str]


def of_strategy(key: str, strategy: str) -> list[Case]:
    """Return the runs of one strategy; the planned one deletes the old side at its end."""
    return [Case(key, strategy, mode, back=False, decommission=mode is Mode.PLANNED) for mode in Mode]


def failures(case: Case) -> Failures:
    """Return what was found of a case; fail the test when the run itself broke."""
    found = _failures(case.adapter, case.strategy)[case]
    if isinstance(found, Failure):
        pytest.fail(f"{case} broke:\n{found.trace}", pytrace=False)
    return found


@cache
def _failures(key: str, strategy: str) -> dict[Case, Any]:
    """Run one strategy from the same start in every mode."""
    told, me = facts(key), os.getpid()
    with pytest.MonkeyPatch.context() as patch:
        gc.collect()
        gc.freeze()
        world = open_world(patch, *entries(key, strategy), images=told.images)
        play, ear = Stageplay(world, registry.adapter(key)), Ear({each.read: each for each in told.statuses})
        parse = AwsReader._parse

        def heard(self: AwsReader, model: Any, raw: Any, service: str, operation: str) -> Any:
            return parse(self, model, ear.hear(self, model, raw, service, operation), service, operation)

        patch.setattr(AwsReader, "_parse", heard)
        try:
            copies = Copies(begin=partial(only_directly, world.local), lives_seconds=LIVES_SECONDS)
            cases = of_strategy(key, strategy)
            for case in cases:
                run = Failing(play, case, ear)
                copies.run(str(case), lambda run=run: _found(run))
            found = copies.gather()
        finally:
            if os.getpid() != me:
                os._exit(1)  # a copy that fell out of its story must not become a second test runner
            play.close()
    return {case: found[str(case)] for case in cases}


def _found(run: Failing) -> Failures:
    run.run()
    return Failures(tuple(run.ends), tuple(run.broken), frozenset(run.ear.read))


def documented(read: str) -> frozenset[str]:
    """Return the values that AWS's service model names for a status; empty where it names none, or there is no model."""
    shape = _shape(read)
    return frozenset(shape.enum if shape else ())


@cache
def _is_modelled(read: str) -> bool:
    """Say whether AWS has the member at all: several kinds of a thing may share one class of the adapter's models."""
    return not _has_model(read.partition(".")[0]) or _shape(read) is not None


@cache
def _has_model(service: str) -> bool:
    """Say whether AWS publishes a model of a service: the interfaces inside a VPC have none."""
    return service in botocore.session.Session().get_available_services()


@cache
def _model(service: str) -> ServiceModel:
    """Return a service's model, from what the world has loaded before it was copied."""
    return ServiceModel(model_loader().load_service_model(service, "service-2"), service)


def _shape(read: str) -> Any:
    operation, _, path = read.partition(" ")
    service, _, name = operation.partition(".")
    if not _has_model(service):
        return None
    shape: Any = _model(service).operation_model(name).output_shape
    for part in path.split("."):
        shape = shape.members.get(part.removesuffix("[]"))
        if shape is None:
            return None
        shape = shape.member if part.endswith("[]") else shape
    return shape


def known(told: Facts) -> frozenset[str]:
    """Return every status that a technology's facts tell of."""
    return frozenset(each.read for each in told.statuses) | frozenset(told.judged)
