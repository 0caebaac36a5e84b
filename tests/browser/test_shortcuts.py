"""Single keys: they lead everywhere, never fire while somebody types, and can be switched off."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.pages import ChatPage


def test_keys_lead_everywhere(alice: ChatPage) -> None:
    page, press = alice.page, alice.page.keyboard.press
    alice.ask("First?")
    alice.expect_answered()
    first = page.url
    alice.open_home()
    alice.ask("Second, slowly?")
    expect(alice.answer_text()).to_contain_text("word1")
    page.locator("[data-scroller]").focus()
    press("x")
    expect(alice.answers.locator("[data-note-text]")).to_have_text("Stopped.")

    page.locator("[data-scroller]").focus()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=alice.url)
    press("c")
    expect(page.locator("[data-toasts]")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()").startswith("word1")
    press("e")
    expect(alice.composer).to_be_focused()
    expect(alice.composer).to_have_value("Second, slowly?")
    page.locator("[data-cancel-edit]").click()

    page.locator("[data-scroller]").focus()
    press("b")
    expect(page.locator("#sidebar")).to_be_hidden()
    press("s")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.locator("[data-scroller]").focus()
    press("j")
    expect(page).to_have_url(first)
    page.locator("[data-scroller]").focus()
    press("k")
    expect(page).not_to_have_url(first)
    expect(alice.questions).to_have_text(re.compile("Second"))
    page.locator("[data-scroller]").focus()
    press("n")
    expect(page).to_have_url(f"{alice.url}/")


def test_the_sheet_of_keys_opens_by_key_and_by_button(alice: ChatPage) -> None:
    sheet = alice.page.get_by_role("dialog", name="Keyboard shortcuts")
    alice.page.locator("[data-scroller]").focus()
    alice.page.keyboard.press("?")
    expect(sheet).to_be_visible()
    alice.shot("keys")
    alice.page.keyboard.press("b")  # not through a dialog
    alice.page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()
    expect(alice.page.locator("#sidebar")).to_be_visible()
    alice.page.get_by_role("button", name="Account and settings").click()
    alice.page.get_by_role("button", name="Keyboard shortcuts").click()
    expect(sheet).to_be_visible()


def test_keys_mean_themselves_to_who_types_and_to_who_switched_them_off(alice: ChatPage) -> None:
    alice.composer.focus()
    alice.page.keyboard.type("?nsb")
    expect(alice.composer).to_have_value("?nsb")
    alice.page.keyboard.press("ControlOrMeta+k")
    expect(alice.composer).to_be_focused()
    alice.page.locator("[data-scroller]").focus()
    alice.page.keyboard.press("?")
    alice.page.get_by_label("Single keys count").uncheck()
    alice.page.keyboard.press("Escape")
    alice.reload()
    alice.expect_connected()
    alice.page.locator("[data-scroller]").focus()
    alice.page.keyboard.press("b")
    expect(alice.page.locator("#sidebar")).to_be_visible()
    alice.page.keyboard.press("ControlOrMeta+k")
    expect(alice.page.get_by_role("searchbox")).to_be_focused()
