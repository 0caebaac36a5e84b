"""Typed readers of the environment: the only place that reads it.

Each reader names the variable, the value it found and the form it allows when they differ. A
secret may also be given as a file whose path stands in `NAME_FILE`.
"""

from __future__ import annotations

import ipaddress
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from collections.abc import Sequence

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
LOOPBACK = ("127.0.0.0/8", "::1/128")
NETWORK_WORDS: dict[str, tuple[str, ...]] = {
    "none": (),
    "loopback": LOOPBACK,
    "private": (*LOOPBACK, "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"),
}
SECRET_FILES: dict[str, Path] = {}  # those that were read, by the secret's name
TRUE = ("1", "true", "yes", "on")
FALSE = ("0", "false", "no", "off")


def inherited() -> dict[str, str]:
    """Copy the whole environment, for a process that this one starts."""
    return dict(os.environ)


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
    """Read a folder, made when missing for its owner to list; relative: from the working folder.

    Raises:
        ImproperlyConfigured: it cannot be made, or is not a folder.
    """
    path = Path(text(name, str(default))).expanduser().absolute()
    try:
        path.mkdir(mode=0o711, parents=True, exist_ok=True)  # PostgreSQL's user passes through
    except OSError as error:
        raise _wrong(name, str(path), f"a folder that can be made ({error})") from error
    return path


def origin(name: str, default: str) -> str:
    """Read an address as browsers send it in `Origin`: scheme, host, port; an empty default too.

    Raises:
        ImproperlyConfigured: not http(s)://host[:port].
    """
    value = text(name, default)
    if not value:
        return ""
    parts = urlsplit("")
    try:
        parts = urlsplit(value)
        host = _host_as_sent(parts.hostname or "")
        port = parts.port
    except ValueError:
        host, port = "", None
    if parts.scheme not in ("http", "https") or not host:
        raise _wrong(name, value, "an address such as https://chat.example.org")
    is_default_port = port is None or port == {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" + ("" if is_default_port else f":{port}")


def _host_as_sent(host: str) -> str:
    """Write a host as browsers do in `Origin`: lower case, ASCII, IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host.encode("idna").decode("ascii")


def networks(name: str, default: str) -> tuple[Network, ...]:
    """Read addresses and networks, parted by commas; a word of `NETWORK_WORDS` stands for several.

    Raises:
        ImproperlyConfigured: one is neither, or has bits set beside its network's.
    """
    value = text(name, default)
    words = [word.strip().lower() for word in value.split(",")]
    try:
        return tuple(
            ipaddress.ip_network(network)
            for word in words
            for network in NETWORK_WORDS.get(word, (word,))
        )
    except ValueError as error:
        raise _wrong(
            name, value, "networks such as 10.0.0.0/8, or " + ", ".join(NETWORK_WORDS)
        ) from error


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
    SECRET_FILES[name] = Path(file_name)
    try:
        return Path(file_name).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise _wrong(f"{name}_FILE", file_name, f"a readable file ({error})") from error


def kept_secret(name: str, path: Path) -> str:
    """Read a secret, or make one and keep it in `path`, readable by this user alone.

    Raises:
        ImproperlyConfigured: as `secret`, or the kept file is empty.
    """
    value = secret(name)
    if value:
        return value
    try:
        with open(path, "x", encoding="ascii", opener=_open_private) as file:
            file.write(secrets.token_urlsafe(50))
    except FileExistsError:
        pass
    SECRET_FILES[name] = path
    kept = path.read_text(encoding="ascii").strip()
    if not kept:  # a process that died, or is just about to write
        raise ImproperlyConfigured(f"{path} is empty. Delete it, and a new secret is made.")
    return kept


def keep_private(path: Path) -> None:
    """Make the file when it is missing, readable by this user alone."""
    path.touch(mode=0o600, exist_ok=True)


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _wrong(name: str, value: str, allowed: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"{name} is “{value}” but must be {allowed}.")
