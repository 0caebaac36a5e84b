"""A conversation is kept as a file: chosen in a menu, readable without the product."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.pages import ChatPage, red_circle


@pytest.fixture
def asked(alice: ChatPage) -> ChatPage:
    """Have asked about a picture."""
    alice.open_home()
    expect(alice.page.get_by_role("button", name="Export")).to_be_hidden()
    alice.choose_pictures(("circle.png", red_circle(), "image/png"))
    alice.expect_uploaded()
    alice.ask("Tell me everything.")
    alice.expect_answered()
    return alice


def download(chat: ChatPage, name: str, folder: Path) -> Path:
    """Choose a form in the menu, by keyboard, and keep the file."""
    chat.page.get_by_role("button", name="Export").press("Enter")
    with chat.page.expect_download() as started:
        chat.page.get_by_role("link", name=name).press("Enter")
    path = folder / started.value.suggested_filename
    started.value.save_as(path)
    return path


def test_a_new_conversation_is_kept_in_every_form(asked: ChatPage, tmp_path: Path) -> None:
    text = download(asked, "Markdown", tmp_path)
    whole = download(asked, "Everything (JSON)", tmp_path)
    page = download(asked, "Page with pictures", tmp_path)

    assert {path.name for path in (text, whole, page)} == {
        f"Tell-me-everything.{form}" for form in ("md", "json", "html")
    }
    answer = json.loads(whole.read_text())["messages"][1]["text"]
    assert text.read_text().endswith(f"\n\n{answer}\n")
    kept = asked.page.context.new_page()
    problems: list[str] = []
    kept.on("console", lambda message: problems.append(message.text))
    kept.goto(page.as_uri())
    expect(kept.get_by_role("heading", name="Tell me everything.")).to_be_visible()
    assert kept.locator("img").evaluate("image => image.naturalWidth") == 256
    expect(kept.locator(".prose")).to_contain_text("three shapes")
    assert problems == []
    ChatPage(kept, asked.url, asked._screenshots).shot("export")


def test_the_menu_is_there_after_a_reload(asked: ChatPage) -> None:
    asked.reload()

    asked.page.get_by_role("button", name="Export").click()

    expect(asked.page.get_by_role("link", name="Markdown")).to_be_visible()
    asked.shot("export-menu")
    asked.page.keyboard.press("Escape")
    expect(asked.page.get_by_role("link", name="Markdown")).to_be_hidden()
