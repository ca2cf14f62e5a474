"""Send events that a lost Region took and never delivered again, when the operator's manifest asks for it.

The manifest's `replay` names an archive of the source side's bus, the time the outage lasted, and rules of that bus that
forward to where the events are wanted: a replay goes to its own bus only (API reference, StartReplay), whose other rules
are disabled by then. A replay is made once, however many runs read the same manifest.
{"archive": "orders", "from": "2026-03-01T10:00:00Z", "to": "...", "rules": ["forward-west"]}
"""

from __future__ import annotations

from pydantic import BaseModel, ValidationError

from adapters.eventbridge.models import ReplayState
from adapters.eventbridge.spec import FAILED_REPLAYS
from adapters.eventbridge.view import EventBridgeView, RuleSide, replay_name
from orchestrator.contract import Call, Step, blocked, busy, done, failed, todo
from orchestrator.words import Effect, Side

STEP = "replay-events"
FORM = 'write it as {"archive": NAME, "from": TIME, "to": TIME, "rules": [NAME]} (times as 2026-03-01T10:00:00Z).'


class Wish(BaseModel):
    """The manifest's `replay`."""

    archive: str
    begin: str
    end: str
    rules: list[str]


def replayed(view: EventBridgeView, source: RuleSide) -> list[Step]:
    """Return the step that replays, and waits for the end; nothing when the manifest does not ask for it."""
    asked = view.member.settings.get("replay")
    if not isinstance(asked, dict):
        return []
    try:
        wish = Wish.model_validate({**asked, "begin": asked.get("from"), "end": asked.get("to")})
    except ValidationError as err:
        return [blocked(STEP, f"the manifest's replay cannot be read: {err.error_count()} field(s) are wrong", FORM)]
    deaf = [name for name in wish.rules if not source.enabled(name) or name in view.names]
    if deaf or not wish.rules:
        reason = f"no rule would hear the replay: {', '.join(deaf) or 'none is named'} must be enabled and not moved"
        return [blocked(STEP, reason, f"make a rule on bus {source.bus} that forwards the events, and name it.")]
    arn = source.place.arn
    name, base = replay_name(asked, source.bus), arn[: arn.index(":event-bus/")]
    call = Call(
        "events",
        "StartReplay",
        {
            "ReplayName": name,
            "EventSourceArn": f"{base}:archive/{wish.archive}",
            "EventStartTime": wish.begin,
            "EventEndTime": wish.end,
            "Destination": {"Arn": arn, "FilterArns": [source.rules[rule].Arn for rule in wish.rules]},
        },
        Side.SOURCE,
    )
    if view.replay is None:
        return [
            todo(STEP, call, Effect.COMPENSABLE, f"no replay {name}; events are handled again: consumers must bear it")
        ]
    state = view.replay.State
    if state in FAILED_REPLAYS:
        why = view.replay.StateReason or "no reason given"
        return [failed(STEP, f"replay {name} is {state} ({why}), expected COMPLETED", f"{FAILED_REPLAYS[state]}.")]
    if state is ReplayState.COMPLETED:
        return [done(STEP, f"replay {name} is COMPLETED", effect=Effect.COMPENSABLE)]
    return [busy(STEP, f"replay {name} is {state}, expected COMPLETED", effect=Effect.COMPENSABLE, call=call)]
