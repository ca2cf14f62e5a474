"""What the phases of a move by SnapMirror are expected to leave behind, for previews. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from adapters.fsx.models import Volume
from adapters.fsx.ontap_models import Nas, OntapVolume, Relationship
from adapters.fsx.spec import CARRIED_TAG, FENCED_TAG
from adapters.fsx.view_ontap import OntapPair, OntapView
from adapters.reading import KeyValue
from orchestrator.contract import RunContext
from orchestrator.words import Mode, Phase


def foreseen(phase: Phase, view: OntapView, run: RunContext) -> OntapView:
    """Return the view after a phase of a real run."""
    by_phase = {
        Phase.INSTANTIATE: _made,
        Phase.ACTIVATE: _activated,
        Phase.CLEANUP: _fenced,
        Phase.REPLICATE: _turned,
    }
    change = by_phase.get(phase)
    return view if change is None else replace(view, pairs=tuple(change(each, run) for each in view.pairs))


def _made(pair: OntapPair, run: RunContext) -> OntapPair:
    if pair.moved:
        return pair
    target = pair.target or OntapVolume(name=pair.target_path.partition(":")[2], type="dp", state="online")
    mirror = (pair.mirror or Relationship(uuid="")).model_copy(update={"state": "snapmirrored"})
    return replace(pair, target=target, target_shown=pair.target_shown or Volume(VolumeId=""), mirror=mirror)


def _activated(pair: OntapPair, run: RunContext) -> OntapPair:
    if pair.moved or pair.target is None:
        return replace(pair, target=_open(pair.target, pair.junction))
    opened = _open(pair.target, pair.junction)
    mirror = pair.mirror.model_copy(update={"state": "broken_off"}) if pair.mirror else None
    unmarked = _marked(pair.target_shown, {FENCED_TAG: None, CARRIED_TAG: None})
    moved = replace(pair, target=opened, target_shown=unmarked, mirror=mirror)
    if run.mode is Mode.EMERGENCY:
        return moved
    marked = _marked(pair.source_shown, {FENCED_TAG: run.now.isoformat(timespec="seconds"), CARRIED_TAG: run.run_id})
    return replace(moved, source=_closed(pair.source), source_shown=marked)


def _fenced(pair: OntapPair, run: RunContext) -> OntapPair:
    return replace(pair, source=_closed(pair.source))


def _turned(pair: OntapPair, run: RunContext) -> OntapPair:
    back = (pair.back or Relationship(uuid="")).model_copy(update={"state": "snapmirrored"})
    source = pair.source.model_copy(update={"type": "dp"}) if pair.source else None
    return replace(pair, back=back, source=source)


def _open(volume: OntapVolume | None, path: str) -> OntapVolume | None:
    if volume is None:
        return None
    return volume.model_copy(update={"type": "rw", "nas": Nas(path=volume.nas.path or path)})


def _closed(volume: OntapVolume | None) -> OntapVolume | None:
    return volume.model_copy(update={"nas": Nas()}) if volume is not None and volume.open else volume


def _marked(volume: Volume | None, tags: Mapping[str, str | None]) -> Volume | None:
    if volume is None:
        return None
    kept = {**volume.tags, **tags}
    listed = [KeyValue(Key=key, Value=value) for key, value in kept.items() if value is not None]
    return volume.model_copy(update={"Tags": listed})
