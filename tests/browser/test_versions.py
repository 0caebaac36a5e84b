"""Questions asked otherwise and answers given again: beside the first ones, in every tab."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Route, expect

from tests.browser.pages import ChatPage, red_circle


def places(chat: ChatPage) -> Locator:
    """Find the places of messages among their versions."""
    return chat.page.locator("[data-messages] .siblings__place")


def test_an_answer_is_given_again_and_both_can_be_seen_in_every_tab(alice: ChatPage) -> None:
    alice.ask("What is this?")
    alice.expect_answered()
    other = alice.second_tab()
    other.expect_connected()
    alice.answers.first.get_by_role("button", name="Answer again").click()
    for tab in (alice, other):
        expect(places(tab)).to_have_text(["2/2"])
        tab.expect_answered()
        expect(tab.answers).to_have_count(1)
    alice.shot("versions")
    alice.page.get_by_role("button", name="Earlier version").click()
    expect(places(alice)).to_have_text(["1/2"])
    alice.ask("And that?")
    alice.expect_answered(2)
    alice.page.get_by_role("button", name="Later version").click()
    expect(places(alice)).to_have_text(["2/2"])
    alice.expect_answered(1)


def test_a_question_is_edited_with_its_picture_and_the_draft_comes_back(alice: ChatPage) -> None:
    alice.paste_picture(red_circle())
    alice.expect_uploaded()
    alice.ask("What is this?")
    alice.expect_answered()
    alice.write("half a thought")
    alice.questions.first.hover()
    alice.questions.first.get_by_role("button", name="Edit").click()
    expect(alice.composer).to_have_value("What is this?")
    expect(alice.attachments).to_have_count(1)
    alice.shot("editing")
    alice.page.keyboard.press("Escape")
    expect(alice.composer).to_have_value("half a thought")
    expect(alice.attachments).to_have_count(0)
    alice.questions.first.get_by_role("button", name="Edit").press("Enter")
    alice.ask("What colour is it?")
    expect(alice.questions).to_have_count(1)
    alice.expect_answered()
    expect(alice.answer_text()).to_contain_text("turn 1 with 1 pictures")
    expect(alice.answer_text()).to_contain_text("What colour is it?")
    expect(places(alice)).to_have_text(["2/2"])
    expect(alice.composer).to_have_value("half a thought")
    alice.reload()
    expect(alice.questions.locator("[data-text]")).to_have_text(["What colour is it?"])
    alice.page.get_by_role("button", name="Earlier version").click()
    expect(alice.questions.locator("[data-text]")).to_have_text(["What is this?"])


def test_a_question_is_deleted_with_what_came_after_in_every_tab(alice: ChatPage) -> None:
    for number, question in enumerate(("One?", "Two?", "Three?"), start=1):
        alice.ask(question)
        alice.expect_answered(number)
    other = alice.second_tab()
    other.expect_connected()
    alice.write("half a thought")
    dialog = alice.page.get_by_role("dialog", name="Delete from here on?")

    def press_delete() -> None:
        alice.questions.nth(1).hover()
        alice.questions.nth(1).get_by_role("button", name="Delete from here on").click()

    press_delete()
    alice.shot("delete-message")
    dialog.get_by_role("button", name="Cancel").click()
    expect(alice.questions).to_have_count(3)
    press_delete()
    dialog.get_by_role("button", name="Delete", exact=True).click()
    for tab in (alice, other):
        expect(tab.questions.locator("[data-text]")).to_have_text(["One?"])
        tab.expect_answered(1)
    expect(alice.composer).to_have_value("half a thought")
    alice.ask("And now?")
    alice.expect_answered(2)
    expect(alice.answer_text(1)).to_contain_text("turn 2")


def test_one_of_two_answers_is_deleted_and_the_last_question_with_its_conversation(
    alice: ChatPage,
) -> None:
    alice.ask("What is this?")
    alice.expect_answered()
    dialog = alice.page.get_by_role("dialog", name="Delete from here on?")
    alice.answers.first.get_by_role("button", name="Answer again").click()
    expect(places(alice)).to_have_text(["2/2"])
    alice.expect_answered()
    alice.answers.first.get_by_role("button", name="Delete this version").click()
    dialog.get_by_role("button", name="Delete", exact=True).press("Enter")
    expect(places(alice)).to_have_count(0)
    alice.expect_answered(1)

    alice.questions.first.get_by_role("button", name="Delete from here on").press("Enter")
    dialog.get_by_role("button", name="Delete", exact=True).press("Enter")

    expect(alice.page).to_have_url(f"{alice.url}/")
    expect(alice.cards).to_have_count(0)
    alice.page.get_by_role("button", name="Undo").click()
    expect(alice.cards).to_have_count(1)


def test_a_stopped_answer_is_gone_on_with_in_every_tab(alice: ChatPage) -> None:
    alice.ask("Count slowly.")
    expect(alice.answer_text()).to_contain_text("word9")
    other = alice.second_tab()
    alice.stop()
    for tab in (alice, other):
        expect(tab.answers.locator("[data-note]")).to_contain_text("Stopped.")
    shown = alice.answer_text().inner_text()
    alice.shot("stopped")
    alice.page.get_by_role("button", name="Go on").click()
    for tab in (alice, other):
        expect(tab.answer_text()).to_contain_text("word60.")
        tab.expect_answered()
        expect(tab.answers.locator("[data-note]")).to_be_hidden()
        assert tab.answer_text().inner_text().startswith(shown.strip())


@pytest.mark.parametrize("is_changed", [False, True], ids=["same", "changed"])
def test_an_ended_answer_is_looked_up_without_being_taken_apart(
    alice: ChatPage, is_changed: bool
) -> None:
    """Its code lost its frame and copy button once, and what was opened in it was shut."""
    alice.ask("Tell me everything.")
    alice.expect_answered()
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    alice.page.route("**/c/*/messages/*/", hold)
    with alice.page.expect_request("**/c/*/messages/*/"):
        alice.reload()
    alice.expect_connected()
    statistics = alice.answers.locator('[data-stat="tokens"]')
    alice.answers.get_by_title("Statistics").click()
    expect(statistics).to_be_visible()

    response = held[0].fetch()
    text = response.text()
    longer = text.replace('data-chars="', 'data-chars="9') if is_changed else text
    with alice.page.expect_response("**/c/*/messages/*/"):
        held[0].fulfill(response=response, body=longer)

    expect(alice.page.locator('[data-chars^="9"]')).to_have_count(int(is_changed))
    expect(statistics).to_be_visible(visible=not is_changed)
    expect(alice.answer_text().get_by_role("button", name="Copy code")).to_have_count(1)


def test_an_answer_is_judged_and_the_judgement_stays(alice: ChatPage) -> None:
    alice.ask("What is this?")
    alice.expect_answered()
    bad = alice.page.get_by_role("button", name="Bad answer")
    bad.click()
    expect(bad).to_have_attribute("aria-pressed", "true")
    alice.page.get_by_label("What about the answer?").fill("It is blue.")
    alice.shot("feedback")
    alice.page.keyboard.press("Enter")
    expect(alice.page.locator("[data-toasts]")).to_have_text("Thank you.")
    alice.reload()
    alice.expect_connected()  # before that nobody hears the buttons
    expect(bad).to_have_attribute("aria-pressed", "true")
    good = alice.page.get_by_role("button", name="Good answer")
    good.click()
    expect(bad).to_have_attribute("aria-pressed", "false")
    expect(good).to_have_attribute("aria-pressed", "true")
    good.click()  # once more: taken back
    for thumb in (good, bad):
        expect(thumb).to_have_attribute("aria-pressed", "false")
    expect(alice.page.get_by_label("What about the answer?")).to_be_hidden()
    alice.reload()
    expect(good).to_have_attribute("aria-pressed", "false")
