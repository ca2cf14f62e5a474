"""What each phase is expected to leave behind, for the previews of the phases after it. Pure."""

from __future__ import annotations

from dataclasses import replace

from adapters.lambda_.models import (
    Alias,
    Configuration,
    Function,
    Mapping,
    MappingState,
    Provisioned,
    ProvisionedStatus,
    UpdateStatus,
)
from adapters.lambda_.view import LambdaSide, LambdaView, recipe_of, wanted
from adapters.lambda_.view_recipe import LATEST, NEXT, Build, Recipe
from orchestrator.words import Phase


def after(phase: Phase, view: LambdaView) -> LambdaView:
    """Return the view that a phase of a real run leaves behind."""
    recipe = wanted(view)
    if phase is Phase.INSTANTIATE:
        return replace(view, target=_deployed(view.target, recipe, reserved=0))
    if phase is Phase.ACTIVATE:
        # An emergency deploys here; a planned run has done so before, and nothing changes.
        return replace(
            view,
            target=_opened(_deployed(view.target, recipe, reserved=recipe.reserved), recipe),
            source=_quiet(view.source),
        )
    if phase is Phase.CLEANUP and view.source.function is not None:
        return replace(view, source=replace(_quiet(view.source), reserved=0, provisioned=()))
    if phase is Phase.REPLICATE:
        return replace(view, source=_deployed(view.source, recipe_of(view.target), reserved=0))
    return view


def _deployed(side: LambdaSide, recipe: Recipe, *, reserved: int | None) -> LambdaSide:
    if recipe.latest is None:
        return side
    new = side.function is None
    frozen = {each.build for each in recipe.aliases.values() if each.version != LATEST}
    publish = recipe.latest in frozen and side.version_of(recipe.latest) is None
    published = _as(Configuration(FunctionName=side.name, Version=NEXT), recipe.latest)
    side = replace(
        side,
        function=Function(
            Configuration=_as(_configuration(side), recipe.latest), Tags=side.function.Tags if side.function else {}
        ),
        versions=(*side.versions, published) if publish else side.versions,
        newest=published if publish else side.newest,
        reserved=reserved if new else side.reserved,
    )
    made = [
        Alias(Name=name, FunctionVersion=LATEST if each.version == LATEST else side.version_of(each.build) or NEXT)
        for name, each in recipe.aliases.items()
        if side.alias(name) is None
    ]
    return replace(side, aliases=(*side.aliases, *made))


def _configuration(side: LambdaSide) -> Configuration:
    return side.function.Configuration if side.function else Configuration(FunctionName=side.name)


def _as(configuration: Configuration, build: Build) -> Configuration:
    changes = {
        "CodeSha256": build.sha,
        "Runtime": build.runtime,
        "Handler": build.handler,
        "Timeout": build.timeout,
        "MemorySize": build.memory,
        "LastUpdateStatus": UpdateStatus.SUCCESSFUL,
    }
    return configuration.model_copy(update=changes)


def _opened(side: LambdaSide, recipe: Recipe) -> LambdaSide:
    moved = tuple(_moved(side, each, recipe) for each in side.aliases)
    ready = tuple(
        Provisioned(
            FunctionArn=f"{side.place.arn}:{alias}",
            RequestedProvisionedConcurrentExecutions=number,
            Status=ProvisionedStatus.READY,
        )
        for alias, number in recipe.provisioned.items()
    )
    consuming = set(recipe.consuming)
    return replace(
        side,
        reserved=recipe.reserved or None,
        aliases=moved,
        provisioned=ready,
        mappings=tuple(_set(each, MappingState.ENABLED) if each.key in consuming else each for each in side.mappings),
    )


def _moved(side: LambdaSide, alias: Alias, recipe: Recipe) -> Alias:
    want = recipe.aliases.get(alias.Name)
    if want is None or want.version == LATEST:
        return alias
    version = side.version_of(want.build)
    return alias.model_copy(update={"FunctionVersion": version, "RoutingConfig": None}) if version else alias


def _quiet(side: LambdaSide) -> LambdaSide:
    return replace(side, mappings=tuple(_set(each, MappingState.DISABLED) for each in side.mappings))


def _set(mapping: Mapping, state: MappingState) -> Mapping:
    return mapping.model_copy(update={"State": state})
