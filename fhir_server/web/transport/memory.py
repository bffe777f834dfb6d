"""How the C library gives memory back, https://man7.org/linux/man-pages/man3/mallopt.3.html."""

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""Names of settings in glibc's malloc.h."""

_LARGE_BYTES = 1024 * 1024
_ARENAS = 2


def return_large_blocks() -> bool:
    """Makes the C library hand each block of a megabyte back as soon as it is free; tells whether it does so.

    By itself it learns from the first large body to keep such blocks, and a worker that has read a few of them stays
    as large as it ever was. Other C libraries than glibc have no such setting.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    settings = ((_MMAP_THRESHOLD, _LARGE_BYTES), (_TRIM_THRESHOLD, 2 * _LARGE_BYTES), (_ARENA_MAX, _ARENAS))
    return all(mallopt(name, value) == 1 for name, value in settings)
