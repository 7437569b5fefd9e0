"""Looks for known holes in the locked packages, and says which of them could be looked up.

pip-audit asks the registry's data of each package. Where that is out of reach nothing is known, and
the command fails as it does where there is a hole.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from optbench.cli.commands import Parser
from optbench.core.errors import UsageError

COMMAND = (
    sys.executable, "-m", "pip_audit", "--requirement", "requirements.lock", "--require-hashes",
    "--disable-pip", "--progress-spinner", "off", "--format", "json",
)  # fmt: skip


def run(arguments: Sequence[str], standing: Path) -> int:
    """Prints what pip-audit says.

    Raises:
        UsageError: there is a hole, or a package was not looked up.
    """
    Parser("audit", __doc__, example="").parse_args(arguments)
    done = subprocess.run(COMMAND, capture_output=True, text=True, check=False)
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except ValueError as error:
        reason = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise UsageError(
            f"No package was looked up, and so no hole is known or ruled out: pip-audit ended with "
            f"{done.returncode}, {reason}\nRun it again where the registry's data is in reach."
        ) from error
    print(judged(packages))
    return 0


def judged(packages: Sequence[dict[str, Any]]) -> str:
    """What was looked up, from pip-audit's JSON.

    Raises:
        UsageError: with each hole, and the packages that were not looked up.
    """
    skipped = [package for package in packages if "skip_reason" in package]
    holes = [
        f"{package['name']} {package['version']}: {hole['id']}, mended in "
        f"{', '.join(hole['fix_versions']) or 'no version yet'}"
        for package in packages
        for hole in package.get("vulns", ())
    ]
    count = len(packages) - len(skipped)
    summary = f"{count} of {len(packages)} packages were looked up: {len(holes)} known holes"
    if not holes and not skipped:
        return summary
    lines = [summary, *holes]
    if skipped:
        lines.append(f"Not looked up: {', '.join(package['name'] for package in skipped)}")
        lines.append(f"The first of them: {skipped[0]['skip_reason']}")
        lines.append(
            "A mirror need not have the data: run it again where the registry's is in reach."
        )
    raise UsageError("\n".join(lines))
