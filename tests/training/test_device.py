"""The fingerprint holds what the bits depend on, and nothing by which they do not change."""

import os
from types import SimpleNamespace

import pytest
import torch
from tests.conftest import digits_run

from optbench.training import device


def test_what_libraries_compute_by_is_in_the_fingerprint(monkeypatch):
    settings, cpu = digits_run().settings, torch.device("cpu")
    task = SimpleNamespace(data_sha256="0")
    for name in list(os.environ):  # what this machine's owner has set
        if device.library_settings({name: "1"}):
            monkeypatch.delenv(name)
    before = device.fingerprint(settings, cpu, task)
    for name, value in [
        ("MKL_CBWR", "COMPATIBLE"), ("ONEDNN_MAX_CPU_ISA", "AVX2"), ("DNNL_MAX_CPU_ISA", "AVX2"),
        ("MKL_ENABLE_INSTRUCTIONS", "SSE4_2"), ("ONEDNN_DEFAULT_FPMATH_MODE", "BF16"),
        ("OPENBLAS_CORETYPE", "Haswell"), ("NVIDIA_TF32_OVERRIDE", "1"), ("OMP_DYNAMIC", "true"),
        ("CUBLAS_WORKSPACE_CONFIG", ":16:8"),
    ]:  # fmt: skip
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            after = device.fingerprint(settings, cpu, task)
        assert after == {**before, "libraries": f"{name}={value}"}


@pytest.mark.parametrize(
    "name",
    ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_PROC_BIND", "MKL_VERBOSE",
     "GOMP_CPU_AFFINITY", "KMP_BLOCKTIME", "OMP_WAIT_POLICY", "HOME",
     "KMP_DUPLICATE_LIB_OK", "KMP_INIT_AT_FORK"],
)  # fmt: skip
def test_control_what_changes_no_bit_is_not(name):
    assert device.library_settings({name: "2"}) == ""


def test_several_are_in_one_order():
    settings = {"ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_CBWR": "AVX"}
    assert device.library_settings(settings) == "MKL_CBWR=AVX ONEDNN_MAX_CPU_ISA=AVX2"
    assert device.library_settings(os.environ | dict([device.WORKSPACE])) == (
        device.library_settings(os.environ)
    )


def test_the_vendor_is_that_of_the_processor(tmp_path, monkeypatch):
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nvendor_id\t: GenuineIntel\nmodel\t: 1\n")
    monkeypatch.setattr(device, "CPUINFO", tmp_path / "cpuinfo")
    assert device.cpu_vendor() == "GenuineIntel"
    monkeypatch.setattr(device, "CPUINFO", tmp_path / "absent")
    assert device.cpu_vendor() == device.platform.processor()
