"""Check the three machines: print each finding, exit 1 when there is one."""

from __future__ import annotations

import sys

from statemachines.definitions import MachineName
from statemachines.lint import RULES, check
from statemachines.lint.model import Machine


def main() -> int:
    """Print the findings of every machine; return the exit code."""
    findings = [finding for name in MachineName for finding in check(Machine.named(name))]
    for finding in findings:
        sys.stdout.write(f"{finding}\n")
    sys.stdout.write(f"{len(MachineName)} state machines, {len(RULES)} rules, {len(findings)} findings\n")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
