"""Telling callgrind when to count, from inside the program it runs.

Callgrind listens to a sequence of instructions that do nothing on a real processor. Source: the
amd64 part of valgrind.h, the numbers of callgrind.h.
"""

import ctypes
import mmap
from typing import Final

ZERO: Final = 0x43540001
DUMP: Final = 0x43540003
START: Final = 0x43540004
STOP: Final = 0x43540005

_CODE: Final = bytes.fromhex(
    "4889f8"  # mov rax, rdi: the request and its arguments
    "4889f2"  # mov rdx, rsi: the answer outside valgrind
    "48c1c703 48c1c70d 48c1c73d 48c1c733"  # rol rdi by 3, 13, 61, 51: nothing in sum
    "4887db"  # xchg rbx, rbx: here valgrind looks
    "4889d0"  # mov rax, rdx
    "c3"
)
_ROOM: Final = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
_ROOM.write(_CODE)
_ask: Final = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p, ctypes.c_uint64)(
    ctypes.addressof(ctypes.c_char.from_buffer(_ROOM))
)


def start() -> None:
    """Count from now on, from nothing."""
    _request(ZERO)
    _request(START)


def stop() -> None:
    """Count no more."""
    _request(STOP)


def dump(name: str) -> None:
    """Write what was counted into a file of its own, under a name."""
    text = ctypes.create_string_buffer(name.encode())
    _request(DUMP, ctypes.addressof(text))


def _request(number: int, argument: int = 0) -> None:
    result = (ctypes.c_uint64 * 6)(number, argument)
    _ask(ctypes.addressof(result), 0)
