"""`dr`: plan, start, watch, answer, cancel and report disaster-recovery runs.

Exit codes: 0 done · 1 failed · 2 wrong use · 3 refused, or waiting for an answer · 4 timed out.
"""

from __future__ import annotations

import sys

import click

from cli.local import local
from cli.manifest_commands import manifest
from cli.options import Exit
from cli.order_commands import approve, cancel, decide, escalate, extend, pause, reject, resume
from cli.readiness_commands import readiness
from cli.run_commands import plan, report, start, status
from cli.tags_commands import inventory, tags


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, help=__doc__)
@click.version_option(package_name="dr-orchestrator")
def dr() -> None:
    """Collect the commands."""


for command in (
    plan,
    start,
    status,
    report,
    approve,
    reject,
    decide,
    pause,
    resume,
    cancel,
    escalate,
    extend,
    manifest,
    tags,
    inventory,
    readiness,
    local,
):
    dr.add_command(command)


def main() -> None:
    """Run the command line; an interruption is not a stack trace."""
    try:
        dr(standalone_mode=True)
    except KeyboardInterrupt:
        sys.exit(Exit.TIMED_OUT)


if __name__ == "__main__":
    main()
