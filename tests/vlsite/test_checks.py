"""What must not be is found, named, and keeps the server from starting."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management.base import CommandError

from tests.contract.documents import code, read, rows, section
from tests.server.processes import Product
from vlsite import checks, env
from vlsite.checks import refuse_if_unsafe

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django.fixtures import SettingsWrapper

LOOPBACK = tuple(map(ipaddress.ip_network, env.LOOPBACK))
LONG = "k" * 50
DOCUMENTED = {
    risk
    for row in rows(section(read("docs/operations.md"), "## What refuses to start"))
    for risk in code(row[0])
}


@pytest.fixture(autouse=True)
def _safe(settings: SettingsWrapper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin with what nobody could complain of."""
    settings.DEBUG = False
    settings.VL_HOST, settings.VL_PUBLIC_URL = "127.0.0.1", "http://127.0.0.1:8000"
    settings.VL_TRUSTED_PROXIES, settings.ALLOWED_HOSTS = (), ["127.0.0.1"]
    settings.SECRET_KEY, settings.VL_METRICS_TOKEN = LONG, ""
    settings.REDIS_URL = settings.VL_MEDIA_S3_BUCKET = ""
    settings.VL_DATA_DIR, settings.MEDIA_ROOT = tmp_path, tmp_path / "media"
    monkeypatch.setitem(settings.DATABASES["default"], "NAME", tmp_path / "db.sqlite3")
    monkeypatch.setattr(env, "SECRET_FILES", {})
    (tmp_path / "db.sqlite3").touch(mode=0o600)
    (tmp_path / "media").mkdir(mode=0o700)


@pytest.fixture
def _reached(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the folders above the test's own, which are closed, not count."""
    monkeypatch.setattr(Path, "parents", property(lambda _self: ()))


def found() -> list[str]:
    """List the risks that are found."""
    problems = [*checks.check_reach(), *checks.check_secrets()]
    assert all(each.hint for each in problems)
    return [str(each.id).removeprefix("vlsite.") for each in problems]


def test_the_defaults_are_safe() -> None:
    assert found() == []
    refuse_if_unsafe()


def test_https_behind_a_trusted_proxy_is_safe(settings: SettingsWrapper) -> None:
    settings.VL_PUBLIC_URL, settings.VL_HOST = "https://chat.example.org", "0.0.0.0"  # noqa: S104
    settings.VL_TRUSTED_PROXIES = LOOPBACK

    assert found() == []


PUBLIC: dict[str, Any] = {
    "VL_PUBLIC_URL": "https://chat.example.org",
    "VL_TRUSTED_PROXIES": LOOPBACK,
}
EVERYWHERE = {"VL_HOST": "0.0.0.0"}  # noqa: S104
UNSAFE = [
    pytest.param({"DEBUG": True, **PUBLIC}, "debug", id="debug at a public address"),
    pytest.param(
        {"DEBUG": True, **EVERYWHERE, "VL_TRUSTED_PROXIES": LOOPBACK}, "debug", id="debug for all"
    ),
    pytest.param({"VL_PUBLIC_URL": "http://chat.example.org"}, "plain_http", id="plain HTTP"),
    pytest.param({"VL_PUBLIC_URL": "http://192.168.1.5:8000"}, "plain_http", id="in the house"),
    pytest.param(EVERYWHERE, "open_port", id="listens everywhere"),
    pytest.param({"VL_HOST": "::"}, "open_port", id="listens everywhere, IPv6"),
    pytest.param(
        {"VL_PUBLIC_URL": "https://chat.example.org"}, "no_proxy", id="https without a proxy"
    ),
    pytest.param({"ALLOWED_HOSTS": ["*"]}, "any_host", id="any host"),
    pytest.param({"ALLOWED_HOSTS": [".example.org"]}, "any_host", id="a whole domain"),
    pytest.param({"SECRET_KEY": "short"}, "short_secret_key", id="short key"),
    pytest.param({"VL_METRICS_TOKEN": "short"}, "short_metrics_token", id="short token"),
]


@pytest.mark.parametrize(("changed", "risk"), UNSAFE)
def test_an_unsafe_combination_is_found(
    settings: SettingsWrapper, changed: dict[str, Any], risk: str
) -> None:
    for name, value in changed.items():
        setattr(settings, name, value)

    assert found() == [risk]


def test_instances_that_share_nothing_need_one_key(
    settings: SettingsWrapper, tmp_path: Path
) -> None:
    settings.REDIS_URL, settings.VL_MEDIA_S3_BUCKET = "redis://redis", "pictures"
    assert found() == []  # the key was given

    env.SECRET_FILES["VL_SECRET_KEY"] = tmp_path / "secret_key"

    assert found() == ["own_secret_key"]


@pytest.mark.usefixtures("_reached")
@pytest.mark.parametrize("name", ["db.sqlite3", "media"])
def test_data_that_others_can_read_is_found(tmp_path: Path, name: str) -> None:
    assert found() == []

    (tmp_path / name).chmod(0o755)

    assert found() == ["readable_data"]


@pytest.mark.usefixtures("_reached")
def test_a_secret_that_others_can_read_is_found(tmp_path: Path) -> None:
    path = env.SECRET_FILES["REDIS_URL"] = tmp_path / "redis"
    path.touch(mode=0o600)
    assert found() == []

    path.chmod(0o644)

    assert found() == ["readable_secret"]


def test_a_closed_folder_above_keeps_others_out(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    path = env.SECRET_FILES["REDIS_URL"] = closed / "redis"
    path.touch()
    path.chmod(0o644)

    assert found() == []


def test_the_refusal_says_what_to_change_and_how_to_accept(settings: SettingsWrapper) -> None:
    settings.VL_PUBLIC_URL, settings.VL_METRICS_TOKEN = "http://chat.lan", "short"

    with pytest.raises(CommandError) as caught:
        refuse_if_unsafe()

    text = str(caught.value)
    assert "(risk: plain_http)" in text
    assert "(risk: short_metrics_token)" in text
    assert "VL_ACCEPTED_RISKS" in text


def test_an_accepted_risk_is_let_pass_and_no_other(settings: SettingsWrapper) -> None:
    settings.VL_PUBLIC_URL, settings.VL_METRICS_TOKEN = "http://chat.lan", "short"
    settings.SILENCED_SYSTEM_CHECKS = ["vlsite.plain_http"]

    with pytest.raises(CommandError) as caught:
        refuse_if_unsafe()

    assert "plain_http" not in str(caught.value)


def test_every_risk_is_documented() -> None:
    source = Path(checks.__file__).read_text(encoding="utf-8")

    assert set(re.findall(r'_error\(\s*"(\w+)"', source)) == DOCUMENTED


@pytest.mark.parametrize("command", ["serve", "work"])
def test_the_commands_refuse_to_start(unprepared: Callable[..., Product], command: str) -> None:
    done = unprepared(VL_PUBLIC_URL="http://chat.lan", REDIS_URL="redis://127.0.0.1:1").run(command)

    assert done.returncode == 1
    assert "(risk: plain_http)" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def unprepared(tmp_path: Path) -> Callable[..., Product]:
    """Make an installation without tables."""
    return lambda **environment: Product(tmp_path / "data", environment)
