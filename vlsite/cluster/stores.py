"""A cluster's own Redis and PostgreSQL: kept in its folder, reached from this machine alone."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

POSTGRES_USER = "postgres"  # PostgreSQL refuses to run as root
DATABASE_USER = "vlsite"
DATABASE = "postgres"  # the one that every PostgreSQL has; nothing else lives in this one
DEBIANS_POSTGRES = Path("/usr/lib/postgresql")


class StoreError(RuntimeError):
    """A store cannot be prepared; the message says what to do."""


def free_port() -> int:
    """Find a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def kept_password(path: Path) -> str:
    """Read a password from the file, or make one and keep it there, for this user alone."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(24), encoding="ascii")
    return path.read_text(encoding="ascii")


def program(name: str) -> str:
    """Find a program, also PostgreSQL's, which Debian keeps out of PATH; the newest comes first.

    Raises:
        StoreError: it is not installed.
    """
    versions = sorted(DEBIANS_POSTGRES.glob("*/bin"), key=lambda bin_: -int(bin_.parent.name))
    found = next((str(bin_ / name) for bin_ in versions if (bin_ / name).exists()), None)
    found = shutil.which(name) or found
    if found is None:
        raise StoreError(f"{name} is not installed: apt-get install redis-server postgresql caddy")
    return found


def prepare_redis(folder: Path, port: int) -> tuple[tuple[str, ...], str]:
    """Write Redis' configuration; returns its command and its URL.

    It keeps nothing on disk: everything in it can be lost.
    """
    folder.mkdir(exist_ok=True)
    password = kept_password(folder / "password")
    configuration = folder / "redis.conf"
    configuration.touch(mode=0o600)
    configuration.write_text(
        f"bind 127.0.0.1\nport {port}\nrequirepass {password}\ndir {folder}\n"
        'save ""\nappendonly no\n',
        encoding="utf-8",
    )
    return (program("redis-server"), str(configuration)), f"redis://:{password}@127.0.0.1:{port}/0"


def postgres_user() -> str | None:
    """Name the user that PostgreSQL runs as; None for this one."""
    return POSTGRES_USER if os.geteuid() == 0 else None


def prepare_postgres(folder: Path, port: int) -> tuple[tuple[str, ...], str]:
    """Make the database cluster when it is missing; returns its command and the database's URL.

    Raises:
        StoreError: it cannot be made; with what initdb said.
    """
    password = kept_password(folder.with_name(f"{folder.name}-password"))
    if not folder.exists():
        _make_postgres(folder, password)
    command = (
        *(program("postgres"), "-D", str(folder), "-p", str(port)),
        *("-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="),
    )
    return command, f"postgresql://{DATABASE_USER}:{password}@127.0.0.1:{port}/{DATABASE}"


def _make_postgres(folder: Path, password: str) -> None:
    user = postgres_user()
    as_user: tuple[str, ...] = ()
    folder.mkdir(mode=0o700)
    with tempfile.NamedTemporaryFile("w", encoding="ascii") as password_file:
        password_file.write(password)
        password_file.flush()
        if user is not None:
            as_user = ("setpriv", "--reuid", user, "--regid", user, "--init-groups")
            for path in (folder, password_file.name):
                shutil.chown(path, user, user)
        made = subprocess.run(  # noqa: S603 - our own command
            [
                *(*as_user, program("initdb"), "-D", str(folder), "-U", DATABASE_USER),
                *("--auth=scram-sha-256", f"--pwfile={password_file.name}"),
                *("--encoding=UTF8", "--locale=C.UTF-8"),
            ],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
        )
    if made.returncode:
        shutil.rmtree(folder, ignore_errors=True)
        raise StoreError(f"initdb failed in {folder}: {made.stderr.strip()}")
