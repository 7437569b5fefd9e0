"""ILSVRC2012 in small: trees and archives are one data set, and each way to be none has its words.

The oracle of where bytes lie is Python's tarfile.
"""

import hashlib
import io
import os
import tarfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from tests.datasets.imagenet_files import (
    CLASSES,
    KIT,
    TRAIN_EACH,
    TRAIN_TAR,
    VAL_EACH,
    VAL_TAR,
    VARIABLE,
    archives,
    files,
    in_this_process,
    layout_of,
    write_tree,
)
from torchvision.datasets.imagenet import ARCHIVE_META

from optbench.core.errors import UsageError
from optbench.datasets import imagenet, imagenet_sources, manifest_making
from optbench.datasets.image_files import ImageFileData, image_file_data
from optbench.datasets.image_manifest import MANIFEST, read_manifest
from optbench.datasets.image_source import SPLITS, Layout
from optbench.datasets.imagenet_sources import obtain_layout
from optbench.download.errors import SourceError, Truncated, WrongContent
from optbench.download.obtain import obtain

FILES = files()
PACKED = archives(FILES)
LAYOUT = layout_of(PACKED)
FORMS = {"tree": FILES, "archives": PACKED}


@pytest.fixture(autouse=True)
def inline(monkeypatch, tmp_path):
    """Parts are done in this process, and what is known of a place lies in the test's folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(manifest_making, "carry_out", in_this_process)


def made(
    monkeypatch, contents: Mapping[str, bytes], *, layout: Layout = LAYOUT, name: str = "brought"
) -> Path:
    """The folder of a manifest that was made of such files."""
    monkeypatch.setenv(VARIABLE, str(write_tree(Path(name).absolute(), contents)))
    target = Path("raw") / name / "photographs"
    obtain_layout(layout, target, sha256={})
    return target


def data_of(target: Path) -> ImageFileData:
    return image_file_data(LAYOUT, target, mean=imagenet.MEAN, std=imagenet.STD, sha256={})


def test_trees_and_archives_have_the_same_ids_labels_and_bytes(monkeypatch):
    classes = sorted(CLASSES.values())
    expected = {
        split: [(classes.index(path.split("/")[1]), FILES[path])
                for path in sorted(FILES) if path.startswith(split)]
        for split in SPLITS
    }  # fmt: skip
    digests = set()
    for form, contents in FORMS.items():
        data = data_of(made(monkeypatch, contents, name=form))
        for split, held in zip(SPLITS, (data.train, data.test), strict=True):
            found = [(held.label(i), held.verified(i)) for i in range(len(held))]
            assert found == expected[split]
        assert data.class_counts.tolist() == [TRAIN_EACH] * len(CLASSES)
        digests.add(data.digest)
    assert len(digests) == 1
    mixed = {k: v for k, v in FILES.items() if k.startswith("val")} | {TRAIN_TAR: PACKED[TRAIN_TAR]}
    assert data_of(made(monkeypatch, mixed, name="mixed")).digest in digests


def test_control_another_byte_or_name_gives_another_digest(monkeypatch):
    first = data_of(made(monkeypatch, FILES)).digest
    path, *_ = FILES
    renamed = {path.replace(".JPEG", "0.JPEG") if k == path else k: v for k, v in FILES.items()}
    other = {**FILES, path: FILES[path] + b"\0"}
    digests = {
        data_of(made(monkeypatch, contents, name=f"n{i}")).digest
        for i, contents in enumerate((renamed, other))
    }
    assert len(digests | {first}) == 3


def test_the_manifest_says_what_hashlib_says(monkeypatch):
    target = made(monkeypatch, PACKED)
    manifest = read_manifest(target / MANIFEST, "")
    assert manifest.digest == hashlib.sha256((target / MANIFEST).read_bytes()).hexdigest()
    rows = manifest.rows
    assert len(rows) == len(CLASSES) * (TRAIN_EACH + VAL_EACH)
    for row in rows:
        content = FILES[f"{SPLITS[row['split']]}/{row['name'].decode()}"]
        assert row["sha256"].tobytes() == hashlib.sha256(content).digest()
        assert row["length"] == len(content)
    with tarfile.open(fileobj=io.BytesIO(PACKED[TRAIN_TAR])) as outer:
        inner = {m.name: m.offset_data for m in outer.getmembers()}
    held = data_of(target).train
    for location in held.locations:
        wnid, name = location["name"].decode().split("/")
        start = inner[f"{wnid}.tar"]
        with tarfile.open(fileobj=io.BytesIO(PACKED[TRAIN_TAR][start:])) as tar:
            assert location["offset"] == start + tar.getmember(name).offset_data


def replaced(name: str, content: bytes) -> Mapping[str, bytes]:
    return {**PACKED, name: content}


def without(contents: Mapping[str, bytes], part: str) -> Mapping[str, bytes]:
    return {name: content for name, content in contents.items() if part not in name}


TRAIN_FILE = next(iter(FILES))
CUT_INSIDE = PACKED[TRAIN_TAR][:20_000]
with tarfile.open(fileobj=io.BytesIO(PACKED[VAL_TAR])) as opened:
    WITHOUT_END = PACKED[VAL_TAR][: opened.getmembers()[-1].offset]  # the last member is gone
OF_ANOTHER_CLASS = {k.replace("val/n01440764", "val/n01440765"): v for k, v in FILES.items()}
FAILURES = {
    "missing archive": (
        without(PACKED, TRAIN_TAR), SourceError, "train.tar is missing, and so is a folder"
    ),
    "truncated inside": (replaced(TRAIN_TAR, CUT_INSIDE), Truncated, "train.tar ends early"),
    "truncated inside val": (
        replaced(VAL_TAR, PACKED[VAL_TAR][:7000]), Truncated, "val.tar ends early"
    ),
    "cut before its end": (replaced(VAL_TAR, WITHOUT_END), Truncated, "before its end is marked"),
    "an empty archive": (replaced(VAL_TAR, b""), WrongContent, "val.tar is an empty file"),
    "a web page": (replaced(TRAIN_TAR, b"<html>"), WrongContent, "train.tar is an HTML page"),
    "another checksum": (
        replaced(TRAIN_TAR, PACKED[TRAIN_TAR] + bytes(512)), WrongContent,
        "train.tar has md5 [0-9a-f]{32}, expected [0-9a-f]{32}",
    ),
    "a damaged header": (
        replaced(VAL_TAR, b"X" + PACKED[VAL_TAR][1:]), WrongContent, "at byte 0: bad checksum"
    ),
    "images in place of tars": (
        replaced(TRAIN_TAR, PACKED[VAL_TAR]), WrongContent, "train.tar is wrongly nested"
    ),
    "tars in place of images": (
        replaced(VAL_TAR, PACKED[TRAIN_TAR]), WrongContent, "val.tar is wrongly nested"
    ),
    "no labels": (without(PACKED, KIT), SourceError, "holds no labels, and .*devkit_t12.tar.gz"),
    "a damaged development kit": (
        replaced(KIT, PACKED[KIT][:-1] + b"x"), WrongContent, "devkit_t12.tar.gz has md5"
    ),
    "validation images without folders": (
        without(FILES, "val/") | {"val/ILSVRC2012_val_00000001.JPEG": b"x"}, WrongContent,
        "val_00000001.JPEG does not lie in a folder of a class, so that its label is not known",
    ),
    "a folder too deep": (
        {**FILES, "train/n01440764/images/a.JPEG": b""}, WrongContent, "images is wrongly nested"
    ),
    "what is no image": (
        {**FILES, "train/n01440764/list.txt": b""}, WrongContent, "list.txt is no image by its name"
    ),
    "a class too few": (
        without(FILES, "train/n01440764"), WrongContent, "train holds 3 classes, expected 4"
    ),
    "an image too few": (
        without(FILES, TRAIN_FILE), WrongContent, "train holds 35 images, expected 36"
    ),
    "another class": (OF_ANOTHER_CLASS, WrongContent, "other classes than .*: n0144076[45] is in"),
    "a truncated image": (
        {**FILES, TRAIN_FILE: FILES[TRAIN_FILE][:800]}, WrongContent,
        rf"example \d+ of train, .*/{TRAIN_FILE}, does not decode: .*truncated",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAILURES)
def test_each_way_to_be_no_data_set_has_its_words(monkeypatch, name):
    contents, kind, words = FAILURES[name]
    with pytest.raises(kind, match=words) as caught:
        made(monkeypatch, contents)
    assert type(caught.value) is kind
    assert not list(Path().rglob(MANIFEST))


def test_failures_have_different_messages():
    assert len({words for _, _, words in FAILURES.values()}) == len(FAILURES)


def test_an_image_that_does_not_decode_in_an_archive_is_named_with_its_byte(monkeypatch):
    contents = {**FILES, TRAIN_FILE: b"\xff\xd8\xff" + FILES[TRAIN_FILE][3:900]}
    packed = archives(contents)
    name = TRAIN_FILE.removeprefix("train/")
    with pytest.raises(WrongContent, match=rf"example \d+, {name} in .*train.tar at byte \d"):
        made(monkeypatch, packed, layout=layout_of(packed))


def test_without_the_variable_the_way_out_is_told(monkeypatch):
    monkeypatch.delenv(imagenet.LAYOUT.variable, raising=False)
    with pytest.raises(SourceError, match=r"OPTBENCH_IMAGENET is not set: name its folder by its"):
        obtain_layout(imagenet.LAYOUT, Path("raw"), sha256={})


def test_the_download_stage_makes_the_manifest_of_what_the_variable_names(monkeypatch):
    target = Path("raw/imagenet")
    monkeypatch.setattr(imagenet_sources, "LAYOUT", LAYOUT)
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(SourceError, match=f"{VARIABLE} is not set: name its folder"):
        obtain("imagenet", target)
    monkeypatch.setenv(VARIABLE, str(write_tree(Path("brought").absolute(), PACKED)))
    obtain("imagenet", target)
    assert [path.name for path in target.iterdir()] == [MANIFEST]


def test_a_hostile_tar_is_refused(monkeypatch):
    info = tarfile.TarInfo("n01440764.tar")
    info.size = 2**40
    for kind, words in ((tarfile.REGTYPE, "ends early"), (tarfile.SYMTYPE, "no plain file"),
                        (tarfile.GNUTYPE_SPARSE, "no plain file")):  # fmt: skip
        info.type = kind
        hostile = info.tobuf(tarfile.GNU_FORMAT) + bytes(1024)
        with pytest.raises(SourceError, match=words):
            made(monkeypatch, replaced(TRAIN_TAR, hostile), name=words.replace(" ", ""))


def test_a_file_that_no_image_can_be_is_refused_unread(monkeypatch):
    place = write_tree(Path("brought").absolute(), FILES) / TRAIN_FILE
    with place.open("r+b") as file:
        file.truncate(10**10)  # sparse: it takes no room
    monkeypatch.setenv(VARIABLE, str(Path("brought").absolute()))
    with pytest.raises(WrongContent, match="of 10,000,000,000 bytes, an image has at most"):
        obtain_layout(LAYOUT, Path("raw"), sha256={})


def changed(data: ImageFileData, form: str, example: int) -> None:
    """Turns a bit of an example's file, and leaves all times as they are."""
    place = data.train.place
    path = place / data.train.name(example) if form == "tree" else place
    offset = int(data.train.locations["offset"][example]) + 400
    times = path.stat()
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.mark.parametrize("form", FORMS)
def test_what_is_changed_after_the_manifest_was_made_is_refused_when_it_is_read(monkeypatch, form):
    data = data_of(made(monkeypatch, FORMS[form]))
    data.train.image(5)  # the control
    changed(data, form, 5)
    with pytest.raises(WrongContent, match=r"example 5.* has sha256 .*changed since the manifest"):
        data.train.image(5)
    data.train.image(4)


