"""Typed readers of the environment: the only place that reads it.

Each reader names the variable, the value it found and the form it allows when they differ. A
secret may also be given as a file whose path stands in `NAME_FILE`.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from collections.abc import Sequence

TRUE = ("1", "true", "yes", "on")
FALSE = ("0", "false", "no", "off")


def text(name: str, default: str = "") -> str:
    """Read a string; unset and empty both give the default."""
    return os.environ.get(name, "").strip() or default


def boolean(name: str, default: bool) -> bool:
    """Read yes or no.

    Raises:
        ImproperlyConfigured: anything but 1/true/yes/on and 0/false/no/off.
    """
    value = text(name).lower()
    if not value:
        return default
    if value not in TRUE + FALSE:
        raise _wrong(name, value, "one of " + ", ".join(TRUE + FALSE))
    return value in TRUE


def integer(name: str, default: int, *, low: int, high: int) -> int:
    """Read a whole number from `low` to `high`.

    Raises:
        ImproperlyConfigured: not a whole number, or out of range.
    """
    value = text(name)
    if not value:
        return default
    try:
        number = int(value)
    except ValueError:
        number = low - 1
    if not low <= number <= high:
        raise _wrong(name, value, f"a whole number from {low} to {high}")
    return number


def number(name: str, default: float, *, low: float, high: float) -> float:
    """Read a number from `low` to `high`.

    Raises:
        ImproperlyConfigured: not a number, or out of range.
    """
    value = text(name)
    if not value:
        return default
    try:
        result = float(value)
    except ValueError:
        result = low - 1
    if not low <= result <= high:
        raise _wrong(name, value, f"a number from {low:g} to {high:g}")
    return result


def choice(name: str, default: str, allowed: Sequence[str]) -> str:
    """Read one of the allowed words.

    Raises:
        ImproperlyConfigured: another word.
    """
    value = text(name, default).lower()
    if value not in allowed:
        raise _wrong(name, value, "one of " + ", ".join(allowed))
    return value


def folder(name: str, default: Path) -> Path:
    """Read a folder, made when missing; relative ones count from the working folder.

    Raises:
        ImproperlyConfigured: it cannot be made, or is not a folder.
    """
    path = Path(text(name, str(default))).expanduser().absolute()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _wrong(name, str(path), f"a folder that can be made ({error})") from error
    return path


def origin(name: str, default: str) -> str:
    """Read the address people use, reduced to scheme, host and port.

    Raises:
        ImproperlyConfigured: not http(s)://host[:port].
    """
    value = text(name, default)
    parts = urlsplit(value)
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.scheme not in ("http", "https") or not parts.hostname or port == -1:
        raise _wrong(name, value, "an address such as https://chat.example.org")
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def secret(name: str) -> str:
    """Read a secret from NAME, or from the file that NAME_FILE names; empty when neither is set.

    Raises:
        ImproperlyConfigured: both are set, or the file cannot be read.
    """
    direct, file_name = text(name), text(f"{name}_FILE")
    if direct and file_name:
        raise ImproperlyConfigured(f"Set {name} or {name}_FILE, not both.")
    if not file_name:
        return direct
    try:
        return Path(file_name).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise _wrong(f"{name}_FILE", file_name, f"a readable file ({error})") from error


def kept_secret(name: str, path: Path) -> str:
    """Read a secret, or make one and keep it in `path`, readable by this user alone."""
    value = secret(name)
    if value:
        return value
    try:
        with path.open("x", encoding="ascii") as file:
            path.chmod(0o600)
            file.write(secrets.token_urlsafe(50))
    except FileExistsError:
        pass
    return path.read_text(encoding="ascii")


def _wrong(name: str, value: str, allowed: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"{name} is “{value}” but must be {allowed}.")
