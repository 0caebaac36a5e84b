"""A seccomp filter: threads yes; other processes, programs, sockets and tracing no.

Written by hand since it is twenty instructions of classic BPF: each is a struct of operation, two
jump distances and a constant. Source: seccomp(2), linux/filter.h, the kernel's system call tables.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct

# machine: (its AUDIT_ARCH, clone, clone3, what is denied)
# execve, execveat, ptrace, socket, socketpair, process_vm_readv, process_vm_writev; fork and vfork
# where they exist.
_TABLES = {
    "x86_64": (0xC000003E, 56, 435, (59, 322, 101, 41, 53, 310, 311, 57, 58)),
    "aarch64": (0xC00000B7, 220, 435, (221, 281, 117, 198, 199, 270, 271)),
}
_X32_BIT = 0x4000_0000  # x86-64's second table, which has everything under other numbers
_CLONE_THREAD = 0x10000
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _IF_SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCH, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data
_ALLOW, _KILL, _ERROR = 0x7FFF_0000, 0x8000_0000, 0x0005_0000


class Program(ctypes.Structure):
    """`struct sock_fprog`: how many instructions, and where."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def program() -> Program | None:
    """Build the filter for this machine, or nothing where its table is not known."""
    table = _TABLES.get(platform.machine())
    if table is None:
        return None
    arch, clone, clone3, denied = table
    steps = [
        (_LOAD, 0, 0, _ARCH),
        (_IF_EQUAL, 1, 0, arch),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_IF_AT_LEAST, 0, 1, _X32_BIT),
        (_RETURN, 0, 0, _KILL),
    ]
    for number in denied:
        steps += [(_IF_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERROR | errno.EPERM)]
    steps += [
        # Its flags lie in memory, where a filter cannot look; the C library then takes clone.
        (_IF_EQUAL, 0, 1, clone3),
        (_RETURN, 0, 0, _ERROR | errno.ENOSYS),
        (_IF_EQUAL, 0, 3, clone),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_IF_SET, 1, 0, _CLONE_THREAD),
        (_RETURN, 0, 0, _ERROR | errno.EPERM),
        (_RETURN, 0, 0, _ALLOW),
    ]
    code = b"".join(struct.pack("=HBBI", *step) for step in steps)
    return Program(len(steps), code)
