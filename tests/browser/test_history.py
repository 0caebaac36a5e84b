"""A conversation of hundreds of messages: its end at once, the rest on the way up."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.pages import ChatPage


def test_earlier_messages_come_while_somebody_scrolls_up(alice: ChatPage) -> None:
    alice.ask("Make a long conversation.")
    expect(alice.answer_text()).to_contain_text("It is", timeout=60_000)
    found = re.search(r"[0-9a-f-]{36}", alice.answer_text().inner_text())
    assert found is not None
    alice.page.goto(f"{alice.url}/c/{found.group()}/")
    alice.expect_connected()
    expect(alice.answers.last).to_be_in_viewport()
    expect(alice.questions).to_have_count(12)
    first = alice.page.get_by_text("Question 238?")
    scroller = alice.page.locator("[data-scroller]")
    scroller.evaluate("(place) => place.scrollTo(0, 700)")
    before = first.bounding_box()
    expect(alice.questions).to_have_count(18)
    after = first.bounding_box()
    assert before is not None
    assert after is not None
    assert abs(after["y"] - before["y"]) <= 2  # what was being read has not moved away
    alice.page.get_by_role("button", name="Earlier messages").focus()  # scrolls there, too
    expect(alice.page.get_by_text("Question 226?")).to_be_attached()
    # Pictures of messages that are not in the page are leafed through all the same.
    alice.page.locator("[data-picture]").last.click()
    expect(alice.page.locator("[data-viewer-count]")).to_have_text("50 of 50")
