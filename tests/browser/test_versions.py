"""Questions asked otherwise and answers given again: beside the first ones, in every tab."""

from __future__ import annotations

from playwright.sync_api import Locator, expect

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
    alice.page.get_by_role("button", name="Good answer").click()
    expect(bad).to_have_attribute("aria-pressed", "false")
