"""What must not be: settings that are each fine and together unsafe, files that others can read.

`manage.py serve` and `work` refuse to start on any of these, and `check --deploy` names them. Each
says what to change; a person who knows better accepts one by its name in VL_ACCEPTED_RISKS.
"""

from __future__ import annotations

import ipaddress
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import Error, Tags, register, run_checks
from django.core.management.base import CommandError

from vlsite import env

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Check = Callable[[], bool]

TAG = "vlsite"
SECRET_KEY_CHARS = 40
METRICS_TOKEN_CHARS = 16
# Docker makes these readable for all, in a file system that only this container sees.
CONTAINERS_SECRETS = Path("/run/secrets")


@register(TAG, Tags.security, deploy=True)
def check_reach(**_: Any) -> list[Error]:
    """Look at who may reach the server, and how."""
    return list(_problems_of_reach())


@register(TAG, Tags.security, deploy=True)
def check_secrets(**_: Any) -> list[Error]:
    """Look at secrets, and at who can read them."""
    return [*_weak_secrets(), *_readable_files()]


def refuse_if_unsafe() -> None:
    """Stop a start that would be unsafe.

    Raises:
        CommandError: says what is wrong, what to change, and how to accept it all the same.
    """
    found = run_checks(tags=[TAG], include_deployment_checks=True)
    problems = [each for each in found if not each.is_silenced()]
    if problems:
        lines = [f"- {each.msg}\n  {each.hint} (risk: {_risk(each.id)})" for each in problems]
        raise CommandError(
            "This would not be safe:\n" + "\n".join(lines) + "\n"
            "Change it, or name the risk in VL_ACCEPTED_RISKS (docs/operations.md)."
        )


def _error(risk: str, message: str, hint: str) -> Error:
    return Error(message, hint=hint, id=f"{TAG}.{risk}")


def _risk(check_id: str | None) -> str:
    return (check_id or "").removeprefix(f"{TAG}.")


def _problems_of_reach() -> Iterator[Error]:
    public = urlsplit(settings.VL_PUBLIC_URL)
    is_https = public.scheme == "https"
    is_public, listens_wide = not _is_local(public.hostname), not _is_local(settings.VL_HOST)
    if settings.DEBUG and (is_public or listens_wide):
        message = "VL_DEBUG shows code and settings to everybody who reaches this server."
        yield _error("debug", message, "Unset VL_DEBUG.")
    if is_public and not is_https:
        message = f"Passwords go to {settings.VL_PUBLIC_URL} in the clear."
        hint = "Put a proxy with HTTPS in front, and give VL_PUBLIC_URL as https://…"
        yield _error("plain_http", message, hint)
    elif listens_wide and not is_https and not settings.VL_TRUSTED_PROXIES:
        message = f"VL_HOST={settings.VL_HOST} lets others in, without HTTPS and without a proxy."
        hint = "Unset VL_HOST, or give VL_PUBLIC_URL as https://… and put a proxy in front."
        yield _error("open_port", message, hint)
    if is_https and not settings.VL_TRUSTED_PROXIES:
        message = "VL_PUBLIC_URL is https, but no proxy is trusted to say that a call was."
        hint = "Name the proxy's address in VL_TRUSTED_PROXIES."
        yield _error("no_proxy", message, hint)
    if any(str(host).startswith(("*", ".")) for host in settings.ALLOWED_HOSTS):
        message = "ALLOWED_HOSTS lets pages of other names use this server."
        yield _error("any_host", message, "Name the hosts.")


def _weak_secrets() -> Iterator[Error]:
    if len(settings.SECRET_KEY) < SECRET_KEY_CHARS:
        message = "VL_SECRET_KEY is short enough to be guessed."
        hint = f"Give at least {SECRET_KEY_CHARS} random characters, or unset it."
        yield _error("short_secret_key", message, hint)
    if 0 < len(settings.VL_METRICS_TOKEN) < METRICS_TOKEN_CHARS:
        message = "VL_METRICS_TOKEN is short enough to be guessed."
        hint = f"Give at least {METRICS_TOKEN_CHARS} random characters."
        yield _error("short_metrics_token", message, hint)
    kept = env.SECRET_FILES.get("VL_SECRET_KEY") == _kept_key()
    if settings.REDIS_URL and settings.VL_MEDIA_S3_BUCKET and kept:
        # With a bucket the folder need not be shared, and then each instance makes its own key.
        message = "Instances that share no folder sign sessions with different keys."
        hint = "Give all of them the same VL_SECRET_KEY."
        yield _error("own_secret_key", message, hint)


def _readable_files() -> Iterator[Error]:
    for path in _private_paths():
        if _is_open(path, stat.S_IROTH):
            message = f"Other users of this machine can read what people wrote or sent, in {path}."
            yield _error("readable_data", message, f"chmod o-rwx {path}")
    for name, path in env.SECRET_FILES.items():
        if CONTAINERS_SECRETS not in path.parents and _is_open(path, stat.S_IROTH):
            message = f"Other users of this machine can read {name} in {path}."
            yield _error("readable_secret", message, f"chmod o-rwx {path}")


def _private_paths() -> list[Path]:
    database = settings.DATABASES["default"]
    is_file = database["ENGINE"] == "django.db.backends.sqlite3"
    return [Path(settings.MEDIA_ROOT), *([Path(database["NAME"])] if is_file else [])]


def _kept_key() -> Path:
    return Path(settings.VL_DATA_DIR) / "secret_key"


def _is_open(path: Path, bits: int) -> bool:
    """Say whether others can do that to it; a closed folder above it keeps them out."""
    try:
        can_reach = all(parent.stat().st_mode & stat.S_IXOTH for parent in path.absolute().parents)
        return can_reach and bool(path.stat().st_mode & bits)
    except OSError:
        return False  # what we cannot look at is not ours to judge


def _is_local(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
