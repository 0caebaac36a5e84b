"""The way of a new person, with the demo model: from signing up to the second turn."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import BrowserContext, expect

from tests.browser.conftest import SCREENSHOTS, Console
from tests.browser.pages import PASSWORD, ChatPage, red_circle
from tests.browser.server import ServerProcess


def test_new_person_asks_about_a_pasted_picture_reloads_and_asks_on(
    demo_server: ServerProcess,
    new_context: Callable[..., BrowserContext],
    console: Console,
) -> None:
    page = new_context().new_page()
    console.watch(page)
    page.goto(f"{demo_server.url}/")
    page.get_by_role("link", name="Make an account").click()
    page.get_by_label("Username").fill("alice")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password (again)").fill(PASSWORD)
    page.get_by_role("button", name="Sign Up").click()
    chat = ChatPage(page, demo_server.url, SCREENSHOTS)
    chat.expect_connected()
    expect(page.locator("[data-banner]")).to_contain_text("demo model")

    chat.paste_picture(red_circle())
    chat.expect_uploaded()
    chat.ask("What do you see?")
    expect(chat.answers).to_have_count(1)
    chat.reload()
    chat.expect_answered()
    expect(chat.answer_text()).to_contain_text(re.compile("red circle", re.IGNORECASE))
    expect(chat.answers.locator("[data-demo]")).to_be_visible()

    chat.ask("What colour is it?")
    chat.expect_answered(2)
    expect(chat.answer_text()).to_contain_text(re.compile("red", re.IGNORECASE))
    chat.shot("demo-second-turn")
