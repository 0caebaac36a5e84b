"""A conversation of hundreds of messages: its end at once, the rest on the way up."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Console
from tests.browser.pages import ChatPage

SKIPPED = """() => [...document.querySelectorAll("[data-message] [data-text], [data-body]")].filter(
    (text) => !text.checkVisibility({ contentVisibilityAuto: true }),
).length"""
ELEMENTS = "() => document.querySelectorAll('[data-messages] *').length"


@pytest.fixture
def long(alice: ChatPage) -> ChatPage:
    """Alice in a conversation of 500 messages."""
    alice.ask("Make a long conversation.")
    expect(alice.answer_text()).to_contain_text("It is", timeout=60_000)
    found = re.search(r"[0-9a-f-]{36}", alice.answer_text().inner_text())
    assert found is not None
    alice.page.goto(f"{alice.url}/c/{found.group()}/")
    alice.expect_connected()
    return alice


def load_earlier(chat: ChatPage, questions: int) -> None:
    """Scroll to the top; wait until there are so many questions."""
    chat.page.locator("[data-scroller]").evaluate("(place) => place.scrollTo(0, 0)")
    expect(chat.questions).to_have_count(questions)


def test_earlier_messages_come_while_somebody_scrolls_up(long: ChatPage) -> None:
    expect(long.answers.last).to_be_in_viewport()
    expect(long.questions).to_have_count(12)
    first = long.page.get_by_text("Question 238?")
    scroller = long.page.locator("[data-scroller]")
    scroller.evaluate("(place) => place.scrollTo(0, 700)")
    before = first.bounding_box()
    expect(long.questions).to_have_count(18)
    after = first.bounding_box()
    assert before is not None
    assert after is not None
    assert abs(after["y"] - before["y"]) <= 2  # what was being read has not moved away
    long.page.get_by_role("button", name="Earlier messages").focus()  # scrolls there, too
    expect(long.page.get_by_text("Question 226?")).to_be_attached()
    # Pictures of messages that are not in the page are leafed through all the same.
    long.page.locator("[data-picture]").last.click()
    expect(long.page.locator("[data-viewer-count]")).to_have_text("50 of 50")


def test_who_goes_up_again_before_the_next_frame_is_heard(long: ChatPage) -> None:
    long.page.evaluate("""() => {
        const scroller = document.querySelector("[data-scroller]");
        const list = document.querySelector("[data-messages]");
        new MutationObserver((_, observer) => {
            observer.disconnect();
            scroller.scrollTo(0, 0);
        }).observe(list, { childList: true });
        scroller.scrollTo(0, 0);
    }""")

    expect(long.questions).to_have_count(24)


def test_earlier_messages_that_settle_above_the_reader_bring_no_more(long: ChatPage) -> None:
    stretches: list[str] = []
    long.page.on("request", lambda request: stretches.append(request.url))
    load_earlier(long, 18)
    long.page.wait_for_timeout(500)  # they are laid out now, lower than was estimated
    assert len([url for url in stretches if "/earlier/" in url]) == 1
    expect(long.questions).to_have_count(18)


def test_more_messages_do_not_have_all_others_styled_anew(long: ChatPage, browser: Browser) -> None:
    for questions in (18, 24, 30):
        load_earlier(long, questions)
    browser.start_tracing(page=long.page, categories=["devtools.timeline"])

    load_earlier(long, 36)

    events = json.loads(browser.stop_tracing())["traceEvents"]
    styled = [
        event["args"].get("elementCount", 0)
        for event in events
        if event["name"] == "UpdateLayoutTree"
    ]
    assert long.page.evaluate(ELEMENTS) > 3000
    assert max(styled) < 1000  # each new stretch once took longer than the one before


def test_messages_far_from_the_reader_are_not_laid_out_but_printed(long: ChatPage) -> None:
    load_earlier(long, 18)
    load_earlier(long, 24)
    far = long.page.evaluate(SKIPPED)

    long.page.emulate_media(media="print")

    assert far > 20
    long.page.wait_for_function(f"() => ({SKIPPED})() === 0")


def test_the_end_is_in_sight_before_any_module_has_come(alice: ChatPage, console: Console) -> None:
    console.allow("Failed to load resource")
    alice.ask("repeat " + "\n\n".join(f"Paragraph {number}." for number in range(60)))
    alice.expect_answered()
    alice.page.route("**/js/main.*.js", lambda route: route.abort())

    alice.reload()

    expect(alice.answer_text().get_by_text("Paragraph 59.")).to_be_in_viewport()
