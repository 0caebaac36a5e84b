"""A seccomp filter: threads yes; files, other processes, programs, sockets and tracing no.

Written by hand since it is a list in classic BPF: each instruction is a struct of operation, two
jump distances and a constant. Source: seccomp(2), linux/filter.h, the kernel's system call tables.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct

# machine: (its AUDIT_ARCH, clone, clone3, its column of the table below)
_MACHINES = {"x86_64": (0xC000003E, 56, 435, 0), "aarch64": (0xC00000B7, 220, 435, 1)}
# What is denied, by its number on x86-64 and on ARM, where some of it never existed. Files also by
# Landlock, but not every kernel has that; and io_uring would do any of it past a filter.
_DENIED: dict[str, tuple[int, int | None]] = {
    # programs and processes
    "execve": (59, 221),
    "execveat": (322, 281),
    "fork": (57, None),
    "vfork": (58, None),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kill": (62, 129),
    "tkill": (200, 130),
    "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "pidfd_send_signal": (424, 424),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "prlimit64": (302, 261),
    # sockets
    "socket": (41, 198),
    "socketpair": (53, 199),
    # files
    "open": (2, None),
    "creat": (85, None),
    "openat": (257, 56),
    "openat2": (437, 437),
    "open_by_handle_at": (304, 265),
    "unlink": (87, None),
    "unlinkat": (263, 35),
    "rename": (82, None),
    "renameat": (264, 38),
    "renameat2": (316, 276),
    "link": (86, None),
    "linkat": (265, 37),
    "symlink": (88, None),
    "symlinkat": (266, 36),
    "mkdir": (83, None),
    "mkdirat": (258, 34),
    "rmdir": (84, None),
    "mknod": (133, None),
    "mknodat": (259, 33),
    "chmod": (90, None),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "truncate": (76, 45),
    # ways around a filter, and parts of the kernel that break often
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
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
    machine = _MACHINES.get(platform.machine())
    if machine is None:
        return None
    arch, clone, clone3, column = machine
    steps = [
        (_LOAD, 0, 0, _ARCH),
        (_IF_EQUAL, 1, 0, arch),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_IF_AT_LEAST, 0, 1, _X32_BIT),
        (_RETURN, 0, 0, _KILL),
    ]
    for number in filter(None, (numbers[column] for numbers in _DENIED.values())):
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
