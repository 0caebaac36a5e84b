"""Takes from a process what decoding a picture does not need. Linux only.

After `confine` the process can compute, in threads too, read and write the one connection it holds,
and end. No file, socket or process can be opened any more, nobody else can be signalled or traced,
memory and processor time are bounded, and none of it can be undone. Source: setrlimit(2),
landlock(7), prctl(2).
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import struct

from chat.decoding import syscall_filter

NOBODY = 65_534
KEPT_DESCRIPTORS = 3  # standard input is the connection; the two outputs lead nowhere

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_SECCOMP = 22
_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_FILTER = 2
# The same numbers on every architecture.
_LANDLOCK_CREATE_RULESET = 444
_LANDLOCK_RESTRICT_SELF = 446
_LANDLOCK_VERSION_FLAG = 1
# By ABI version, the newest first: what of files, of TCP, and of other processes can be denied.
_LANDLOCK_RIGHTS = (
    (6, (0xFFFF, 0x3, 0x3)),
    (5, (0xFFFF, 0x3)),
    (4, (0x7FFF, 0x3)),
    (3, (0x7FFF,)),
    (2, (0x3FFF,)),
    (1, (0x1FFF,)),
)
_libc = ctypes.CDLL(None, use_errno=True)
_libc.prctl.argtypes = (ctypes.c_int, *(ctypes.c_ulong,) * 4)


def confine(*, memory_bytes: int, cpu_s: int) -> None:
    """Give up everything but computing, for good.

    `memory_bytes` bounds the address space, so beyond it Python raises MemoryError; after `cpu_s`
    seconds of processor time the kernel ends the process. Landlock is used where the kernel has
    it (5.13 and later), the filter on x86-64 and ARM; the rest holds everywhere.

    Raises:
        OSError: the kernel refused one of them; the process must not go on.
    """
    if os.geteuid() == 0:  # root could raise its limits again
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _deny_by_landlock()
    for limit, value in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_NOFILE, KEPT_DESCRIPTORS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))
    _prctl(_PR_SET_DUMPABLE, 0)
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    _filter_syscalls()


def _prctl(option: int, value: int, pointer: int = 0) -> None:
    if _libc.prctl(option, value, pointer, 0, 0) != 0:
        raise _last_error()


def _filter_syscalls() -> None:
    program = syscall_filter.program()
    if program is not None:
        _prctl(_PR_SET_SECCOMP, _SECCOMP_FILTER, ctypes.addressof(program))


def _deny_by_landlock() -> None:
    version = _libc.syscall(_LANDLOCK_CREATE_RULESET, None, 0, _LANDLOCK_VERSION_FLAG)
    for since, rights in _LANDLOCK_RIGHTS:
        if version >= since:
            _restrict_self(struct.pack(f"={len(rights)}Q", *rights))
            return


def _restrict_self(ruleset: bytes) -> None:
    """Deny all that the rule set handles: it allows nothing."""
    descriptor = _libc.syscall(_LANDLOCK_CREATE_RULESET, ruleset, ctypes.c_size_t(len(ruleset)), 0)
    if descriptor < 0:
        raise _last_error()
    try:
        if _libc.syscall(_LANDLOCK_RESTRICT_SELF, descriptor, 0) != 0:
            raise _last_error()
    finally:
        os.close(descriptor)


def _last_error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
