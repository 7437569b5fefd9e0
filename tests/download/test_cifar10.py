"""The sources of CIFAR-10 in their true formats, with few images."""

import hashlib
import io
import json
import tarfile
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
            RNG.integers(0, 256, size=(RECORDS, 3072), dtype=np.uint8),
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
        ("package/test_batch.png", b"no png", "ends early or is no PNG"),
    ],
)
def test_damaged_parts_of_the_npm_package_are_named(tmp_path, member, content, message):
    members = {**npm_members(), member: content}
    with pytest.raises(SourceError, match=message):
        cifar10_sources._read_archive(archive(tmp_path / "a.tgz", members))


@pytest.mark.parametrize(
    "members",
    [{f"{i}.txt": b"" for i in range(101)}, {"huge.bin": bytes(40_000_001)}],
    ids=["many", "huge"],
)
def test_unpacking_stops_where_an_archive_holds_too_much(tmp_path, members):
    with pytest.raises(WrongContent, match="an archive of something else: member"):
        cifar10_sources._read_archive(archive(tmp_path / "a.tgz", {**members, **npm_members()}))


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
    with pytest.raises(WrongContent, match="expected an image a row"):
        cifar10_sources._read_archive(archive(tmp_path / "a.tgz", members))


def fails(error: SourceError):
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
