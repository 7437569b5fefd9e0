"""A process that is stuck where no Python runs ends all the same when it is asked to."""

import os
import signal
import subprocess
import sys
import threading
import time

from tests.conftest import ROOT

from optbench.supervision.watchdog import watchdog

# Locks a mutex twice: a call that never returns, and that a signal does not interrupt.
STUCK = """
import ctypes, signal, sys, threading, time
from optbench.supervision.watchdog import watchdog

signal.signal(signal.SIGTERM, lambda number, frame: print("heard", flush=True))
scored = 0
mutex, libc = ctypes.create_string_buffer(64), ctypes.CDLL(None)
with watchdog(lambda: 0.5, lambda: scored):
    threading.Timer(0.5, lambda: print("in the block", flush=True)).start()
    if sys.argv[1] == "stuck":
        libc.pthread_mutex_lock(mutex)
        libc.pthread_mutex_lock(mutex)
    if sys.argv[1] == "listening":
        time.sleep(0.8)
    for scored in range(20):
        time.sleep(0.1 if sys.argv[1] == "scoring" else 0)
time.sleep(1)
print("left", flush=True)
"""


def start(how: str) -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, "-c", STUCK, how], env={**os.environ, "PYTHONPATH": "src"}, cwd=ROOT,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "in the block\n"
    return process


def test_a_stuck_process_ends_with_the_signals_exit_code():
    process = start("stuck")
    process.send_signal(signal.SIGTERM)
    begin = time.monotonic()
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 143
    assert time.monotonic() - begin < 10
    assert "SIGTERM: no step has ended in 0 s: stopped without it" in output
    assert "heard" not in output  # the control: Python's own handler was never run


def test_control_one_that_hears_is_left_to_itself():
    process = start("listening")
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert output == "heard\nleft\n"


def test_one_that_scores_meanwhile_has_its_time_again():
    """Two seconds at half a second of patience; afterwards it is heard as ever."""
    process = start("scoring")
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 0, output
    assert output == "heard\nleft\n"


def test_it_gives_back_what_it_took():
    threads = threading.active_count()
    with watchdog(lambda: 60.0, lambda: 0):
        taken = signal.set_wakeup_fd(-1)
        assert taken >= 0  # the control
        signal.set_wakeup_fd(taken)
        assert threading.active_count() == threads + 1
    assert signal.set_wakeup_fd(-1) == -1
    assert threading.active_count() == threads
