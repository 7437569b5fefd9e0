"""A manifest made by several processes, one of which, or all, are killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.datasets.imagenet_files import CLASSES, VARIABLE, jpeg, photographs, write_tree

from optbench.datasets.image_manifest import MANIFEST

EACH = 40  # images of a class
SCRIPT = f"""
import sys
from dataclasses import replace
from pathlib import Path
from optbench.datasets import imagenet, imagenet_sources, manifest_making
layout = replace(imagenet.LAYOUT, name="photographs", variable="{VARIABLE}",
                 classes={len(CLASSES)}, examples={{"train": {EACH * len(CLASSES)}, "val": 4}})
manifest_making.SHARD = 5
imagenet_sources.obtain_layout(layout, Path("raw"), sha256={{}}, processes=int(sys.argv[1]))
"""


@pytest.fixture
def started(tmp_path):
    """Starts making a manifest of 164 photographs in the test's folder."""
    photo = jpeg(photographs()[0])
    contents = {f"train/{wnid}/{n}.JPEG": photo for wnid in CLASSES.values() for n in range(EACH)}
    write_tree(tmp_path / "tree", contents | {f"val/{w}/v.JPEG": photo for w in CLASSES.values()})
    environment = {**os.environ, "PYTHONPATH": "src", VARIABLE: str(tmp_path / "tree")}
    source = Path(__file__).parents[2] / "src"

    def start(processes: int) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(processes)], cwd=tmp_path, text=True,
            env={**environment, "PYTHONPATH": str(source)},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    return start


def wait_for(condition, *, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def children(pid: int) -> list[int]:
    """Those that read images, of the tracker of resources apart."""
    pids = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(p) for p in pids if b"spawn_main" in Path(f"/proc/{p}/cmdline").read_bytes()]


def is_gone(pid: int) -> bool:
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


def shards(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.rglob("shards/*.npy")}


def test_who_is_killed_goes_on_leaves_no_process_and_gives_the_same_bytes(started, tmp_path):
    first = started(2)
    wait_for(lambda: len(shards(tmp_path)) >= 4)
    readers = children(first.pid)
    assert len(readers) == 2
    assert not any(map(is_gone, readers))
    first.send_signal(signal.SIGKILL)
    first.wait()
    wait_for(lambda: all(map(is_gone, readers)))
    kept = shards(tmp_path)
    assert 4 <= len(kept) < 33
    assert not (tmp_path / "raw" / MANIFEST).exists()
    second = started(2)
    wait_for(lambda: len(shards(tmp_path)) > len(kept) or second.poll() is not None)
    assert kept.items() <= shards(tmp_path).items()  # none is made again
    output, _ = second.communicate()
    assert second.returncode == 0, output
    assert f"{len(kept)} of 33 parts are done already" in output
    resumed = (tmp_path / "raw" / MANIFEST).read_bytes()
    (tmp_path / "raw" / MANIFEST).unlink()
    third = started(1)
    output, _ = third.communicate()
    assert third.returncode == 0, output
    assert (tmp_path / "raw" / MANIFEST).read_bytes() == resumed


def test_a_reader_that_is_killed_is_told(started, tmp_path):
    main = started(1)
    wait_for(lambda: len(shards(tmp_path)) >= 2)
    os.kill(children(main.pid)[0], signal.SIGKILL)
    output, _ = main.communicate()
    assert main.returncode == 1
    assert "a process that reads images was killed, perhaps for its memory: run this" in output
