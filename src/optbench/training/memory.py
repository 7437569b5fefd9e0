"""What the C library does with memory that is freed."""

import ctypes
import platform

# Of mallopt(3), glibc.
M_TRIM_THRESHOLD = -1
M_TOP_PAD = -2
M_MMAP_MAX = -4
MADV_HUGEPAGE = 14  # of madvise(2)
HUGE_PAGE = 2**21
DEFAULT_TOP_PAD = 2**17
RESERVED = 2**31 - HUGE_PAGE  # of addresses; M_TOP_PAD is an int


def keep_freed_memory() -> None:
    """Has glibc's malloc keep what is freed, for the life of the process, in huge pages.

    A step on the CPU frees tensors of many MB and asks for them again in the next one. By default
    such memory goes back to the kernel, which clears it page by page when it is next touched: on
    small networks that takes a fifth of the time. The heap grows at once by 2 GB of addresses, no
    memory yet, for which the kernel is asked to give pages of 2 MB, where it has them. Other C
    libraries are left alone.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(M_MMAP_MAX, 0)
    libc.mallopt(M_TRIM_THRESHOLD, -1)
    ask_for_huge_pages(libc)


def ask_for_huge_pages(libc: ctypes.CDLL) -> None:
    """Lets the heap grow once by what is reserved, and advises the kernel on what is new."""
    libc.malloc.restype = libc.sbrk.restype = ctypes.c_void_p
    libc.malloc.argtypes, libc.free.argtypes = [ctypes.c_size_t], [ctypes.c_void_p]
    libc.sbrk.argtypes = [ctypes.c_long]
    libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    start = libc.sbrk(0)
    libc.mallopt(M_TOP_PAD, RESERVED)
    libc.free(libc.malloc(RESERVED // 8))  # more than is free, so that the heap grows
    libc.mallopt(M_TOP_PAD, DEFAULT_TOP_PAD)
    first, end = -(-start // HUGE_PAGE) * HUGE_PAGE, libc.sbrk(0)
    if end > first:
        libc.madvise(first, (end - first) // HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE)
