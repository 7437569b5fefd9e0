"""Float32 matrix products on the units that are made for shorter numbers."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch.backends import cuda, mkldnn


@contextmanager
def short_factors(*, when: bool = True) -> Iterator[None]:
    """Inside, float32 products round their factors, to bfloat16 on CPUs and to TF32 on CUDA.

    Sums and results stay float32. Numbers that were bfloat16 before lose nothing; a CPU with bf16
    matrix units is two to three times as fast.
    """
    if not when:
        yield
        return
    settings = (cuda.matmul, mkldnn.matmul)  # type: ignore[attr-defined]
    before = [setting.fp32_precision for setting in settings]
    for setting, precision in zip(settings, ("tf32", "bf16"), strict=True):
        setting.fp32_precision = precision
    try:
        yield
    finally:
        for setting, precision in zip(settings, before, strict=True):
            setting.fp32_precision = precision
