"""The break-glass script: a plan as numbered AWS CLI commands, for a person and a shell when the platform itself is gone.

Bash and the AWS CLI are all it needs. It asks before every command; it judges nothing, so the person looks where it says so.
Pure.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator

from botocore import xform_name
from pydantic import JsonValue

from orchestrator.cluster_endpoints import SERVICE as CLUSTER
from orchestrator.ontap_functions import SERVICE as ONTAP
from orchestrator.ontap_functions import function_of
from orchestrator.plan import Plan, PlannedAction, PlannedCall, PlannedStep
from orchestrator.signed_http import lies_in_vpc
from orchestrator.words import Effect, StepState

LATER = re.compile(r"<later: (.*?)>")
GLOBAL_REGION = "us-east-1"
"""Where the control planes of global services answer (partition aws)."""
HTTP_SERVICES = {"opensearch-http": "es"}
"""Pseudo-services that are signed HTTP requests -> the name they are signed for."""

HEADER = """#!/usr/bin/env bash
# BREAK GLASS: {title}
# Plan {hash}, made {made}. It shows what the platform would do if nothing had changed since then: LOOK before each step.
#
# Needs bash and the AWS CLI. For each account name a profile that may act there:
#   {profiles}
# Every command is shown and asked for: Enter runs it, s skips it, q ends. An irreversible one wants the word "irreversible".
# Started again, skip what is done. AWS refuses most things that are done already; nothing here deletes data unless it says so.
set -uo pipefail
{needed}

step() {{ # step NUMBER EFFECT PROFILE REGION WHAT COMMAND...
  local number=$1 effect=$2 profile=$3 region=$4 what=$5; shift 5
  printf '\\n[%s] %s\\n    account profile %s, Region %s, %s\\n    %s\\n' "$number" "$what" "$profile" "$region" "$effect" "$*"
  local answer; read -r -p '    Enter = run, s = skip, q = quit: ' answer || exit 1
  case $answer in q) exit 0 ;; s) return 0 ;; esac
  if [ "$effect" = irreversible ] && [ "$answer" != irreversible ]; then
    read -r -p '    this cannot be taken back; type irreversible to run it: ' answer || exit 1
    [ "$answer" = irreversible ] || {{ echo '    not run'; return 0; }}
  fi
  AWS_PROFILE=$profile AWS_REGION=$region AWS_DEFAULT_REGION=$region "$@" && return 0
  read -r -p '    it failed: r = again, Enter = go on, q = quit: ' answer || exit 1
  case $answer in r) step "$number" "$effect" "$profile" "$region" "$what" "$@" ;; q) exit 1 ;; esac
}}

signed() {{ # signed SERVICE CURL-ARGUMENTS...: a request to a resource's own endpoint, with the profile's credentials
  local service=$1; shift
  ( eval "$(aws configure export-credentials --format env)"
    curl --aws-sigv4 "aws:amz:$AWS_REGION:$service" --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" \\
      ${{AWS_SESSION_TOKEN:+--header "x-amz-security-token: $AWS_SESSION_TOKEN"}} "$@" )
}}

look() {{ # look NUMBER WHAT
  printf '\\n[%s] LOOK: %s\\n' "$1" "$2"
  read -r -p '    Enter when it is so, q = quit: ' answer || exit 1
  [ "$answer" != q ] || exit 0
}}

