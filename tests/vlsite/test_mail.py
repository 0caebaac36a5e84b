"""Mail: with a server addresses are verified and passwords reset; without one nothing waits."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from django.contrib.auth import get_user_model
from django.core import mail
from django.test import Client
from django.urls import reverse

from chat.management.commands import ensure_administrator
from tests.conftest import PASSWORD
from tests.vlsite.test_settings import load, refuse

if TYPE_CHECKING:
    from pathlib import Path

    from aiosmtpd.smtp import SMTP, Envelope, Session
    from django.contrib.auth.models import User
    from pytest_django.fixtures import SettingsWrapper

pytestmark = pytest.mark.django_db

NEW_PASSWORD = "another long secret"
SIGN_UP = reverse("account_signup")
LOGIN = reverse("account_login")
RESET = reverse("account_reset_password")


@pytest.fixture
def _mail(settings: SettingsWrapper) -> None:
    """Set what a mail server in the environment sets; mails go to `mail.outbox`."""
    settings.VL_EMAIL_HOST = "mail.example.org"
    settings.DEFAULT_FROM_EMAIL = "chat@example.org"
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    settings.ACCOUNT_SIGNUP_FIELDS = ["username*", "email*", "password1*", "password2*"]


with_mail = pytest.mark.usefixtures("_mail")


def sign_up(client: Client, name: str, email: str) -> Any:
    """Sign up as a person does; give the answer."""
    form = {"username": name, "email": email, "password1": PASSWORD, "password2": PASSWORD}
    return client.post(SIGN_UP, form, headers={"accept-language": "en"})


def sign_in(client: Client, login: str, password: str = PASSWORD) -> bool:
    """Sign in; tell whether it worked."""
    client.post(LOGIN, {"login": login, "password": password})
    return is_in(client)


def is_in(client: Client) -> bool:
    """Tell whether somebody is signed in."""
    return "_auth_user_id" in client.session


def link_in_mail() -> str:
    """Give the path of the link in the latest mail."""
    found = re.search(r"http://[^/\s]+(/accounts/\S+)", str(mail.outbox[-1].body))
    assert found is not None, mail.outbox[-1].body
    return found[1]


@with_mail
def test_who_signs_up_verifies_the_address_first(client: Client) -> None:
    sign_up(client, "bob", "bob@example.org")
    before = is_in(client)

    client.post(link_in_mail())

    assert (before, is_in(client)) == (False, True)
    assert mail.outbox[-1].from_email == "chat@example.org"
    assert mail.outbox[-1].to == ["bob@example.org"]


@with_mail
def test_nobody_signs_in_before(client: Client) -> None:
    sign_up(client, "bob", "bob@example.org")

    assert not sign_in(Client(), "bob")


@with_mail
def test_an_address_is_needed_then(client: Client) -> None:
    sign_up(client, "bob", "")

    assert not get_user_model().objects.exists()


@with_mail
def test_an_account_without_an_address_is_not_locked_out(client: Client, alice: User) -> None:
    get_user_model().objects.update(email="")

    assert sign_in(client, "alice")


@with_mail
def test_the_administrator_from_the_environment_is_not_asked(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("USERNAME", "carol"), ("PASSWORD", PASSWORD), ("EMAIL", "c@example.org")):
        monkeypatch.setenv(f"DJANGO_SUPERUSER_{name}", value)
    ensure_administrator.Command().handle()

    assert sign_in(client, "carol")
    assert mail.outbox == []


@with_mail
def test_who_forgot_the_password_sets_a_new_one_by_a_link(client: Client, alice: User) -> None:
    alice.emailaddress_set.create(email=alice.email, verified=True, primary=True)
    client.post(RESET, {"email": alice.email})
    form_url = client.get(link_in_mail())["Location"]

    client.post(form_url, {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD})

    assert not sign_in(Client(), "alice")
    assert sign_in(Client(), "alice", NEW_PASSWORD)


@with_mail
def test_the_link_works_once(client: Client, alice: User) -> None:
    client.post(RESET, {"email": alice.email})
    link = link_in_mail()
    form_url = client.get(link)["Location"]
    client.post(form_url, {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD})

    again = Client().get(link)

    assert again.status_code == 200  # no way on to the form
    assert again.context["token_fail"]


@with_mail
def test_a_known_and_an_unknown_address_are_answered_alike(client: Client, alice: User) -> None:
    answers = [
        Client().post(RESET, {"email": email}) for email in (alice.email, "nobody@example.org")
    ]

    assert answers[0]["Location"] == answers[1]["Location"]
    assert len(mail.outbox) == 2  # the second one says that there is no account


@pytest.mark.parametrize("method", ["get", "post"])
def test_without_mail_the_page_says_who_can_help(client: Client, alice: User, method: str) -> None:
    send = getattr(client, method)
    page = send(RESET, {"email": alice.email}, headers={"accept-language": "en"})

    assert b"Ask its administrator" in page.content
    assert b"<input" not in page.content.split(b'id="main"')[1].split(b"</main>")[0]
    assert mail.outbox == []


def test_without_mail_nobody_waits_for_one(client: Client) -> None:
    sign_up(client, "bob", "bob@example.org")

    assert is_in(client)


@pytest.mark.parametrize("sends", [True, False])
def test_adding_an_address_promises_no_more_than_happens(
    client: Client, alice: User, settings: SettingsWrapper, sends: bool
) -> None:
    settings.VL_EMAIL_HOST = "mail.example.org" if sends else ""
    client.force_login(alice)
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})

    page = client.post(
        reverse("account_email"),
        {"email": "more@example.org", "action_add": ""},
        headers={"accept-language": "en"},
        follow=True,
    )

    said = page.content.decode()
    assert ("A link to confirm it was sent to more@example.org." in said) is sends
    assert ("Send the link again" in said) is sends
    assert "more@example.org" in said


# The server ---------------------------------------------------------------------------------


class Box:
    """Keeps what the test's mail server took."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.logins: list[bytes] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.envelopes.append(envelope)
        return "250 taken"

    def log_in(
        self, _server: object, _session: object, _envelope: object, _kind: str, data: Any
    ) -> AuthResult:
        self.logins += [data.login, data.password]
        return AuthResult(success=data.password == b"open sesame", handled=False)


