"""Freed memory is used again without the kernel's help."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MEASURE = """
import resource, sys

sys.path.insert(0, "src")
import torch
from optbench.training.memory import keep_freed_memory

if sys.argv[1] == "keep":
    keep_freed_memory()

def step():
    a = torch.ones(10_000_000)  # 40 MB: 9,766 pages
    b = a + a
    return a + b

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

for _ in range(30):  # until the heap has holes enough
    step()
before = faults()
for _ in range(10):
    step()
print(faults() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's malloc alone is asked")
def test_a_step_touches_no_new_pages() -> None:
    def faults(what: str) -> int:
        command = [sys.executable, "-c", MEASURE, what]
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        return int(run.stdout)

    assert faults("keep") < 1000
    assert faults("leave") > 10 * 9766  # control: malloc as it is
