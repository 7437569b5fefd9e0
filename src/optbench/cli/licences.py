"""Lists the licences of all locked packages, and refuses those that do not allow any use.

They are read from what is installed: a package's License-Expression, or else its License, or else
its classifiers. What states nothing, or nothing that is known here, is refused too.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

from license_expression import ExpressionError, Licensing
from packaging.requirements import Requirement
from tabulate import tabulate

from optbench.cli.commands import Parser
from optbench.core.errors import UsageError

LOCK = Path("requirements.lock")
NVIDIA = "LicenseRef-NVIDIA-Proprietary"
# Whoever has it may use it, for any purpose, NVIDIA's apart; by SPDX's names, or without a version
# where packages state none.
ALLOWED = {
    "0BSD", "Apache", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD", "BSD-2-Clause",
    "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "EPL-1.0", "EPL-2.0", "ISC", "LGPL-2.1-or-later",
    "LGPL-3.0-or-later", "MIT", "MIT-0", "MIT-CMU", "MPL-2.0", "PSF-2.0", "Unlicense", "ZPL-2.1",
    "Zlib", "GPL-2.0-only WITH linking exception", NVIDIA,
}  # fmt: skip
# How packages write them, in lower case.
SPELLINGS = {
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license": "Apache",
    "bsd license": "BSD",
    "new bsd": "BSD-3-Clause",
    "3-clause bsd license": "BSD-3-Clause",
    "bsd 2-clause license": "BSD-2-Clause",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "psfl": "PSF-2.0",
    "python software foundation license": "PSF-2.0",
    "gplv2 | eplv1": "GPL-2.0-only OR EPL-1.0",
    "gplv2 with linking exception": "GPL-2.0-only WITH linking exception",
    "nvidia proprietary software": NVIDIA,
}
# They refer to what else is stated.
EMPTY = {"", "dual license", "osi approved", "unknown"}
# Read by hand: it states nothing, and holds no software, but names others of NVIDIA's packages.
READ = {"cuda-toolkit": NVIDIA}
ON_NVIDIA = (
    f"{NVIDIA}: may be installed and used, for applications on systems with NVIDIA's GPUs, and "
    "parts of it passed on within such an application; not by itself, and not taken apart."
)


def run(arguments: Sequence[str], standing: Path) -> int:
    """Prints the table.

    Raises:
        UsageError: a licence is not among those that are allowed, or a package is not installed.
    """
    Parser("licences", __doc__, example="").parse_args(arguments)
    here, elsewhere = locked(LOCK.read_text(encoding="utf-8").splitlines())
    stated = {name: stated_licence(name, version) for name, version in here.items()}
    rows = [(name, here[name], licence) for name, licence in stated.items()]
    print(tabulate(rows, headers=("package", "version", "licence"), disable_numparse=True))
    print(f"\n{len(here)} packages of {LOCK} are installed here.")
    if elsewhere:
        print(f"For other systems, and so not read: {', '.join(elsewhere)}.")
    if NVIDIA in stated.values():
        print(ON_NVIDIA)
    require_use(stated)
    return 0


def require_use(stated: Mapping[str, str]) -> None:
    """Refuses licences, by package, that do not allow any use.

    Raises:
        UsageError: with each of them.
    """
    refused = [f"{name}: got licence '{text}'" for name, text in stated.items() if not allows(text)]
    if refused:
        raise UsageError(
            "\n".join([*refused, f"must be made of {', '.join(sorted(ALLOWED))}"])
            + "\nRead the package's text: name it in src/optbench/cli/licences.py where it allows "
            "any use, else do without the package."
        )


def locked(lines: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """The packages of this system with their versions, and those of other systems."""
    packages = [Requirement(line.rstrip(" \\")) for line in lines if re.match(r"\w", line)]
    here = {
        package.name: str(package.specifier).removeprefix("==")
        for package in packages
        if package.marker is None or package.marker.evaluate()
    }
    return here, sorted({package.name for package in packages} - here.keys())


def stated_licence(name: str, version: str) -> str:
    """What an installed package states, by SPDX's names where they are known; '' for nothing.

    Raises:
        UsageError: it is not installed, or in another version.
    """
    try:
        fields = metadata(name)
    except PackageNotFoundError as error:
        raise UsageError(f"{name} {version} is locked and not installed: `make setup`") from error
    if fields["Version"] != version:
        raise UsageError(
            f"{name}: got version {fields['Version']}: must be {version}, which is locked: remove "
            ".venv, then `make setup`"
        )
    if name in READ:
        return READ[name]
    classifiers = [text.split(" :: ") for text in fields.get_all("Classifier") or ()]
    classified = [spelled(last) for first, *_, last in classifiers if first == "License"]
    statements = (
        *(fields.get_all("License-Expression") or ()),
        *map(spelled, fields.get_all("License") or ()),
        " AND ".join(text for text in classified if text.lower() not in EMPTY),
    )
    return next((text for text in statements if text.lower() not in EMPTY and "\n" not in text), "")


def spelled(text: str) -> str:
    """A licence as SPDX has it, where it is known."""
    return SPELLINGS.get(text.strip().lower(), text.strip())


def allows(text: str) -> bool:
    """Whether a licence, of several any one or all as it says, is among those that are allowed."""
    if text in ALLOWED:
        return True
    algebra = Licensing()
    try:
        tree = algebra.parse(text)
    except ExpressionError:
        return False
    if tree is None:  # nothing is stated
        return False
    truth = {True: algebra.TRUE, False: algebra.FALSE}
    known = {symbol: truth[symbol.render() in ALLOWED] for symbol in tree.symbols}
    return bool(tree.subs(known, simplify=True) == algebra.TRUE)
