"""Digests of the code behind a result, part by part, so that only what matters retrains.

A part's digest is over the files that it imports, directly or not, each without its comments,
docstrings and blank lines: these change no result. Of packages that are installed, the version
counts; of a package that is developed elsewhere, its files. Torch's version is not in it but in
the fingerprint, which a result keeps.
"""

import ast
import hashlib
import importlib.util
import io
import sys
import tokenize
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path

from optbench.core.files import publish
from optbench.core.packages import distributions_of
from optbench.core.registry import PACKAGE, module_name, score_module_name
from optbench.core.run import Run
from optbench.params.signatures import SINGULAR, names

ROOT = PACKAGE.parent  # what the package is imported from
PROJECT = ROOT.parent
FOLDER = Path("reports/code")
# Watches, keeps and resumes a run, and changes no bit of it.
WITHOUT_EFFECT = "optbench.supervision"
# In the fingerprint, below everything, or the same bits with and without.
NEUTRAL = {*sys.stdlib_module_names, "torch", "numpy", "numba", "annotated_types"}
# Where the code of stages begins: modules, and scripts but where they hold mere words.
STAGES = {
    "training": ("optbench.training.train",),
    "study": ("optbench.training.train", "optbench.studies.points", "optbench.studies.trials"),
    "cost": ("stages/cost.py",),
    "validate": ("stages/validate.py",),
    "evaluate": ("stages/evaluate.py",),
    "report": ("stages/report.py",),
    "index": ("stages/index.py",),
    "score": ("stages/score.py",),
}


def digests() -> dict[str, str]:
    """The sha256 of every part, by names such as `training` and `optimizers/adam`."""
    roots = dict(STAGES)
    for kind in SINGULAR:
        for name in names(kind):
            roots[f"{kind}/{name}"] = (module_name(kind, name),)
    for name in names("tasks"):
        roots[f"tasks/{name}"] += (score_module_name(name),)
    return {part: digest(*places) for part, places in roots.items()}


def write_digests() -> None:
    """Writes each part's digest to a file for each part, on which stages depend."""
    for part, sha256 in digests().items():
        publish(FOLDER / f"{part}.sha256", f"{sha256}\n")


def read_digests() -> dict[str, str]:
    """What `write_digests` wrote."""
    return {
        path.relative_to(FOLDER).with_suffix("").as_posix(): path.read_text().strip()
        for path in FOLDER.rglob("*.sha256")
    }


def code_of(run: Run, stage: str, code: Mapping[str, str]) -> dict[str, str]:
    """The digests of the parts that a run depends on, of all that there are."""
    settings = run.settings
    parts = {
        "datasets": settings.dataset, "models": settings.network, "optimizers": run.optimizer,
        "schedules": run.schedule, "tasks": settings.task,
    }  # fmt: skip
    return {stage: code[stage]} | {
        SINGULAR[kind]: code[f"{kind}/{name}"]
        for kind, name in parts.items()
        if f"{kind}/{name}" in code
    }


def digest(*places: str) -> str:
    """The sha256 of the code of modules or scripts, and of all that they import."""
    files, packages = closure(*places)
    lines = [f"{_sha256(path)}  {path.relative_to(PROJECT).as_posix()}\n" for path in files]
    lines += [f"{identity(package)}  {package}\n" for package in packages]
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


def closure(*places: str) -> tuple[set[Path], set[str]]:
    """The files of modules or scripts, and of all that they import here; and other packages."""
    files: set[Path] = set()
    packages: set[str] = set()
    waiting = list(places)
    while waiting:
        place = waiting.pop()
        path = file_of(place)
        if path is None or path in files or place.startswith(WITHOUT_EFFECT):
            continue
        files.add(path)
        for name in imports(path):
            top = name.partition(".")[0]
            if top == PACKAGE.name:
                waiting.append(name)
            elif top not in NEUTRAL:
                packages.add(top)
    return files, packages


@cache
def file_of(place: str) -> Path | None:
    """The file of a script or of a module here; None where a name is something in a module."""
    is_script = place.endswith(".py")
    path = PROJECT / place if is_script else ROOT.joinpath(*place.split(".")).with_suffix(".py")
    return path if path.is_file() else None