def test_a_file_that_is_shorter_or_gone_when_it_is_read_is_named(monkeypatch):
    data = data_of(made(monkeypatch, FILES))
    path = data.train.place / data.train.name(7)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(Truncated, match=r"example 7 .* has [\d,]+ bytes, expected"):
        data.train.image(7)
    path.unlink()
    with pytest.raises(UsageError, match=r"example 7 .* cannot be read: No such file"):
        data.train.image(7)


def test_other_files_than_the_manifests_are_refused_when_training_starts(monkeypatch):
    target = made(monkeypatch, FILES)
    data_of(target)
    path = Path("brought") / TRAIN_FILE
    path.rename(path.with_name("another.JPEG"))
    with pytest.raises(WrongContent, match=r"holds other files than .* lists, 2 of them"):
        data_of(target)


def test_a_manifest_that_is_there_is_kept_and_one_of_others_made_anew(monkeypatch, capsys):
    target = made(monkeypatch, FILES)
    first = (target / MANIFEST).stat().st_mtime_ns
    obtain_layout(LAYOUT, target, sha256={})
    assert (target / MANIFEST).stat().st_mtime_ns == first
    assert "is present" in capsys.readouterr().out
    path = Path("brought") / TRAIN_FILE
    path.rename(path.with_name("another.JPEG"))
    obtain_layout(LAYOUT, target, sha256={})
    assert b"another.JPEG" in (target / MANIFEST).read_bytes()


