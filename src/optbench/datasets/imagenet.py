"""ImageNet (Russakovsky et al. 2015, arXiv 1409.0575): ILSVRC2012's photographs of 1,000 classes.

Nobody may pass it on: the user names a folder with it, archives or folder trees, which stays as it
is. What the project stores of it is a manifest. The validation set, whose labels were published, is
what networks are tested on.
"""

from collections.abc import Mapping
from pathlib import Path

from optbench.datasets.image_files import ImageFileData, image_file_data
from optbench.datasets.image_source import Archive, Layout

# Of the manifest. Whoever has made one from archives whose md5 held may write it here.
SHA256: Mapping[str, str] = {}
TRAIN_EXAMPLES = 1_281_167
LAYOUT = Layout(
    name="imagenet",
    variable="OPTBENCH_IMAGENET",
    # md5 as torchvision/datasets/imagenet.py has them.
    archives={
        "train": Archive("ILSVRC2012_img_train.tar", "1d675b47d978889d74fa0da5fadfb00e"),
        "val": Archive("ILSVRC2012_img_val.tar", "29b22e2961454d5413ddabcf34fc5622"),
    },
    labels=Archive("ILSVRC2012_devkit_t12.tar.gz", "fa75699e90414af021442c21a62c3abf"),
    classes=1000,
    examples={"train": TRAIN_EXAMPLES, "val": 50_000},
)
# Those that torchvision's reference training normalises by.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


def load(root: Path) -> ImageFileData:
    """The data set whose manifest lies below `root`; no pixels.

    Raises:
        UsageError: files or manifest are missing or damaged, or do not belong together.
    """
    return image_file_data(LAYOUT, root, mean=MEAN, std=STD, sha256=SHA256)
