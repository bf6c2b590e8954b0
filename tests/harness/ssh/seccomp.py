"""A filter of system calls after which setgroups does nothing and says that it did.

sshd gives up its groups before anything else. In a user namespace that an unprivileged user made,
the kernel allows nobody to do that, and sshd ends. Sources: seccomp(2), user_namespaces(7).
"""

from __future__ import annotations

import ctypes
import platform
from pathlib import Path

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, SAY_DONE = 0x7FFF0000, 0x00050000  # SECCOMP_RET_ALLOW; SECCOMP_RET_ERRNO with 0
SETGROUPS = {"x86_64": 116, "aarch64": 159}


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_uint16),
        ("if_true", ctypes.c_uint8),
        ("if_false", ctypes.c_uint8),
        ("k", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("filter", ctypes.POINTER(_Instruction)))


def is_needed() -> bool:
    """Does this user namespace forbid setgroups?"""
    return Path("/proc/self/setgroups").read_text().strip() == "deny"


def pretend_setgroups() -> None:
    """For this process and all that come of it."""
    lines = (
        (LOAD, 0, 0, 0),  # the number of the call
        (JUMP_IF_EQUAL, 0, 1, SETGROUPS[platform.machine()]),
        (RETURN, 0, 0, SAY_DONE),
        (RETURN, 0, 0, ALLOW),
    )
    instructions = (_Instruction * len(lines))(*(_Instruction(*line) for line in lines))
    program = _Program(len(lines), instructions)
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no_new_privs was refused")
    if prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program)) != 0:
        raise OSError(ctypes.get_errno(), "the filter was refused")
