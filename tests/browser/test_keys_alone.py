"""A whole visit without a pointer: every step by keys that a person has, none by a hook."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import SCREENSHOTS, Console
from tests.browser.pages import PASSWORD, ChatPage, red_circle, sign_up
from tests.browser.server import ServerProcess

FARTHEST = 60  # presses of Tab: nothing of a page lies farther from anything
FOCUSED = """() => {
    const { activeElement: it } = document;
    return (it.getAttribute("aria-label") || it.labels?.[0]?.innerText || it.innerText).trim();
}"""
IS_PLAIN = """() => {
    const { activeElement: it } = document;
    const { left, top, width, height } = it.getBoundingClientRect();
    const middle = document.elementFromPoint(left + width / 2, top + height / 2);
    const { outlineStyle } = getComputedStyle(it);
    return it.contains(middle) && (outlineStyle !== "none" || it.matches("textarea"));
}"""


@dataclass(frozen=True, slots=True)
class Keys:
    """Presses keys in a page, and nothing else."""

    page: Page

    def press(self, *keys: str) -> None:
        """Press one after the other."""
        for key in keys:
            self.page.keyboard.press(key)

    def type(self, text: str) -> None:
        """Write where the focus is."""
        self.page.keyboard.type(text)

    def tab_to(self, name: str, *, backwards: bool = False) -> None:
        """Go on to what has this name, which is then in sight and plainly focused."""
        for _ in range(FARTHEST):
            self.press("Shift+Tab" if backwards else "Tab")
            if self.page.evaluate(FOCUSED) == name:
                assert self.page.evaluate(IS_PLAIN), f"“{name}” is focused, but it does not show."
                return
        raise AssertionError(f"No “{name}” within {FARTHEST} presses of Tab.")

    def leave_the_field(self) -> None:
        """Go from the composer to where single keys count."""
        self.tab_to("Options")


def sign_in(keys: Keys, url: str, name: str) -> None:
    """Sign in on the form that a stranger is sent to."""
    keys.page.goto(f"{url}/")
    keys.tab_to("Login")
    keys.type(name)
    keys.tab_to("Password")
    keys.type(PASSWORD)
    keys.press("Enter")


def test_a_whole_visit_needs_no_pointer(
    server: ServerProcess,
    new_context: Callable[..., BrowserContext],
    console: Console,
    tmp_path: Path,
) -> None:
    picture = tmp_path / "circle.png"
    picture.write_bytes(red_circle())
    name = sign_up(new_context(), server.url, "keyboarder")
    page = new_context(permissions=["clipboard-read", "clipboard-write"]).new_page()
    console.watch(page)
    page.on("filechooser", lambda dialog: dialog.set_files(picture))
    keys, chat = Keys(page), ChatPage(page, server.url, SCREENSHOTS)

    sign_in(keys, server.url, name)
    chat.expect_connected()
    keys.tab_to("Add pictures")
    keys.press("Enter")
    chat.expect_uploaded()
    expect(chat.composer).to_be_focused()
    ask_and_stop(keys, chat)
    edit_and_answer_again(keys, chat)
    copy_and_judge(keys, chat)
    delete_and_find(keys, chat)


def ask_and_stop(keys: Keys, chat: ChatPage) -> None:
    keys.type("Count slowly.")
    keys.press("Enter")
    expect(chat.answer_text()).to_contain_text("word3")
    keys.leave_the_field()
    keys.press("x")
    expect(chat.answers.locator("[data-note-text]")).to_have_text("Stopped.")


def edit_and_answer_again(keys: Keys, chat: ChatPage) -> None:
    versions = chat.page.locator("[data-messages] .siblings__place")
    keys.leave_the_field()  # the focus went back to it with the end
    keys.press("e")
    expect(chat.composer).to_have_value("Count slowly.")
    keys.press("ControlOrMeta+a")
    keys.type("What is this?")
    keys.press("Enter")
    chat.expect_answered()
    expect(chat.answer_text()).to_contain_text("with 1 pictures")
    expect(versions).to_have_text(["2/2"])
    keys.tab_to("Answer again", backwards=True)
    keys.press("Enter")
    expect(versions).to_have_text(["2/2", "2/2"])
    expect(chat.answers.last).to_be_focused()
    chat.expect_answered()
    keys.tab_to("Earlier version")
    keys.press("Enter")
    expect(versions).to_have_text(["2/2", "1/2"])


def copy_and_judge(keys: Keys, chat: ChatPage) -> None:
    chat.expect_connected()
    keys.tab_to("Good answer")
    keys.press("Enter")
    expect(chat.page.get_by_label("What about the answer?")).to_be_focused()
    keys.type("It is round.")
    keys.press("Enter")
    expect(chat.page.locator("[data-toasts]")).to_have_text("Thank you.")
    keys.tab_to("Options")
    keys.press("c")
    expect(chat.page.locator("[data-toasts]")).to_contain_text("Copied")
    assert "with 1 pictures" in chat.page.evaluate("navigator.clipboard.readText()")


def delete_and_find(keys: Keys, chat: ChatPage) -> None:
    keys.tab_to("Count slowly.", backwards=True)
    keys.press("Delete")
    expect(chat.page).to_have_url(f"{chat.url}/")
    chat.expect_connected()
    keys.leave_the_field()
    keys.press("ControlOrMeta+z")
    expect(chat.cards).to_have_count(1)
    keys.press("ControlOrMeta+k")
    keys.type("with 1 pictures")
    expect(chat.cards.locator("mark").first).to_be_visible()
