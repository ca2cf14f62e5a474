"""What is read of a Lambda function on both sides, and what the target side must be like."""

from __future__ import annotations

from collections.abc import Mapping as Map
from dataclasses import dataclass

from pydantic import JsonValue

from adapters.lambda_.models import (
    AccountLimit,
    AccountSettings,
    Alias,
    Aliases,
    Configuration,
    Function,
    Mapping,
    Mappings,
    ObjectHead,
    Provisioned,
    ProvisionedList,
    Reserved,
    Versions,
)
from adapters.lambda_.spec import ARTIFACT, DEPLOY, NAME_LIMIT, NOT_FOUND, OBJECT_MISSING, SAVED_CAPACITY
from adapters.lambda_.view_needs import lacks
from adapters.lambda_.view_recipe import LATEST, NEXT, Build, Recipe
from adapters.lambda_.view_scaling import Provisioner, provisioners
from adapters.needed import Lack
from adapters.reading import drill_name, wrong_image
from orchestrator.contract import Clients, Member, Place, Reader, RunContext, Target
from orchestrator.words import Mode, Phase, Side


@dataclass(frozen=True)
class LambdaSide:
    """One side of the function. `function` is None when it is not there or may not be reached."""

    place: Place
    function: Function | None = None
    reserved: int | None = None
    aliases: tuple[Alias, ...] = ()
    versions: tuple[Configuration, ...] = ()
    """The published ones."""
    mappings: tuple[Mapping, ...] = ()
    provisioned: tuple[Provisioned, ...] = ()
    newest: Configuration | None = None
    """The newest published version with its state, which lists of versions do not tell."""

    @property
    def name(self) -> str:
        """Return the function's name."""
        return self.place.id

    def alias(self, name: str) -> Alias | None:
        """Return the alias called `name`."""
        return next((each for each in self.aliases if each.Name == name), None)

    def build_at(self, version: str) -> Build | None:
        """Return what runs behind a version."""
        if version == LATEST:
            return self.function.Configuration.build if self.function else None
        return next((each.build for each in self.versions if each.Version == version), None)

    def version_of(self, build: Build) -> str | None:
        """Return the newest version that runs `build`."""
        return max((each.Version for each in self.versions if each.build == build), key=number_of, default=None)

    def version_with_code(self, build: Build) -> str | None:
        """Return the newest version with the same code, whatever its settings."""
        found = (each.Version for each in self.versions if each.CodeSha256 == build.sha)
        return max(found, key=number_of, default=None)


@dataclass(frozen=True)
class LambdaView:
    """Both sides of a function."""

    member: Member
    strategy: str
    source: LambdaSide
    target: LambdaSide
    limit: AccountLimit | None = None
    """The target side's concurrency; read before something is changed."""
    artifact_problem: str = ""
    """What is wrong with the code's object in the target Region, as a sentence; looked for when it is needed."""
    copy: Function | None = None
    """The function a drill has made."""
    lacks: tuple[Lack, ...] = ()
    """What the target side's function needs and is not there as it must be; read when the run is planned."""
    provisioners: tuple[Provisioner, ...] = ()
    """What manages provisioned concurrency on either side; read when the run is planned, but for drills."""

    @property
    def creates(self) -> bool:
        """Say whether a missing function is made."""
        return self.strategy == DEPLOY


def number_of(version: str) -> float:
    """Return a version's place in the order of publication."""
    return float("inf") if version == NEXT else float(version)


def look(target: Target, aws: Clients, run: RunContext) -> LambdaView:
    """Read the function on the sides that can be reached; limits and the artifact only before the first change."""
    member, reader = target.only, aws.at(Side.TARGET)
    there = LambdaSide(member.source)
    if aws.reaches(Side.SOURCE):
        there = look_at(aws.at(Side.SOURCE), member.source)
    view = LambdaView(member, target.strategy, there, look_at(reader, member.target))
    forward = run.phase in {Phase.INSTANTIATE, Phase.ACTIVATE}
    copy = None
    if run.mode is Mode.DRILL:
        name = drill_name(run, member.target.id, NAME_LIMIT)
        copy = reader.find("lambda", "GetFunction", Function, missing=NOT_FOUND, FunctionName=name)
    needs_code = run.mode is Mode.DRILL or _code(view.target) != _code_of(wanted(view))
    return LambdaView(
        member=member,
        strategy=target.strategy,
        source=there,
        target=view.target,
        limit=reader.read("lambda", "GetAccountSettings", AccountSettings).AccountLimit
        if forward and not run.called_at
        else None,
        artifact_problem=_artifact_problem(reader, member, wanted(view)) if forward and needs_code else "",
        copy=copy,
        lacks=tuple(_lacks(reader, view, run)) if forward and run.planning else (),
        provisioners=_provisioners(aws, view) if run.planning and run.mode is not Mode.DRILL else (),
    )


def _provisioners(aws: Clients, view: LambdaView) -> tuple[Provisioner, ...]:
    here = provisioners(aws.at(Side.TARGET), view.target.place, view.target.aliases)
    if not aws.reaches(Side.SOURCE):
        return here
    return (*provisioners(aws.at(Side.SOURCE), view.source.place, view.source.aliases), *here)


def _lacks(reader: Reader, view: LambdaView, run: RunContext) -> list[Lack]:
    """Read what the target side's function needs, or one that is to be made there."""
    told = view.member.settings.get(reader.region)
    config, left = told if isinstance(told, dict) else {}, view.member.source.region
    made = wanted(view).definition if view.creates else None
    return lacks(reader, view.target.function, made, config, left, run)


