"""What is judged of ONTAP file systems before a run. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from adapters.fsx.spec import SECRET_TAG, SPEC
from adapters.fsx.view_ontap import OntapPair, OntapSide, OntapView
from adapters.judging import ready, red, too_slow, warning
from orchestrator.contract import Finding, Place, RunContext
from orchestrator.words import Mode


def findings(view: OntapView, run: RunContext) -> list[Finding]:
    """Return every finding; in an emergency only the target side counts."""
    me, target = view.member.resource_id, view.target
    if target is None:
        text = f"there is no file system {view.member.target.id} in {view.member.target.region}."
        return [red(me, "no-target", text, "create it with its virtual machines, then: dr plan")]
    found = list(_side(me, target, view.member.target, "target"))
    planned = run.mode is Mode.PLANNED and view.source_read
    if planned:
        found += _source(view)
    if target.ontap is None or (planned and (view.source is None or view.source.ontap is None)):
        return found
    if not view.pairs:
        text = f"no volume of {view.member.target.id} follows {view.member.source.id}."
        found.append(
            red(me, "no-volumes", text, "set up SnapMirror relationships between their volumes, then: dr plan")
        )
    for pair in view.pairs:
        found += _pair(view, pair, run)
    found += too_slow(view.member, SPEC.strategy(view.strategy))
    return found or [ready(me, f"{len(view.pairs)} volume(s) of {view.member.target.id} can take over.")]


def lag_of(pair: OntapPair) -> float | None:
    """Return in seconds how far the target is behind; None when ONTAP does not tell."""
    lag = pair.mirror.lag if pair.mirror else None
    return None if lag is None else lag.total_seconds()


def command(side: OntapSide, place: Place) -> str:
    """Return the command without which ONTAP cannot be asked."""
    if not side.secret:
        return (
            f"aws fsx tag-resource --region {place.region} --resource-arn {place.arn} --tags Key={SECRET_TAG},Value=SECRET-NAME "
            "(a secret of that account and Region; its form: stacksets/README.md), then: dr plan"
        )
    arn = f"arn:aws:secretsmanager:{place.region}:{place.account}:secret:{side.secret}-*"
    subnets = ",".join(side.file_system.SubnetIds)
    return (
        f"aws cloudformation deploy --region {place.region} --stack-name dr-probe --template-file stacksets/probe.template.json "
        f"--capabilities CAPABILITY_NAMED_IAM --parameter-overrides SubnetIds={subnets} SecurityGroupIds=sg-... "
        f"'OntapSecretArns={arn}' (in account {place.account}), then: dr plan"
    )


def _side(me: str, side: OntapSide, place: Place, called: str) -> Iterator[Finding]:
    name, system = place.id, side.file_system
    if system.Lifecycle not in {"AVAILABLE", "UPDATING"}:
        yield red(me, f"{called}-status", f"{name} is {system.Lifecycle}{system.trouble}, expected AVAILABLE.")
    for machine in side.machines:
        if machine.Lifecycle != "CREATED":
            why = (
                machine.LifecycleTransitionReason.Message if machine.LifecycleTransitionReason else "no reason is given"
            )
            text = f"virtual machine {machine.Name} of {name} is {machine.Lifecycle} ({why}), expected CREATED."
            yield red(me, f"{called}-machine", text, "repair it in the console, then: dr plan")
    if side.ontap is None:
        missing = "function dr-ontap-read in its VPC" if side.secret else f"tag {SECRET_TAG}"
        yield red(
            me, f"{called}-ontap", f"ONTAP of {name} cannot be asked: there is no {missing}.", command(side, place)
        )


def _source(view: OntapView) -> Iterator[Finding]:
    me, source, place = view.member.resource_id, view.source, view.member.source
    if source is None:
        yield red(me, "no-source", f"there is no file system {place.id} in {place.region}.")
        return
    yield from _side(me, source, place, "source")
    told = view.target.ontap if view.target else None
    for peer in told.cluster_peers if told else []:
        if peer.status.state not in {"available", "partial"}:
            text = f"{view.member.target.id} finds its peer {peer.name} {peer.status.state}, expected available."
            yield red(
                me, "peering", text, "see cluster peer show, security groups and routes between the VPCs, then: dr plan"
            )
    for machine in told.svm_peers if told else []:
        if machine.state != "peered":
            text = f"virtual machine {machine.svm.name} and its peer {machine.peer.svm.name} are {machine.state}, expected peered."
            yield red(me, "peering", text, "see vserver peer show, then: dr plan")
    ontap = source.ontap
    blocks = {each.path for each in [*ontap.luns, *ontap.namespaces]} if ontap else set()
    for pair in view.pairs:
        if pair.source_path in blocks and not pair.moved:
            text = f"{pair.source_path} holds LUNs or NVMe namespaces: clients of block storage cannot be shut out."
            yield red(me, "block-storage", text, "move it by hand, or tag the volume dr:enabled=false, then: dr plan")


def _pair(view: OntapView, pair: OntapPair, run: RunContext) -> Iterator[Finding]:
    me, mirror, target = view.member.resource_id, pair.mirror, pair.target
    if pair.moved and (view.source_read or (mirror is not None and mirror.state == "broken_off")):
        return  # it was moved before: nothing is left to be done
    if pair.source is not None and pair.source.open and target is not None and target.writable:
        text = f"{pair.source_path} takes writes on both sides: only a person can tell which one is current."
        remedy = (
            "if the target side is: dr start with Phases CLEANUP,REPLICATE; else snapmirror resync on the target side"
        )
        yield red(me, "both-open", text, remedy)
        return
    if target is not None and target.state != "online":
        yield red(
            me,
            "volume-status",
            f"{pair.target_path} is {target.state}, expected online.",
            "volume online it, then: dr plan",
        )
    if mirror is None:
        yield _missing(view, pair, run)
        return
    if mirror.policy.type != "async":
        text = f"the relationship to {pair.target_path} has the policy {mirror.policy.name} ({mirror.policy.type}), expected async."
        yield red(me, "policy", text, "give it an asynchronous policy, or move it by hand, then: dr plan")
        return
    if mirror.state != "snapmirrored":
        text = f"the relationship to {pair.target_path} is {mirror.state}, expected snapmirrored."
        if mirror.state == "uninitialized" and run.mode is Mode.PLANNED:
            yield warning(me, "never-transferred", f"{text} INSTANTIATE makes the first transfer; it takes its time.")
        else:
            yield red(me, "mirror-state", text, "snapmirror resume (or initialize, resync) it, then: dr plan")
    if not mirror.healthy:
        text = f"the relationship to {pair.target_path} is not healthy{mirror.trouble}."
        judged = red if run.mode is Mode.PLANNED else warning
        yield judged(me, "unhealthy", text, "see snapmirror show -instance, then: dr plan")
    yield from _age(me, pair, run)


def _missing(view: OntapView, pair: OntapPair, run: RunContext) -> Finding:
    me, machine = view.member.resource_id, pair.target_path.partition(":")[0]
    peers = view.target.ontap.svm_peers if view.target and view.target.ontap else []
    peered = any(each.svm.name == machine and each.state == "peered" for each in peers)
    text = f"no volume of {view.member.target.id} follows {pair.source_path}"
    if run.mode is Mode.PLANNED and peered:
        told = f"{text}; INSTANTIATE makes one, and its first transfer takes its time. An emergency now would lose it."
        return warning(me, "no-mirror", told)
    remedy = "peer the virtual machines (vserver peer create), or tag the volume dr:enabled=false, then: dr plan"
    return red(me, "no-mirror", f"{text}, and no virtual machine there is its peer.", remedy)


def _age(me: str, pair: OntapPair, run: RunContext) -> Iterator[Finding]:
    lag, limit = lag_of(pair), run.rpo_minutes.get(me)
    if lag is None or limit is None or lag <= limit * 60:
        return
    text = f"{pair.target_path} is {lag / 60:.0f} min behind, dr:rpo-target is {limit} min."
    judged = warning if run.mode is Mode.PLANNED else red
    yield judged(me, "rpo", text, "let the relationship be updated more often, then: dr plan")
