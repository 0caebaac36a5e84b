"""The places of the product that people see, and the way to each.

For somebody whose newest conversation has two pictures, an answer with everything, one that failed
and one that points at something, and who had a PDF written down before: `make_everything`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.pages import PASSWORD, red_circle
from tests.chat.decoding import pdf_corpus

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.browser.pages import ChatPage


def make_everything(chat: ChatPage) -> None:
    """Ask for all of it, in one new conversation after a run."""
    chooser = page_chooser(chat)
    chooser.locator("[data-pages-run]").click()
    chooser.wait_for_url("**/c/*/")
    chat.expect_answered(2)
    chat.open_home()
    chat.choose_pictures(*[(f"{n}.png", red_circle(), "image/png") for n in (1, 2)])
    chat.expect_uploaded(2)
    chat.ask("Tell me everything.")
    chat.expect_answered()
    chat.ask("Please fail.")
    expect(chat.answers.last.locator("[data-failure]")).to_be_visible()
    chat.ask("And where?")
    chat.expect_answered(2)


def nothing(chat: ChatPage) -> Page:
    chat.open_home()
    return chat.page


def conversation(chat: ChatPage) -> Page:
    chat.open_home()
    chat.cards.get_by_role("link", name="Tell me everything.").click()
    expect(chat.page.locator("[data-grounded]").first).to_be_visible()
    return chat.page


def opened(selector: str) -> Callable[[ChatPage], Page]:
    """Open what this button opens, in the conversation."""

    def go(chat: ChatPage) -> Page:
        page = conversation(chat)
        page.locator(selector).last.click()
        return page

    return go


def of_card(action: str) -> Callable[[ChatPage], Page]:
    """Open the menu of a card, and take this from it."""

    def go(chat: ChatPage) -> Page:
        page = conversation(chat)
        chat.cards.first.hover()
        chat.cards.first.locator("[data-card-more]").click()
        if action:
            page.locator(f'[data-card-action="{action}"]').click()
        return page

    return go


def options(chat: ChatPage) -> Page:
    page = opened("[data-options-open]:visible")(chat)
    page.locator('[data-option="seed"]').fill("7")
    page.locator("[data-preset-name]").fill("Mine")
    page.locator("[data-preset-save]").click()
    expect(page.locator("[data-preset-note]")).not_to_be_empty()
    return page


def attachments(chat: ChatPage) -> Page:
    page = options(chat)
    page.locator('[data-options-form] [value="ok"]').click()
    expect(page.locator("[data-options-line]")).to_be_visible()
    chat.choose_pictures(("circle.png", red_circle(), "image/png"))
    chat.expect_uploaded()
    return page


def page_chooser(chat: ChatPage) -> Page:
    chat.open_home()
    chat.choose_pictures(("report.pdf", pdf_corpus.another_pdf(2), "application/pdf"))
    expect(chat.page.locator('[data-page-chooser][data-stage="choosing"]')).to_be_visible()
    return chat.page


def run(chat: ChatPage) -> Page:
    chat.open_home()
    chat.cards.get_by_role("link", name="report.pdf").click()
    expect(chat.page.locator("[data-run]")).to_be_visible()
    return chat.page


def comparison(chat: ChatPage) -> Page:
    """Two pictures side by side, and a part of one being pointed at."""
    page = PLACES["viewer"](chat)
    page.keyboard.press("s")
    expect(page.locator(".viewer__pane")).to_have_count(2)
    return page


def pointing(chat: ChatPage) -> Page:
    page = PLACES["viewer"](chat)
    page.keyboard.press("p")
    expect(page.locator("[data-region]")).to_be_visible()
    return page


def keys(chat: ChatPage) -> Page:
    page = conversation(chat)
    page.locator("[data-scroller]").focus()
    page.keyboard.press("?")
    expect(page.locator("[data-shortcuts]")).to_be_visible()
    return page


def search(chat: ChatPage) -> Page:
    page = conversation(chat)
    page.locator("[data-search]").fill("three shapes")
    expect(chat.cards.locator("mark").first).to_be_visible()
    return page


def found(chat: ChatPage) -> Page:
    page = search(chat)
    chat.cards.first.get_by_role("link").click()
    expect(page.locator("[data-sought]")).to_be_visible()
    return page


def archive(chat: ChatPage) -> Page:
    page = conversation(chat)
    page.locator("[data-archive]").click()
    expect(page.locator("[data-list-empty]")).to_be_visible()
    return page


def proven(path: str) -> Callable[[ChatPage], Page]:
    """Go to a page that asks for the password once more, and give it."""

    def go(chat: ChatPage) -> Page:
        page = address(path)(chat)
        if page.locator('[name="password"]').count():
            page.locator('[name="password"]').fill(PASSWORD)
            page.locator('main [type="submit"]').first.click()
            expect(page).to_have_url(f"{chat.url}/{path}")
        return page

    return go


def address(path: str) -> Callable[[ChatPage], Page]:
    """Go to a page."""

    def go(chat: ChatPage) -> Page:
        chat.page.goto(f"{chat.url}/{path}")
        return chat.page

    return go


PLACES = {
    "nothing": nothing,
    "conversation": conversation,
    "viewer": opened("[data-picture]"),
    "options": options,
    "attachments": attachments,
    "page chooser": page_chooser,
    "run": run,
    "comparison": comparison,
    "pointing": pointing,
    "rename": of_card("rename"),
    "card menu": of_card(""),
    "account menu": opened(".account__button"),
    "export menu": opened('[popovertarget="export-menu"]'),
    "delete message": opened("[data-messages] [data-delete]"),
    "feedback": opened('[data-feedback="-1"]'),
    "keys": keys,
    "search": search,
    "found": found,
    "archive": archive,
    "account": address("accounts/"),
    "sessions": address("accounts/sessions/"),
    "API keys": address("accounts/keys/"),
    "second factor": address("accounts/2fa/"),
    "proof": address("accounts/delete/"),
    "authenticator": proven("accounts/2fa/totp/activate/"),
    "passkey": proven("accounts/2fa/webauthn/add/"),
    "deletion": proven("accounts/delete/"),
    "email": address("accounts/email/"),
    "password": address("accounts/password/change/"),
    "sign out": address("accounts/logout/"),
    "no page": address("nowhere/"),
    "no network": address("offline/"),
}
