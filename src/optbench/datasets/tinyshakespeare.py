"""Tiny Shakespeare (Karpathy 2015): 1.1 million characters of several plays in one file.

Nothing fetches it: the user names the file in OPTBENCH_TINYSHAKESPEARE, and lists the data set with
`optbench new dataset tinyshakespeare`. By position, the first 90 % are to train on, the next 5 %
for validation, the last 5 % for tests.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from optbench.datasets.texts import TextData, vocabulary_of
from optbench.datasets.verified import read_verified
from optbench.download.local import named_path, read_sized

TEXT = "input.txt"
SHA256 = {TEXT: "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"}
SIZE_BYTES = 1_115_394
SHARES = (0.9, 0.95)  # where validation and test begin
VOCABULARY_SIZE = 2048
LOCAL_VARIABLE = "OPTBENCH_TINYSHAKESPEARE"
WAY_OUT = (
    f"name the file by its absolute path, as in `{LOCAL_VARIABLE}=/path/to/input.txt dvc repro "
    "data/dvc.yaml:download@tinyshakespeare`; or take the data set shakespeare, which is fetched"
)


def from_local_copy() -> dict[str, bytes]:
    """The file that the user names in the environment.

    Raises:
        SourceError: none is named, or it is of another size.
    """
    return {TEXT: read_sized(named_path(LOCAL_VARIABLE), SIZE_BYTES)}


SOURCES: Mapping[str, Callable[[], dict[str, bytes]]] = {"local copy": from_local_copy}


def load(root: Path) -> TextData:
    """Reads and verifies the file below `root`; its vocabulary is made anew of the first part.

    Raises:
        UsageError: the file is missing or damaged.
    """
    contents, digest = read_verified(root, SHA256)
    text = contents[TEXT].decode("utf-8")
    start, middle = (int(share * len(text)) for share in SHARES)
    train, validation, test = text[:start], text[start:middle], text[middle:]
    vocabulary = vocabulary_of([train], VOCABULARY_SIZE)
    return TextData([train], [validation], [test], vocabulary, digest)
