"""Processes that read images: what is told when one is killed, and that none outlives its run."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.datasets.imagenet_files import (
    VARIABLE,
    archives,
    files,
    in_this_process,
    layout_of,
    write_tree,
)
from tests.datasets.test_manifest_making import children, is_gone, wait_for

from optbench.datasets import imagenet, manifest_making
from optbench.datasets.image_files import image_file_data
from optbench.datasets.imagenet_sources import obtain_layout

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
SCRIPT = """
import sys
from pathlib import Path
from optbench.core.errors import UsageError
from optbench.datasets.image_files import ImageFiles
from optbench.tasks.image_stream.loader import Loader, Reader, Request
import numpy as np

def main():
    place, index, manifest = map(Path, sys.argv[1:])
    files = ImageFiles(place=place, index=index, manifest=manifest, first=0, way_out="")
    reader = Reader(train=files, test=files, seed=0, side=32, flip=True)
    loader = Loader(reader, batch_size=4, workers=2, prefetch=2, pin_memory=False)
    request = lambda index: Request("train", np.arange(4), index)
    try:
        for batch in loader.serve(10**6, request, start=0):
            print("batch", flush=True)
    except UsageError as error:
        sys.exit(str(error))

if __name__ == "__main__":
    main()
"""


@pytest.fixture
def reading(tmp_path, monkeypatch):
    """A process that reads batches without end, once its first has come."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(manifest_making, "carry_out", in_this_process)
    packed = archives(files())
    monkeypatch.setenv(VARIABLE, str(write_tree(tmp_path / "brought", packed)))
    obtain_layout(layout := layout_of(packed), Path("raw"), sha256={})
    held = image_file_data(
        layout, Path("raw"), mean=imagenet.MEAN, std=imagenet.STD, sha256={}
    ).train
    script = tmp_path / "read.py"
    script.write_text(SCRIPT)
    process = subprocess.Popen(
        [sys.executable, str(script), str(held.place), str(held.index), str(held.manifest)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout.readline() == "batch\n"
    yield process
    process.kill()
    process.communicate(timeout=30)


def test_a_run_whose_reader_is_killed_ends_and_says_so(reading):
    """In our words, unless torch's handler of the signal interrupts what the run itself does."""
    first, _ = children(reading.pid)
    os.kill(first, signal.SIGKILL)
    _, errors = reading.communicate(timeout=30)
    assert reading.returncode == 1
    assert "a process that reads images was killed" in errors or "is killed by signal" in errors


def test_readers_end_when_their_run_is_killed(reading):
    readers = children(reading.pid)
    assert len(readers) == 2
    reading.kill()
    reading.wait()
    wait_for(lambda: all(map(is_gone, readers)), seconds=30)