@pytest.fixture
def box() -> Iterator[tuple[Box, int]]:
    """Run a mail server on a port of its own."""
    box = Box()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = Controller(
        box, hostname="127.0.0.1", port=port, authenticator=box.log_in, auth_require_tls=False
    )
    controller.start()
    yield box, port
    controller.stop()


def use(settings: SettingsWrapper, port: int) -> None:
    """Send real mail to this port."""
    settings.EMAIL_BACKEND = "vlsite.mail.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "chat", "open sesame"


@with_mail
def test_mail_goes_to_the_server_that_is_named(
    client: Client, settings: SettingsWrapper, box: tuple[Box, int]
) -> None:
    use(settings, box[1])

    sign_up(client, "bob", "bob@example.org")

    (envelope,) = box[0].envelopes
    assert (envelope.mail_from, envelope.rcpt_tos) == ("chat@example.org", ["bob@example.org"])
    assert b"/accounts/confirm-email/" in (envelope.original_content or b"")
    assert box[0].logins == [b"chat", b"open sesame"]


@with_mail
@pytest.mark.parametrize("what", ["nobody listens", "the password is wrong"])
def test_a_mail_that_is_not_taken_is_said(
    client: Client, settings: SettingsWrapper, box: tuple[Box, int], what: str
) -> None:
    use(settings, 1 if what == "nobody listens" else box[1])
    settings.EMAIL_HOST_PASSWORD = "wrong"

    answer = sign_up(client, "bob", "bob@example.org")

    assert answer.status_code == 503
    assert b"could not be sent" in answer.content
    assert not is_in(client)


@with_mail
def test_a_reset_that_is_not_taken_is_said(
    client: Client, settings: SettingsWrapper, alice: User
) -> None:
    use(settings, 1)

    assert client.post(RESET, {"email": alice.email}).status_code == 503


@with_mail
def test_the_mail_comes_with_the_next_sign_in(
    client: Client, settings: SettingsWrapper, box: tuple[Box, int]
) -> None:
    use(settings, 1)
    sign_up(client, "bob", "bob@example.org")
    use(settings, box[1])

    assert not sign_in(client, "bob")
    assert len(box[0].envelopes) == 1


# The settings -------------------------------------------------------------------------------

NAMES = (
    "EMAIL_BACKEND", "EMAIL_HOST", "EMAIL_PORT", "EMAIL_HOST_USER", "EMAIL_HOST_PASSWORD",
    "EMAIL_USE_TLS", "EMAIL_USE_SSL", "DEFAULT_FROM_EMAIL", "ACCOUNT_EMAIL_VERIFICATION",
)  # fmt: skip


def test_the_environment_names_the_server(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("open sesame\n")

    loaded = load(
        tmp_path, *NAMES, VL_EMAIL_HOST="mail.example.org", VL_EMAIL_PORT="465",
        VL_EMAIL_TLS="tls", VL_EMAIL_USER="chat", VL_EMAIL_FROM="chat@example.org",
        VL_EMAIL_PASSWORD_FILE=str(tmp_path / "password"),
    )  # fmt: skip

    assert tuple(loaded.values()) == (
        "vlsite.mail.EmailBackend", "mail.example.org", 465, "chat",
        "open sesame", False, True, "chat@example.org", "mandatory",
    )  # fmt: skip


def test_nothing_set_sends_nothing(tmp_path: Path) -> None:
    loaded = load(tmp_path, "EMAIL_BACKEND", "ACCOUNT_EMAIL_VERIFICATION", "EMAIL_USE_TLS")

    assert loaded == {
        "EMAIL_BACKEND": "django.core.mail.backends.dummy.EmailBackend",
        "ACCOUNT_EMAIL_VERIFICATION": "none",
        "EMAIL_USE_TLS": True,
    }


@pytest.mark.parametrize("sender", ["", "chat"])
def test_a_server_without_a_sender_is_refused(tmp_path: Path, sender: str) -> None:
    error = refuse(tmp_path, VL_EMAIL_HOST="mail.example.org", VL_EMAIL_FROM=sender)

    assert "set VL_EMAIL_FROM" in error