def test_a_known_digest_is_held_against_the_manifest(monkeypatch):
    target = made(monkeypatch, FILES)
    digest = read_manifest(target / MANIFEST, "").digest
    obtain_layout(LAYOUT, target, sha256={MANIFEST: digest})
    with pytest.raises(WrongContent, match=f"has sha256 {digest}, expected 00"):
        obtain_layout(LAYOUT, target, sha256={MANIFEST: "00"})
    with pytest.raises(UsageError, match=r"manifest\.npy is damaged: sha256 is"):
        image_file_data(LAYOUT, target, mean=imagenet.MEAN, std=imagenet.STD,
                        sha256={MANIFEST: "00"})  # fmt: skip


def test_a_missing_or_damaged_manifest_is_named(monkeypatch):
    target = made(monkeypatch, FILES)
    content = (target / MANIFEST).read_bytes()
    for damaged, words in ((content[:500], "is damaged"), (b"", "is damaged"),
                           (np_bytes(np.zeros(3)), "other columns")):  # fmt: skip
        (target / MANIFEST).write_bytes(damaged)
        with pytest.raises(UsageError, match=words):
            data_of(target)
    (target / MANIFEST).unlink()
    with pytest.raises(UsageError, match=r"missing: run `OPTBENCH_.*download@photographs`"):
        data_of(target)


def np_bytes(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def test_the_layout_is_that_of_torchvision():
    held = imagenet.LAYOUT
    ours = {**held.archives, "devkit": held.labels}
    assert {key: tuple(archive) for key, archive in ours.items()} == ARCHIVE_META
    assert held.examples == {"train": imagenet.TRAIN_EXAMPLES, "val": 50_000}
