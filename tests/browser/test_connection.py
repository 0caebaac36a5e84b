"""Lost and found connections, several tabs, signing out."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.conftest import Console
from tests.browser.pages import ChatPage
from tests.browser.server import ServerProcess

WHOLE = " ".join(f"word{number}" for number in range(1, 61)) + "."


def test_answer_goes_on_after_the_server_was_killed_and_started_again(
    person: Callable[..., ChatPage], own_server: ServerProcess, console: Console
) -> None:
    console.allow("WebSocket connection|ERR_CONNECTION_(REFUSED|RESET)")
    alice = person(own_server)
    alice.ask("Count slowly.")
    expect(alice.answer_text()).to_contain_text("word9")
    own_server.kill()
    expect(alice.page.locator("[data-connection]")).to_have_text("Connection lost. Reconnecting…")
    alice.shot("reconnecting")
    own_server.start()
    alice.expect_connected()
    expect(alice.answer_text()).to_have_text(WHOLE, timeout=45_000)


def test_question_asked_while_the_server_is_away_is_sent_once_later(
    person: Callable[..., ChatPage], own_server: ServerProcess, console: Console
) -> None:
    console.allow("WebSocket connection|ERR_CONNECTION_(REFUSED|RESET)")
    alice = person(own_server)
    own_server.kill()
    expect(alice.page.locator("[data-connection]")).to_have_attribute("data-state", "reconnecting")
    alice.ask("Are you there?")
    expect(alice.questions.locator("[data-pending-text]")).to_have_text("Waiting to send")
    alice.shot("waiting-to-send")
    own_server.start()
    alice.expect_answered()
    alice.reload()
    expect(alice.questions).to_have_count(1)
    expect(alice.answer_text()).to_contain_text("Are you there?")


def test_question_asked_offline_outlives_the_page(alice: ChatPage, console: Console) -> None:
    console.allow("WebSocket connection|ERR_INTERNET_DISCONNECTED")
    alice.page.context.set_offline(True)
    expect(alice.page.locator("[data-banner]")).to_contain_text("You are offline.")
    alice.ask("Are you there?")
    expect(alice.questions.locator("[data-pending-text]")).to_have_text("Waiting to send")
    alice.shot("offline")
    context = alice.page.context
    alice.page.close()  # a page that is only left may still send it when the network is back
    context.set_offline(False)
    alice.page = context.new_page()
    alice.open_home()
    alice.expect_answered()
    expect(alice.questions).to_have_count(1)


def test_two_tabs_see_the_same_conversation(alice: ChatPage) -> None:
    alice.ask("What is this?")
    alice.expect_answered()
    other = alice.second_tab()
    other.expect_connected()
    alice.ask("Count slowly.")
    expect(other.questions.last).to_contain_text("Count slowly.")
    expect(other.answer_text()).to_contain_text("word5")
    other.stop()
    expect(alice.answers.last.locator("[data-note-text]")).to_have_text("Stopped.")
    expect(other.answers.last.locator("[data-note-text]")).to_have_text("Stopped.")
    assert alice.answer_text().inner_text() == other.answer_text().inner_text()


def test_two_tabs_see_the_same_list(alice: ChatPage) -> None:
    alice.ask("What is this?")
    alice.expect_answered()
    other = alice.second_tab()
    other.expect_connected()
    other.open_home()
    other.expect_connected()

    alice.ask("Count slowly.")
    expect(other.cards.first).to_have_attribute("data-generating", "")
    alice.stop()
    expect(other.cards.first).not_to_have_attribute("data-generating", "")

    rename(alice, "My circle")
    expect(other.cards.locator("[data-card-title]")).to_have_text(["My circle"])

    other.choose(other.cards.first, "Delete")
    expect(alice.page).to_have_url(f"{alice.url}/")  # it was shown there
    expect(alice.cards).to_have_count(0)


def rename(chat: ChatPage, title: str) -> None:
    """Give the first conversation of the list another title."""
    chat.choose(chat.cards.first, "Rename")
    chat.page.get_by_label("Title").fill(title)
    chat.page.keyboard.press("Enter")


def test_signing_out_closes_the_other_tab_and_keeps_its_draft(
    alice: ChatPage, console: Console
) -> None:
    console.allow("WebSocket connection|401|403")
    other = alice.second_tab()
    other.expect_connected()
    other.write("Not finished")
    alice.page.get_by_role("button", name="Account and settings").click()
    alice.page.get_by_role("button", name="Sign out").click()
    alice.page.wait_for_url("**/accounts/login/**")
    expect(other.page.locator("[data-banner]")).to_contain_text("You are signed out.")
    other.shot("signed-out")
    expect(other.page.get_by_role("link", name="Sign in")).to_be_visible()
    expect(other.composer).to_have_value("Not finished")


def test_two_people_do_not_see_each_other(
    person: Callable[..., ChatPage], server: ServerProcess, console: Console
) -> None:
    console.allow("404")
    alice, bob = person(server), person(server)
    alice.ask("A secret of alice")
    alice.expect_answered()
    expect(bob.cards).to_have_count(0)
    bob.page.goto(alice.page.url)
    expect(bob.page.get_by_role("heading", name="Nothing is here")).to_be_visible()
    bob.shot("not-found")
