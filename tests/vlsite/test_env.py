"""The readers of the environment: each form works, and each wrong one names what to do."""

from __future__ import annotations

import ipaddress
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from vlsite import env

DEFAULT = Path("unused")


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Set the variable X."""
    monkeypatch.delenv("X", raising=False)
    monkeypatch.delenv("X_FILE", raising=False)
    return lambda value: monkeypatch.setenv("X", value)


READERS: dict[str, Callable[[], Any]] = {
    "text": lambda: env.text("X", "fallback"),
    "boolean": lambda: env.boolean("X", True),
    "integer": lambda: env.integer("X", 5, low=1, high=10),
    "number": lambda: env.number("X", 0.5, low=-1, high=1),
    "choice": lambda: env.choice("X", "a", ("a", "b")),
    "origin": lambda: env.origin("X", "http://127.0.0.1:8000"),
    "secret": lambda: env.secret("X"),
}
DEFAULTS = {
    "text": "fallback",
    "boolean": True,
    "integer": 5,
    "number": 0.5,
    "choice": "a",
    "origin": "http://127.0.0.1:8000",
    "secret": "",
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    "value", [pytest.param(None, id="unset"), pytest.param("", id="empty"), pytest.param("  ")]
)
def test_nothing_gives_the_default(
    given: Callable[[str], None], reader: str, value: str | None
) -> None:
    if value is not None:
        given(value)

    assert READERS[reader]() == DEFAULTS[reader]


@pytest.mark.parametrize(
    ("reader", "value", "read"),
    [
        pytest.param("text", " some text ", "some text", id="text"),
        *(pytest.param("boolean", word, True, id=word) for word in ("1", "true", "YES", "On")),
        *(pytest.param("boolean", word, False, id=word) for word in ("0", "False", "no", "off")),
        pytest.param("integer", "1", 1, id="lowest"),
        pytest.param("integer", "10", 10, id="highest"),
        pytest.param("number", "-1", -1.0, id="number, lowest"),
        pytest.param("number", "0.25", 0.25, id="number"),
        pytest.param("choice", "B", "b", id="choice, any case"),
        pytest.param("origin", "https://chat.example.org", "https://chat.example.org", id="host"),
        pytest.param("origin", "http://h:81/path?q#f", "http://h:81", id="path is left out"),
        pytest.param("origin", "http://me:pw@h", "http://h", id="password is left out"),
        pytest.param("origin", "HTTPS://Chat.Example.ORG:443", "https://chat.example.org", id="as"),
        pytest.param("origin", "http://h:80", "http://h", id="default port of http"),
        pytest.param("origin", "http://h:443", "http://h:443", id="other scheme's port"),
        pytest.param("origin", "http://[::1]:8000", "http://[::1]:8000", id="IPv6"),
        pytest.param("origin", "https://bücher.example", "https://xn--bcher-kva.example", id="IDN"),
        pytest.param("secret", "s3cret", "s3cret", id="secret"),
    ],
)
def test_a_right_form_is_read(
    given: Callable[[str], None], reader: str, value: str, read: object
) -> None:
    given(value)

    assert READERS[reader]() == read


@pytest.mark.parametrize(
    ("reader", "value", "allowed"),
    [
        pytest.param("boolean", "maybe", "one of 1, true, yes, on, 0, false, no, off", id="bool"),
        pytest.param("integer", "five", "a whole number from 1 to 10", id="a word"),
        pytest.param("integer", "2.5", "a whole number from 1 to 10", id="a fraction"),
        pytest.param("integer", "0", "a whole number from 1 to 10", id="too low"),
        pytest.param("integer", "11", "a whole number from 1 to 10", id="too high"),
        pytest.param("number", "warm", "a number from -1 to 1", id="no number"),
        pytest.param("number", "1.01", "a number from -1 to 1", id="number too high"),
        pytest.param("number", "nan", "a number from -1 to 1", id="nan"),
        pytest.param("choice", "c", "one of a, b", id="another word"),
        pytest.param("origin", "chat.example.org", "an address such as https://", id="no scheme"),
        pytest.param("origin", "ftp://h", "an address such as https://", id="another scheme"),
        pytest.param("origin", "https://", "an address such as https://", id="no host"),
        pytest.param("origin", "http://h:99999", "an address such as https://", id="no such port"),
        pytest.param("origin", "http://h:x", "an address such as https://", id="port is a word"),
        pytest.param("origin", "http://[::1", "an address such as https://", id="broken IPv6"),
        pytest.param("origin", f"http://{'a' * 70}.org", "an address such as", id="label too long"),
    ],
)
def test_a_wrong_form_names_variable_value_and_what_is_allowed(
    given: Callable[[str], None], reader: str, value: str, allowed: str
) -> None:
    given(value)

    with pytest.raises(ImproperlyConfigured) as caught:
        READERS[reader]()

    assert str(caught.value).startswith(f"X is “{value}” but must be {allowed}")


# Folders ------------------------------------------------------------------------------------


def test_a_folder_is_made(given: Callable[[str], None], tmp_path: Path) -> None:
    given(str(tmp_path / "a" / "b"))

    assert env.folder("X", DEFAULT) == tmp_path / "a" / "b"
    assert (tmp_path / "a" / "b").is_dir()


def test_a_relative_folder_counts_from_the_working_folder(
    given: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given("here")

    assert env.folder("X", DEFAULT) == tmp_path / "here"


def test_without_a_folder_the_default_is_made(given: Callable[[str], None], tmp_path: Path) -> None:
    assert env.folder("X", tmp_path / "default") == tmp_path / "default"
    assert (tmp_path / "default").is_dir()


def test_a_folder_that_is_a_file_is_refused(given: Callable[[str], None], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    given(str(tmp_path / "file"))

    with pytest.raises(ImproperlyConfigured, match=r"X is .*file.* a folder that can be made"):
        env.folder("X", DEFAULT)


# Secrets ------------------------------------------------------------------------------------


def test_a_secret_may_stand_in_a_file(
    given: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    monkeypatch.setenv("X_FILE", str(tmp_path / "secret"))

    assert env.secret("X") == "s3cret"


def test_a_secret_given_twice_is_refused(
    given: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    given("s3cret")
    monkeypatch.setenv("X_FILE", "/somewhere")

    with pytest.raises(ImproperlyConfigured, match="Set X or X_FILE, not both") as caught:
        env.secret("X")

    assert "s3cret" not in str(caught.value)


def test_a_secret_file_that_cannot_be_read_is_named(
    given: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("X_FILE", str(tmp_path / "missing"))

    with pytest.raises(ImproperlyConfigured, match=r"X_FILE is .*missing.* a readable file"):
        env.secret("X")


def test_a_kept_secret_is_made_once_for_its_owner_alone(
    given: Callable[[str], None], tmp_path: Path
) -> None:
    path = tmp_path / "secret_key"

    first, second = env.kept_secret("X", path), env.kept_secret("X", path)

    assert first == second == path.read_text()
    assert len(first) >= 50
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_two_installations_keep_different_secrets(
    given: Callable[[str], None], tmp_path: Path
) -> None:
    assert env.kept_secret("X", tmp_path / "a") != env.kept_secret("X", tmp_path / "b")


def test_a_given_secret_is_not_kept(given: Callable[[str], None], tmp_path: Path) -> None:
    given("s3cret")

    assert env.kept_secret("X", tmp_path / "secret_key") == "s3cret"
    assert not (tmp_path / "secret_key").exists()


def test_an_empty_kept_secret_is_refused(given: Callable[[str], None], tmp_path: Path) -> None:
    """It once became an empty SECRET_KEY, with Django's puzzling error."""
    path = tmp_path / "secret_key"
    path.touch()

    with pytest.raises(ImproperlyConfigured, match=r"secret_key is empty. Delete it"):
        env.kept_secret("X", path)


# Networks -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "inside", "outside"),
    [
        pytest.param("10.0.0.7", "10.0.0.7", "10.0.0.8", id="an address"),
        pytest.param("10.1.0.0/16, 2001:db8::/32", "2001:db8::1", "10.2.0.1", id="networks"),
        pytest.param("loopback", "127.0.0.5", "10.0.0.1", id="loopback"),
        pytest.param("Private", "172.20.0.3", "172.32.0.1", id="private"),
    ],
)
def test_networks_hold_what_was_named(
    given: Callable[[str], None], value: str, inside: str, outside: str
) -> None:
    given(value)

    found = env.networks("X", "none")

    assert any(ipaddress.ip_address(inside) in network for network in found)
    assert not any(ipaddress.ip_address(outside) in network for network in found)


def test_no_networks_are_trusted_by_none(given: Callable[[str], None]) -> None:
    given("none")

    assert env.networks("X", "loopback") == ()


@pytest.mark.parametrize("value", ["somebody", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.1,,10.0.0.2"])
def test_what_is_no_network_is_refused(given: Callable[[str], None], value: str) -> None:
    given(value)

    with pytest.raises(ImproperlyConfigured, match=r"X is .* networks such as"):
        env.networks("X", "none")
