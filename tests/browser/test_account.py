"""The account's pages in a real browser: passkeys, keys, signing out elsewhere, the end."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import Console
from tests.browser.pages import PASSWORD, ChatPage, sign_up

if TYPE_CHECKING:
    from tests.browser.server import ServerProcess

WITHIN_MS = 5_000


def prove(page: Page) -> None:
    """Give the password once more, where a page asks for it."""
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()


def add_authenticator(page: Page) -> None:
    """Give the machine a fingerprint reader, whose owner always agrees."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def test_a_passkey_signs_in(
    server: ServerProcess, new_context: Callable[..., BrowserContext], console: Console
) -> None:
    # Browsers have no passkeys for addresses that are numbers.
    url = server.url.replace("127.0.0.1", "localhost")
    context = new_context()
    page = context.new_page()
    console.watch(page)
    sign_up(context, url, "passkey-person")
    add_authenticator(page)
    page.goto(f"{url}/accounts/2fa/webauthn/add/")
    prove(page)
    page.get_by_label("Passwordless").check()
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("heading", name="Recovery Codes")).to_be_visible()
    # allauth asks whether the codes are kept before the page is left for good.
    page.goto(f"{url}/accounts/logout/")
    page.get_by_role("main").get_by_role("button", name="Sign Out").click()

    page.get_by_role("button", name="Sign in with a passkey").click()

    expect(page.locator("[data-question]")).to_be_visible()


def test_a_passkey_that_is_not_there_is_said(
    server: ServerProcess, new_context: Callable[..., BrowserContext]
) -> None:
    page = new_context().new_page()
    page.goto(f"{server.url}/accounts/login/")

    page.get_by_role("button", name="Sign in with a passkey").click()

    expect(page.get_by_role("alert")).to_contain_text("No passkey was used")


def test_a_key_is_made_and_revoked(alice: ChatPage) -> None:
    page = alice.page
    page.get_by_role("button", name="Account and settings").click()
    page.get_by_role("link", name="Account", exact=True).click()
    page.get_by_role("link", name=re.compile("API keys")).click()
    page.get_by_label("What it is for").fill("backup script")
    page.get_by_role("button", name="Make the key").click()
    prove(page)

    key = page.locator(".secret").inner_text()
    url = f"{alice.url}/api/conversations/"
    program = {"Authorization": f"Bearer {key}", "Cookie": ""}
    assert page.request.get(url, headers=program).status == 200
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("backup script")).to_have_count(0)
    assert page.request.get(url, headers=program).status == 401


def test_signing_out_elsewhere_reaches_an_open_page(
    alice: ChatPage, new_context: Callable[..., BrowserContext], console: Console
) -> None:
    console.allow("401|403")
    name = alice.page.locator(".account__name").inner_text()
    elsewhere = new_context().new_page()
    elsewhere.goto(f"{alice.url}/accounts/login/?next=/accounts/sessions/")
    elsewhere.get_by_label("Login").fill(name)
    elsewhere.get_by_label("Password", exact=True).fill(PASSWORD)
    elsewhere.get_by_role("button", name="Sign In", exact=True).click()

    elsewhere.get_by_role("button", name="Sign out everywhere else").click()

    expect(elsewhere.get_by_role("status")).to_contain_text("signed out everywhere else")
    banner = alice.page.locator("[data-banner]")
    expect(banner).to_contain_text("You are signed out.", timeout=WITHIN_MS + 2_000)


def test_an_account_is_deleted_in_the_middle_of_an_answer(alice: ChatPage) -> None:
    name = alice.page.locator(".account__name").inner_text()
    alice.ask("Answer slowly, please")
    expect(alice.answer_text()).to_contain_text("word1")
    page = alice.page.context.new_page()
    page.goto(f"{alice.url}/accounts/delete/")
    prove(page)
    page.get_by_label("Your user name").fill(name)

    page.get_by_role("button", name="Delete everything").click()

    expect(page.get_by_role("status")).to_contain_text("is deleted")
    page.get_by_label("Login").fill(name)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign In", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("not correct")