@cache
def imports(path: Path) -> tuple[str, ...]:
    """The dotted names that a file imports."""
    imported: list[str] = []
    for node in _statements(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported.append(node.module)
            imported += [f"{node.module}.{alias.name}" for alias in node.names]
    return tuple(imported)


@cache
def identity(package: str) -> str:
    """What stands for a package: its version where it is installed, else the sha256 of its files.

    An absent package is left to whoever imports it.
    """
    spec = importlib.util.find_spec(package)
    if spec is None:
        return "absent"
    places = [Path(place) for place in spec.submodule_search_locations or [str(spec.origin)]]
    if any(map(is_installed, places)):
        return installed_version(package)
    files = [
        file
        for place in places
        for file in ([place] if place.is_file() else sorted(place.rglob("*.py")))
    ]
    return hashlib.sha256("".join(map(_sha256, files)).encode()).hexdigest()


def is_installed(place: Path) -> bool:
    """Whether a package lies where an installer has put it, and is not developed."""
    return not {"site-packages", "dist-packages"}.isdisjoint(place.parts)


def installed_version(package: str) -> str:
    """The versions of the distributions that an installed package comes from."""
    versions = distributions_of(package)
    return ", ".join(f"{name} {version}" for name, version in versions.items()) or "unknown"


@cache
def _sha256(path: Path) -> str:
    """The sha256 of a file's code; of all its bytes where it is no Python."""
    content = path.read_bytes()
    with suppress(SyntaxError, ValueError, tokenize.TokenError):
        content = "\n".join(code_lines(path.read_text(encoding="utf-8"))).encode()
    return hashlib.sha256(content).hexdigest()


def code_lines(text: str) -> Iterator[str]:
    """The lines of a source text without comments, docstrings and blank lines.

    By positions in the text, since trees and tokens differ between versions of Python.
    """
    lines = text.split("\n")
    tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    docstrings = list(_docstrings(text))
    # From the last on: what is cut moves nothing before it.
    for first, start, last, end in sorted((*docstrings, *_comments(tokens)), reverse=True):
        for number in range(first, last + 1):
            line = lines[number - 1]
            low = start if number == first else 0
            high = end if number == last else len(line)
            lines[number - 1] = line[:low] + line[high:]
    verbatim = _within_strings(tokens)
    verbatim -= {number for first, _, last, _ in docstrings for number in range(first, last)}
    for number, line in enumerate(lines, start=1):
        if number in verbatim or (line := line.rstrip()):
            yield line


def _docstrings(text: str) -> Iterator[tuple[int, int, int, int]]:
    """First line and column, last line and column of each docstring."""
    holders = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    encoded = [line.encode() for line in text.split("\n")]
    tree = ast.parse(text)
    for node in (tree, *_statements(tree)):
        if isinstance(node, holders) and ast.get_docstring(node, clean=False) is not None:
            place = node.body[0]
            last = place.end_lineno or place.lineno
            # Columns count bytes.
            start = len(encoded[place.lineno - 1][: place.col_offset].decode())
            end = len(encoded[last - 1][: place.end_col_offset].decode())
            yield place.lineno, start, last, end


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """Every statement within a node, without the expressions, which are most of a tree."""
    for field in ("body", "handlers", "orelse", "finalbody", "cases"):
        for inner in getattr(node, field, ()):
            yield inner
            yield from _statements(inner)


def _comments(tokens: Iterable[tokenize.TokenInfo]) -> Iterator[tuple[int, int, int, int]]:
    """The same of each comment."""
    for token in tokens:
        if token.type == tokenize.COMMENT:
            yield *token.start, *token.end


def _within_strings(tokens: Iterable[tokenize.TokenInfo]) -> set[int]:
    """The numbers of the lines that end inside a string: there, blanks are part of the code."""
    numbers: set[int] = set()
    starts: list[int] = []
    for token in tokens:
        kind = tokenize.tok_name[token.type]
        if kind.endswith("STRING_START"):  # of an f-string, from Python 3.12 on
            starts.append(token.start[0])
        elif kind.endswith("STRING_END"):
            numbers.update(range(starts.pop(), token.end[0]))
        elif kind == "STRING":
            numbers.update(range(token.start[0], token.end[0]))
    return numbers
