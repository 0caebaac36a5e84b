"""The conversation list: search, rename, delete."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.pages import ChatPage


def ask_anew(chat: ChatPage, question: str) -> None:
    """Ask in a new conversation."""
    chat.open_home()
    chat.ask(question)
    chat.expect_answered()


def test_search_finds_by_title_and_by_answer(alice: ChatPage) -> None:
    ask_anew(alice, "Where is the lighthouse?")
    ask_anew(alice, "Tell me everything.")
    search = alice.page.get_by_role("searchbox")
    search.fill("lighthouse")
    expect(alice.cards).to_have_count(1)
    search.fill("three shapes")
    expect(alice.cards.locator("[data-card-title]")).to_have_text(["Tell me everything."])
    search.fill("nowhere")
    expect(alice.page.locator("[data-list-empty]")).to_have_text("Nothing found.")
    search.fill("")
    expect(alice.cards).to_have_count(2)


def test_renaming_shows_everywhere(alice: ChatPage) -> None:
    ask_anew(alice, "What is this?")
    alice.cards.first.hover()
    alice.page.get_by_role("button", name="Rename").click()
    alice.page.get_by_label("Title").fill("My <b>circle</b>")
    alice.page.keyboard.press("Enter")
    expect(alice.cards.first.locator("[data-card-title]")).to_have_text("My <b>circle</b>")
    expect(alice.page.locator("[data-title]")).to_have_text("My <b>circle</b>")
    alice.reload()
    expect(alice.page.locator("[data-title]")).to_have_text("My <b>circle</b>")


def test_deleting_asks_first_and_goes_home(alice: ChatPage) -> None:
    ask_anew(alice, "What is this?")
    alice.cards.first.hover()
    alice.page.get_by_role("button", name="Delete").click()
    alice.shot("delete")
    alice.page.get_by_role("button", name="Cancel").click()
    expect(alice.cards).to_have_count(1)
    alice.cards.first.hover()
    alice.page.get_by_role("button", name="Delete").click()
    alice.page.locator("dialog").get_by_role("button", name="Delete").click()
    expect(alice.page).to_have_url(f"{alice.url}/")
    expect(alice.cards).to_have_count(0)


def test_an_answer_that_nobody_saw_is_marked_until_somebody_looks(alice: ChatPage) -> None:
    ask_anew(alice, "What is this?")
    first = alice.cards.first
    expect(first).not_to_have_attribute("data-unread", "")
    alice.ask("Count slowly.")
    expect(alice.answer_text()).to_contain_text("word1")
    alice.open_home()
    expect(first).to_have_attribute("data-unread", "")
    alice.shot("unread")
    alice.reload()
    expect(first).to_have_attribute("data-unread", "")
    first.get_by_role("link").click()
    alice.expect_answered(2)
    expect(first).not_to_have_attribute("data-unread", "")
    alice.open_home()
    expect(first).not_to_have_attribute("data-unread", "")
