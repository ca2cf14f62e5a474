"""How runs and plans look in a terminal."""

from __future__ import annotations

from datetime import datetime

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from orchestrator.costs import cost_lines
from orchestrator.plan import Plan, PlannedStep
from orchestrator.status import OpenGate, RunView, StageLine
from orchestrator.undoing import as_line
from orchestrator.words import Effect, RunStatus, StageStatus

COLOURS = {
    StageStatus.PASSED: "green",
    StageStatus.SKIPPED: "bright_black",
    StageStatus.FAILED: "bold red",
    StageStatus.RUNNING: "bold cyan",
    StageStatus.CHECKING: "cyan",
    StageStatus.PENDING: "bright_black",
    StageStatus.ROLLED_BACK: "yellow",
}
EFFECTS = {Effect.NONE: "", Effect.REVERSIBLE: "green", Effect.COMPENSABLE: "yellow", Effect.IRREVERSIBLE: "bold red"}


def console() -> Console:
    """Return the console for results."""
    return Console(highlight=False)


def clock(seconds: float) -> str:
    """Return seconds as m:ss or h:mm:ss."""
    whole = int(seconds)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"


def status(view: RunView) -> RenderableType:
    """Return a run's status: head line, stages, what is under way, what waits, what failed."""
    target = f" of RTO {view.rto_target_minutes} min" if view.rto_target_minutes else ""
    going = view.estimated_end is not None and not RunStatus(view.status).ended
    ends = f", expected to end at {view.estimated_end:%H:%M} UTC" if going else ""
    head = Text.assemble(
        (f"{view.scope} {view.operation} ({view.mode}) ", "bold"),
        f"{view.source_region} → {view.target_region}   ",
        (view.status, "bold"),
        f"   {clock(view.elapsed_seconds)} elapsed{target}{ends}\n",
        f"resources: {view.resources_done} done, {view.resources_pending} pending, {view.resources_failed} failed   run {view.run_id}",
    )
    parts: list[RenderableType] = [head, *_inventory(view.inventory_taken_at), stages(view.stages)]
    parts += [Text(f"  … {line.action_id}: {line.step}: {line.detail}", style="cyan") for line in view.under_way[:12]]
    parts += [Text(f"  ✗ {line.action_id}: {line.state}: {line.detail}", style="red") for line in view.failures]
    if view.paused_by and not view.open_gates:
        parts.append(Text(f"⏸ pausing, by {view.paused_by}: nothing new is begun", style="bold yellow"))
    parts += [gate(each) for each in view.open_gates]
    parts += [Text(f"⇄ {line}", style="yellow") for line in view.ties]
    parts += [Text(f"⌛ {line}", style="yellow") for line in view.lease]
    if view.failure:
        parts.append(Text(f"failure: {view.failure}", style="bold red"))
    return Group(*parts)


def stages(lines: tuple[StageLine, ...]) -> Table:
    """Return the table of stages."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("stage", "status", "done", "running", "failed", "pending", "time", "expected"):
        table.add_column(name, justify="left" if name in {"stage", "status"} else "right")
    for line in lines:
        style = COLOURS[line.status]
        table.add_row(
            line.stage_id,
            Text(line.status, style=style),
            *(str(n) if n else "" for n in (line.done, line.running, line.failed, line.pending)),
            "" if line.seconds is None else clock(line.seconds),
            f"{line.expected_minutes:.0f} min" if line.expected_minutes else "",
        )
    return table


def gate(waiting: OpenGate) -> RenderableType:
    """Return an open gate with its checklist and the commands that answer it."""
    lines = [
        Text(
            f"⏸ {waiting.kind} gate {waiting.gate_id}, open {clock(waiting.waiting_seconds)}: {waiting.question}",
            style="bold yellow",
        )
    ]
    lines += [Text(f"    - {line}") for line in waiting.checklist]
    lines += [Text(f"    who may answer: {'; '.join(waiting.answerers)}")] if waiting.answerers else []
    lines += [Text(f"    dr decide {waiting.gate_id} {choice}", style="bold") for choice in waiting.choices]
    return Group(*lines)


def plan(frozen: Plan) -> RenderableType:
    """Return a plan as a tree: stages, actions, steps with their calls and effects, the line of no return, the losses."""
    count = frozen.resource_count()
    tree = Tree(
        f"[bold]{frozen.scope} {frozen.operation} ({frozen.mode})[/bold] {frozen.source_region} → {frozen.target_region}, "
        f"{count} resource(s), about {frozen.expected_minutes:.0f} min, order {frozen.order} ({frozen.order_reason}), "
        f"plan {frozen.hash[:12]}"
    )
    crossed = False
    for stage in frozen.stages:
        if stage.irreversible and not crossed:
            crossed = True
            tree.add(
                Text("──── line of no return: past this, the way back is a planned failback ────", style="bold red")
            )
        branch = tree.add(f"[bold]{stage.stage_id}[/bold] about {stage.expected_minutes:.0f} min")
        for why in stage.splits:
            branch.add(Text(f"in turns: {why}", style="bright_black"))
        for action in frozen.actions:
            if action.stage_id == stage.stage_id:
                leaf = branch.add(
                    f"{action.action_id} [bright_black]{action.strategy}, {action.priority}[/bright_black]"
                )
                for step in action.steps:
                    leaf.add(_step(step))
    parts: list[RenderableType] = [tree, critical_path(frozen), *_inventory(frozen.inventory_taken_at)]
    parts += [Text(each, style="yellow") for each in frozen.remarks]
    parts += [Text(each, style="yellow") for each in (cost_lines(frozen.costs) if frozen.costs else [])]
    if frozen.deferred:
        parts.append(Text(f"deferred to a later run: {', '.join(frozen.deferred)}", style="yellow"))
    parts += [Text(f"left out: {resource}: {why}", style="bright_black") for resource, why in frozen.excluded.items()]
    for loss in frozen.losses:
        if loss.seconds is None or loss.seconds > 0:
            seen = "unknown" if loss.seconds is None else f"{loss.seconds:.1f} s"
            parts.append(Text(f"if forced now, {loss.resource_id} would lose: {seen} ({loss.detail})", style="yellow"))
    return Group(*parts)


def undoing(frozen: Plan) -> list[Text]:
    """Return what would undo the plan, a line each that is not to be wrapped: it ends with a command to paste."""
    return [Text(f"may undo this run: {as_line(each)}", style="yellow") for each in frozen.undoing]


def _inventory(taken_at: datetime | None) -> list[Text]:
    return [Text(f"built on the inventory of {taken_at:%Y-%m-%d %H:%M} UTC", style="bright_black")] if taken_at else []


def critical_path(frozen: Plan) -> Text:
    """Return what makes the plan as long as it is."""
    way = " → ".join(f"{action.action_id} {action.expected_minutes:.0f} min" for action in frozen.critical_path)
    return Text(f"critical path, about {frozen.expected_minutes:.0f} min: {way or 'nothing takes time'}")


def _step(step: PlannedStep) -> Text:
    if step.call is None:
        return Text(f"{step.name}: {step.state}: {step.reason}", style="bright_black")
    where = f"{step.call.account}/{step.call.region}"
    return Text.assemble(
        f"{step.name}: {step.call.service}.{step.call.operation} in {where} ",
        (f"[{step.effect}]", EFFECTS[step.effect]),
    )