def look_at(reader: Reader, place: Place) -> LambdaSide:
    """Read one side."""
    function = reader.find("lambda", "GetFunction", Function, missing=NOT_FOUND, FunctionName=place.id)
    if function is None:
        return LambdaSide(place)
    which: dict[str, JsonValue] = {"FunctionName": place.id}
    pages = reader.pages("lambda", "ListVersionsByFunction", Versions, **which)
    versions = tuple(each for page in pages for each in page.Versions if each.Version != LATEST)
    newest = max((each.Version for each in versions), key=number_of, default=None)
    return LambdaSide(
        place=place,
        function=function,
        reserved=reader.read("lambda", "GetFunctionConcurrency", Reserved, **which).ReservedConcurrentExecutions,
        aliases=tuple(
            each for page in reader.pages("lambda", "ListAliases", Aliases, **which) for each in page.Aliases
        ),
        versions=versions,
        mappings=_mappings(reader, function.Configuration.FunctionArn),
        provisioned=tuple(
            each
            for page in reader.pages("lambda", "ListProvisionedConcurrencyConfigs", ProvisionedList, **which)
            for each in page.ProvisionedConcurrencyConfigs
        ),
        newest=reader.read("lambda", "GetFunction", Function, **which, Qualifier=newest).Configuration
        if newest
        else None,
    )


def _mappings(reader: Reader, function_arn: str) -> tuple[Mapping, ...]:
    """Return what calls the function or any alias and version of it: a listing by name leaves those out."""
    every = (
        each
        for page in reader.pages("lambda", "ListEventSourceMappings", Mappings)
        for each in page.EventSourceMappings
    )
    mine = (each for each in every if f"{each.FunctionArn}:".startswith(f"{function_arn}:"))
    return tuple(sorted(mine, key=lambda each: (each.key, each.UUID)))


def recipe_of(side: LambdaSide, *, with_definition: bool = False) -> Recipe:
    """Return what the other side must be like to do what this one does."""
    if side.function is None:
        return Recipe()
    aliases = {
        each.Name: {"version": each.FunctionVersion, "build": build}
        for each in side.aliases
        if (build := side.build_at(each.FunctionVersion))
    }
    return Recipe.model_validate(
        {
            "latest": side.function.Configuration.build,
            "aliases": aliases,
            "reserved": side.reserved,
            "provisioned": {
                each.qualifier: each.RequestedProvisionedConcurrentExecutions
                for each in side.provisioned
                if not each.qualifier.isdigit()  # version numbers differ from Region to Region
            },
            "consuming": sorted({each.key for each in side.mappings if each.on}),
            "mappings": sorted({each.key for each in side.mappings}),
            "definition": side.function.Configuration.model_dump(mode="json") if with_definition else None,
        }
    )


def remembered(place: Place) -> Recipe:
    """Return a side as it was when the inventory was taken."""
    return Recipe.model_validate(dict(place.facts))


def wanted(view: LambdaView) -> Recipe:
    """Return what the target side must become: code as the source side runs it now, sizes as before the run.

    A run that starts in the middle (the source side already quiet) finds the sizes on the target side.
    """
    source, target = remembered(view.member.source), remembered(view.member.target)
    live = recipe_of(view.source, with_definition=view.creates) if view.source.function else source
    return live.model_copy(
        update={
            "reserved": production(view.member),
            "provisioned": {**target.provisioned, **source.provisioned},
            "consuming": sorted({*source.consuming, *target.consuming}),
        }
    )


def production(member: Member) -> int | None:
    """Return the reserved concurrency in production, 0 when nobody knows: both sides were closed and no tag tells."""
    saved = member.tags.get(SAVED_CAPACITY, "")
    if saved.isdigit() and int(saved):
        return int(saved)
    if saved == "unreserved":
        return None
    open_ones = [each.reserved for each in map(remembered, (member.source, member.target)) if each.latest]
    return next((each for each in open_ones if each != 0), 0)


def active_active(member: Member) -> bool:
    """Say whether both sides consumed when the inventory was taken: such a pair has no standby."""
    return all(remembered(place).consuming for place in (member.source, member.target))


def artifacts(tags: Map[str, str]) -> dict[str, str]:
    """Return Region -> where the code lies there, from `dr:artifact`: `us-east-1=s3://bucket/key us-west-2=...`."""
    entries = (entry.partition("=") for entry in tags.get(ARTIFACT, "").split())
    return {region: where for region, _, where in entries if where}


def s3_place(where: str) -> tuple[str, str] | None:
    """Return bucket and key of an artifact, None for an image."""
    bucket, _, key = where.removeprefix("s3://").partition("/")
    return (bucket, key) if where.startswith("s3://") and key else None


def _code(side: LambdaSide) -> str:
    return side.function.Configuration.CodeSha256 if side.function else ""


def _code_of(recipe: Recipe) -> str:
    return recipe.latest.sha if recipe.latest else ""


def _artifact_problem(reader: Reader, member: Member, recipe: Recipe) -> str:
    where = artifacts(member.tags).get(reader.region, "")
    place = s3_place(where)
    if place is None:
        return wrong_image(reader, where)
    bucket, key = place
    params: dict[str, JsonValue] = {"Bucket": bucket, "Key": key, "ChecksumMode": "ENABLED"}
    head = reader.find("s3", "HeadObject", ObjectHead, missing=OBJECT_MISSING, **params)
    if head is None:
        return f"{where} is not there, or dr-spoke-lambda may not read it"
    whole = head.ChecksumType in {None, "FULL_OBJECT"}
    if head.ChecksumSHA256 and whole and head.ChecksumSHA256 != _code_of(recipe):
        return f"{where} holds code {head.ChecksumSHA256[:8]}, expected {_code_of(recipe)[:8]}"
    return ""
