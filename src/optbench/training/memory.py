"""What the C library does with memory that is freed."""

import ctypes
import platform

# Of mallopt(3), glibc.
M_TRIM_THRESHOLD = -1
M_MMAP_MAX = -4


def keep_freed_memory() -> None:
    """Has glibc's malloc keep what is freed, for the life of the process.

    A step on the CPU frees tensors of many MB and asks for them again in the next one. By default
    such memory goes back to the kernel, which clears it page by page when it is next touched: on
    small networks that takes a fifth of the time. The peak is the same; other C libraries are left
    alone.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, -1)
