"""Phone, dark, Chinese, keyboard only, account and error pages."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.conftest import SCREENSHOTS, Console
from tests.browser.pages import ChatPage, red_circle
from tests.browser.server import ServerProcess

PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}


def test_phone_has_a_drawer_and_no_sideways_scroll(
    person: Callable[..., ChatPage], server: ServerProcess
) -> None:
    alice = person(server, **PHONE, color_scheme="dark")
    alice.shot("phone-empty-dark")
    alice.paste_picture(red_circle())
    alice.expect_uploaded()
    alice.ask("Tell me everything.")
    alice.expect_answered()
    alice.shot("phone-answer-dark")
    width = alice.page.evaluate("document.documentElement.scrollWidth")
    assert width == PHONE["viewport"]["width"]  # type: ignore[index]
    toggle = alice.page.get_by_role("button", name="Conversations", exact=True)
    toggle.click()
    expect(alice.cards.first).to_be_in_viewport()
    alice.shot("phone-list-dark")
    alice.cards.first.get_by_role("button", name="More").click()
    alice.page.keyboard.press("Escape")
    expect(alice.page.get_by_role("button", name="Pin", exact=True)).to_be_hidden()
    expect(alice.cards.first).to_be_in_viewport()
    alice.page.keyboard.press("Escape")
    expect(alice.cards.first).not_to_be_in_viewport()
    expect(toggle).to_be_focused()


KEYBOARD = """
const seen = new EventTarget();
Object.assign(seen, { height: innerHeight, scale: 1 });
Object.defineProperty(window, "visualViewport", { value: seen });
window.cover = (height) => {
    seen.height = innerHeight - height;
    seen.dispatchEvent(new Event("resize"));
};
"""


def test_the_composer_stays_above_a_keyboard_that_covers_the_page(
    person: Callable[..., ChatPage], server: ServerProcess
) -> None:
    alice = person(server, **PHONE)
    alice.page.add_init_script(KEYBOARD)
    alice.reload()
    alice.expect_connected()
    send = alice.page.get_by_role("button", name="Send")

    def bottom() -> float:
        box = send.bounding_box()
        assert box is not None
        return box["y"] + box["height"]

    free = bottom()
    alice.page.evaluate("cover(336)")
    assert free - bottom() == 336
    expect(alice.page.locator("[data-title]")).to_be_in_viewport()
    alice.shot("phone-keyboard")
    alice.page.evaluate("cover(0)")
    assert bottom() == free


def test_the_composer_stays_above_a_keyboard_that_makes_the_page_smaller(
    person: Callable[..., ChatPage], server: ServerProcess
) -> None:
    alice = person(server, **PHONE)
    alice.write("A long question. " * 40)
    alice.page.set_viewport_size({"width": 360, "height": 380})

    for part in (alice.composer, alice.page.get_by_role("button", name="Send")):
        expect(part).to_be_in_viewport(ratio=1)
    expect(alice.page.locator("[data-title]")).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize("path", ["", "accounts/"])
def test_everything_is_larger_on_a_screen_that_is_far_larger(path: str, alice: ChatPage) -> None:
    alice.page.set_viewport_size({"width": 3840, "height": 2160})
    alice.page.goto(f"{alice.url}/{path}")

    size = alice.page.evaluate("getComputedStyle(document.body).fontSize")
    assert size == "24px"


def test_page_speaks_chinese(person: Callable[..., ChatPage], server: ServerProcess) -> None:
    alice = person(server, locale="zh-CN")
    expect(alice.page.locator("html")).to_have_attribute("lang", "zh-hans")
    expect(alice.page.get_by_role("heading", name="您的图片里有什么？")).to_be_visible()
    alice.shot("chinese-empty")
    alice.ask("Please fail.")
    expect(alice.answers.locator("[data-failure]")).to_contain_text("内存不足")
    alice.shot("chinese-failed")


def test_language_and_theme_are_chosen_in_the_menu(alice: ChatPage) -> None:
    alice.page.get_by_role("button", name="Account and settings").click()
    alice.shot("menu")
    alice.page.get_by_role("button", name="Dark").click()
    expect(alice.page.locator("html")).to_have_attribute("data-theme", "dark")
    alice.page.get_by_role("button", name="简体中文").click()
    expect(alice.page.locator("html")).to_have_attribute("lang", "zh-hans")
    expect(alice.page.locator("html")).to_have_attribute("data-theme", "dark")
    alice.shot("chinese-dark")


def test_everything_is_reached_by_keyboard(alice: ChatPage) -> None:
    keyboard = alice.page.keyboard
    alice.page.locator("body").click(position={"x": 700, "y": 5})
    keyboard.press("/")
    expect(alice.composer).to_be_focused()
    keyboard.type("First line")
    keyboard.press("Shift+Enter")
    keyboard.type("second line, slowly")
    keyboard.press("Enter")
    expect(alice.answer_text()).to_contain_text("word3")
    expect(alice.questions.locator("[data-text]")).to_have_text("First line\nsecond line, slowly")
    for _ in ("pictures", "options", "stop"):
        keyboard.press("Tab")
    expect(alice.page.get_by_role("button", name="Stop", exact=True)).to_be_focused()
    keyboard.press("Enter")
    expect(alice.answers.locator("[data-note-text]")).to_have_text("Stopped.")
    expect(alice.composer).to_be_focused()


def test_enter_that_ends_a_composition_sends_nothing(alice: ChatPage) -> None:
    alice.write("ni hao")
    alice.composer.dispatch_event("keydown", {"key": "Enter", "keyCode": 229, "isComposing": True})
    expect(alice.composer).to_have_value("ni hao")
    expect(alice.questions).to_have_count(0)


def test_screen_reader_hears_stages_and_sentences(alice: ChatPage) -> None:
    alice.ask("What is this?")
    alice.expect_answered()
    said = alice.page.locator("[data-announcer] p")
    expect(said.last).to_have_text("The answer is complete.")
    expect(alice.page.locator("[data-announcer]")).to_contain_text("You asked first:")


def test_empty_and_too_long_questions_are_held_back(alice: ChatPage) -> None:
    alice.ask("   ")
    expect(alice.hint).to_have_text("Write a question first.")
    alice.write("x" * 8003)
    expect(alice.hint).to_have_text("3 characters too many. At most 8000 fit one question.")
    alice.composer.press("Enter")
    expect(alice.questions).to_have_count(0)


def test_suggested_question_goes_into_the_composer(alice: ChatPage) -> None:
    alice.page.get_by_role("button", name="How many shapes are there?").click()
    expect(alice.composer).to_have_value("How many shapes are there?")
    expect(alice.composer).to_be_focused()


@pytest.mark.parametrize("path", ["login", "signup", "password/reset"])
def test_account_pages_share_the_card(
    path: str,
    server: ServerProcess,
    new_context: Callable[..., BrowserContext],
    console: Console,
) -> None:
    page = new_context().new_page()
    console.watch(page)
    page.goto(f"{server.url}/accounts/{path}/")
    expect(page.locator(".card h1")).to_be_visible()
    page.screenshot(path=SCREENSHOTS / f"account-{path.replace('/', '-')}.png")


@pytest.mark.parametrize("path", ["email", "password/change", "logout"])
def test_own_account_pages_share_the_card(path: str, alice: ChatPage) -> None:
    alice.page.goto(f"{alice.url}/accounts/{path}/")
    expect(alice.page.locator(".card h1")).to_be_visible()
    alice.shot(f"account-{path.replace('/', '-')}")


def test_paper_shows_what_was_said_and_nothing_to_press(alice: ChatPage) -> None:
    alice.choose_pictures(("circle.png", red_circle(), "image/png"))
    alice.expect_uploaded()
    alice.ask("Tell me everything.")
    alice.expect_answered()
    alice.page.emulate_media(media="print")
    alice.page.set_viewport_size({"width": 794, "height": 1123})  # A4
    expect(alice.answer_text()).to_be_visible()
    expect(alice.page.get_by_role("heading", name="Tell me everything.")).to_be_visible()
    for hidden in (
        "#sidebar",
        "[data-composer-area]",
        "[data-answer-footer]",
        "[data-export-menu]",
    ):
        expect(alice.page.locator(hidden).last).to_be_hidden()
    expect(alice.page.locator("main button:visible")).to_have_count(1)  # the picture
    number = alice.page.evaluate(
        "getComputedStyle(document.querySelector('.pictures__item'), '::after').printColorAdjust"
    )
    assert number == "exact"  # white on nothing otherwise
    alice.shot("paper")
