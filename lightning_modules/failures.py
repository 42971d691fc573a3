"""失败 failures: an exception of any library -> the error of ours that says what happened and what to do, or None.

A process that ran out of memory or disk ends with a code of its own, by which its caller knows what may help.
"""

from __future__ import annotations

import errno

from data_contracts.errors import OutOfMemory, StoreError, ZiliuError

# What torch says: torch.OutOfMemoryError on a GPU, its allocator on a CPU ("can't allocate memory: you tried to
# allocate N bytes"), oneDNN, and C++ itself. All are RuntimeErrors there, so that only their words tell them apart.
NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "could not create a memory", "bad_alloc")
NO_ROOM = {errno.ENOSPC: "disk full", errno.EDQUOT: "quota used up", errno.EFBIG: "file too large", errno.EROFS: ""}


def fault_of(error: BaseException) -> ZiliuError | None:
    """The error of ours that an exception is, or that stands behind it."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ZiliuError):
            return seen
        if isinstance(seen, OSError) and seen.errno in NO_ROOM:
            return StoreError(
                f"磁盘写不下 cannot write{f' {seen.filename}' if seen.filename else ''}: {seen.strerror}. The "
                "checkpoints that are there are untouched; free space, then start the run again: it goes on from them"
            )
        if isinstance(seen, MemoryError) or _is_out_of_memory(seen):
            return OutOfMemory(
                f"内存不足 out of memory: {str(seen).strip().splitlines()[0] if str(seen).strip() else 'MemoryError'}. "
                "The checkpoints that are there are untouched; lower pretrain.blocks_per_device (tokens_per_step stays)"
            )
        seen = seen.__cause__ or seen.__context__
    return None


def _is_out_of_memory(error: BaseException) -> bool:
    told = str(error).lower()
    return isinstance(error, RuntimeError) and any(words in told for words in NO_MEMORY)
