"""Keeping large blocks of memory between training steps instead of giving them back each time."""

import contextlib
import ctypes
import platform
from collections.abc import Iterator

# Parameters of mallopt, from glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
DEFAULT_THRESHOLD = 128 * 1024  # bytes, of both
LARGEST = 2**31 - 1  # bytes, what mallopt's int holds


@contextlib.contextmanager
def reused_blocks() -> Iterator[None]:
    """Let the C library keep freed blocks of any size inside the block.

    Each layer of a network allocates activations of tens of megabytes. glibc takes such blocks
    from the kernel and gives them back at once, so that every step faults in every page anew:
    40% of the processor time of training a network of this size. Elsewhere nothing changes.

    Examples
    --------
    >>> with reused_blocks():
    ...     total = sum(range(3))
    >>> total
    3
    """
    if platform.libc_ver()[0] != "glibc":
        yield
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(M_MMAP_THRESHOLD, LARGEST)
    libc.mallopt(M_TRIM_THRESHOLD, LARGEST)
    try:
        yield
    finally:
        libc.mallopt(M_MMAP_THRESHOLD, DEFAULT_THRESHOLD)
        libc.mallopt(M_TRIM_THRESHOLD, DEFAULT_THRESHOLD)
        libc.malloc_trim(0)
