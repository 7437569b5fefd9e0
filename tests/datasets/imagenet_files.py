"""ILSVRC2012 in small, made of photographs: a folder tree, and archives in the true layout."""

import hashlib
import io
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image
from scipy.io import savemat
from sklearn.datasets import load_sample_images

from optbench.datasets import manifest_making
from optbench.datasets.image_source import Archive, Layout

VARIABLE = "OPTBENCH_PHOTOGRAPHS"
TRAIN_TAR, VAL_TAR, KIT = "ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar", "devkit_t12.tar.gz"
# By the number that ILSVRC2012 gives a class, which is not its rank.
CLASSES = {1: "n02119789", 2: "n02100735", 3: "n01440764", 4: "n02128757"}
OTHER = {5: "n00001740"}  # a class of classes, which the development kit lists too
TRAIN_EACH, VAL_EACH = 9, 3


def in_this_process(works: Sequence[manifest_making.Work], **_: object) -> None:
    """Instead of `manifest_making.carry_out`, which starts processes."""
    for work in works:
        manifest_making.do(work)


def photographs() -> list[Image.Image]:
    """Three that scikit-learn and matplotlib ship, 640 x 427, 640 x 427, 512 x 600."""
    hopper = Path(matplotlib.get_data_path()) / "sample_data/grace_hopper.jpg"
    images = [Image.fromarray(pixels) for pixels in load_sample_images().images]
    return [*images, Image.open(hopper).convert("RGB")]


def jpeg(image: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", **{"quality": 90, **options})
    return file.getvalue()


def files() -> dict[str, bytes]:
    """By path in the tree, parts of the photographs of many sizes as JPEG."""
    rng, photos = np.random.default_rng(0), photographs()
    contents: dict[str, bytes] = {}
    validation = 0
    for number in range(TRAIN_EACH + VAL_EACH):
        for label, wnid in CLASSES.items():
            photo = photos[(number + label) % 3]
            width, height = (int(side) for side in rng.integers(60, 140, size=2))
            left, top = (int(rng.integers(0, a - b)) for a, b in
                         zip(photo.size, (width, height), strict=True))  # fmt: skip
            content = jpeg(photo.crop((left, top, left + width, top + height)))
            if number < TRAIN_EACH:
                contents[f"train/{wnid}/{wnid}_{int(rng.integers(10**5))}.JPEG"] = content
            else:
                validation += 1
                contents[f"val/{wnid}/ILSVRC2012_val_{validation:08}.JPEG"] = content
    return contents


def write_tree(folder: Path, contents: Mapping[str, bytes]) -> Path:
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def tar_of(contents: Mapping[str, bytes], *, mode: str = "w") -> bytes:
    """A tar as GNU tar writes it."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode, format=tarfile.GNU_FORMAT) as tar:
        for name, content in contents.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return file.getvalue()


def archives(contents: Mapping[str, bytes]) -> dict[str, bytes]:
    """The three archives of what a tree holds; classes and files in an order of their own."""
    inner: dict[str, dict[str, bytes]] = {wnid: {} for wnid in CLASSES.values()}
    validation: dict[str, tuple[str, bytes]] = {}
    for path, content in reversed(contents.items()):
        split, wnid, name = path.split("/")
        if split == "train":
            inner[wnid][name] = content
        else:
            validation[name] = wnid, content
    numbers = {wnid: number for number, wnid in CLASSES.items()}
    labels = "".join(f"{numbers[validation[name][0]]}\n" for name in sorted(validation))
    return {
        TRAIN_TAR: tar_of({f"{wnid}.tar": tar_of(members) for wnid, members in inner.items()}),
        VAL_TAR: tar_of({name: content for name, (_, content) in validation.items()}),
        KIT: tar_of(
            {
                "ILSVRC2012_devkit_t12/data/meta.mat": meta(),
                "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt":
                    labels.encode(),
            },
            mode="w:gz",
        ),
    }  # fmt: skip


def meta() -> bytes:
    """A MATLAB file of classes, with columns that nobody asks for."""
    kind = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O"), ("num_children", "O")]
    rows = [(number, wnid, "a word", 0) for number, wnid in {**CLASSES, **OTHER}.items()]
    file = io.BytesIO()
    savemat(file, {"synsets": np.array(rows, dtype=kind)[:, None]})
    return file.getvalue()


def layout_of(packed: Mapping[str, bytes], name: str = "photographs") -> Layout:
    """What the archives are, with their md5."""
    train, val, kit = (
        Archive(name, hashlib.md5(packed[name]).hexdigest()) for name in (TRAIN_TAR, VAL_TAR, KIT)
    )
    return Layout(
        name=name,
        variable=VARIABLE,
        archives={"train": train, "val": val},
        labels=kit,
        classes=len(CLASSES),
        examples={"train": len(CLASSES) * TRAIN_EACH, "val": len(CLASSES) * VAL_EACH},
    )