ask() {{ # ask VARIABLE WHAT
  [ -n "${{!1:-}}" ] || read -r -p "    value of $2: " "$1" || exit 1
}}
"""


def script(plan: Plan, made: str) -> str:
    """Return the script of a plan; `made` says when the plan was made."""
    accounts = sorted({step.call.account for action in plan.actions for step in action.steps if step.call})
    arrow = f"{plan.source_region} -> {plan.target_region}"
    head = HEADER.format(
        title=f"{plan.mode} {plan.operation} of {plan.scope}, {arrow}",
        hash=plan.hash[:12],
        made=made,
        profiles=" ".join(f"PROFILE_{account}=..." for account in accounts) or "(no account is changed)",
        needed="\n".join(
            f': "${{PROFILE_{account}:?name the AWS CLI profile for account {account}}}"' for account in accounts
        ),
    )
    return "\n".join([head, *_body(plan)]) + "\n"


def _body(plan: Plan) -> Iterator[str]:
    number = 0
    crossed = False
    for stage in plan.stages:
        if stage.irreversible and not crossed:
            crossed = True
            yield "\n# ======== line of no return: past this, the way back is a planned failback ========"
        yield f"\n# ==== {stage.stage_id}, about {stage.expected_minutes:.0f} min ===="
        for action in plan.actions:
            if action.stage_id == stage.stage_id:
                for step in action.steps:
                    line = _step(number + 1, action, step)
                    if line:
                        number += 1
                        yield line
    yield "\necho; echo 'All steps were shown. Check that the application answers from " + plan.target_region + ".'"


def _step(number: int, action: PlannedAction, step: PlannedStep) -> str:
    subject = f"{', '.join(action.resource_ids[:3])}: {step.name}"
    if step.call is None:
        return "" if step.state is StepState.DONE else f"look {number} {shlex.quote(f'{subject}: {step.reason}')}"
    if step.call.service in HTTP_SERVICES and lies_in_vpc(_text(step.call.params.get("Endpoint"))):
        subject += " (from a machine in the domain's VPC)"
    effect = str(step.effect) if step.effect is not Effect.NONE else "changes nothing"
    asks, command = _command(step.call)
    region = step.call.region if step.call.region != "global" else GLOBAL_REGION
    head = [
        "step",
        str(number),
        shlex.quote(effect),
        f'"$PROFILE_{step.call.account}"',
        region,
        shlex.quote(subject),
    ]
    return "\n".join([*asks, f"{' '.join(head)} \\\n  {command}"])


def _command(call: PlannedCall) -> tuple[list[str], str]:
    """Return the questions for values that only an earlier step reveals, and the command."""
    later: dict[str, str] = {}

    def named(match: re.Match[str]) -> str:
        name = "V_" + re.sub(r"\W+", "_", match.group(1)).strip("_").upper()[:40]
        later[name] = match.group(1)
        return f"\0{name}\0"

    if call.service in HTTP_SERVICES:
        words = _over_http(call)
    elif call.service == ONTAP:
        asked = json.dumps({"Request": call.operation, **call.params}, sort_keys=True)
        words = ["aws", "lambda", "invoke", "--function-name", function_of(call.operation)]
        words += ["--cli-binary-format", "raw-in-base64-out", "--payload", asked, "/dev/stdout"]
    else:
        params = {name: value for name, value in call.params.items() if name != "Endpoints" or call.service != CLUSTER}
        body = json.dumps(params, sort_keys=True)
        words = ["aws", call.service, xform_name(call.operation, "-"), "--cli-input-json", body, *_endpoint(call)]
    quoted = [re.sub("\0(\\w+)\0", r"""'"$\1"'""", shlex.quote(LATER.sub(named, word))) for word in words]
    return [f"ask {name} {shlex.quote(what)}" for name, what in later.items()], " ".join(quoted)


def _endpoint(call: PlannedCall) -> list[str]:
    """Return where a cluster of routing controls is asked: the Region's own endpoint, else the first; others are as good."""
    endpoints = call.params.get("Endpoints") if call.service == CLUSTER else None
    if not isinstance(endpoints, list):
        return []
    listed = [(str(each["Region"]), str(each["Endpoint"])) for each in endpoints if isinstance(each, dict)]
    chosen = sorted(listed, key=lambda each: each[0] != call.region)[:1]
    return [word for region, url in chosen for word in ("--region", region, "--endpoint-url", url)]


def _over_http(call: PlannedCall) -> list[str]:
    url = f"{_text(call.params.get('Endpoint'))}{_text(call.params.get('Path'))}"
    url = url if url.startswith("http") else f"https://{url}"
    body = call.params.get("Body")
    data = ["--data", json.dumps(body), "--header", "Content-Type: application/json"] if body is not None else []
    request = ["--fail", "--request", call.operation.upper(), *data, url]
    return ["signed", HTTP_SERVICES[call.service], *request]


def _text(value: JsonValue) -> str:
    return value if isinstance(value, str) else ""
