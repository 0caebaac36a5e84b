"""The conversation list: search, rename, pin, archive, delete with a way back, thousands."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Route, expect

from tests.browser.pages import ChatPage
from tests.browser.server import ServerProcess

MANY = 3000
LIST_NODES = 2500
LIST_PAGES = re.compile(r"/conversations/\?")


def ask_anew(chat: ChatPage, question: str) -> None:
    """Ask in a new conversation."""
    chat.open_home()
    chat.ask(question)
    chat.expect_answered()


def group(chat: ChatPage, key: str) -> Locator:
    """Find the cards of a group."""
    return chat.page.locator(f'[data-group="{key}"] [data-card]')


@pytest.fixture
def many(person: Callable[..., ChatPage], server: ServerProcess) -> ChatPage:
    """Somebody with thousands of conversations."""
    someone = person(server)
    ask_anew(someone, "Make many conversations.")
    someone.reload()
    return someone


def test_search_shows_where_the_text_is_and_opens_there(alice: ChatPage) -> None:
    ask_anew(alice, "Where is the lighthouse?")
    alice.ask("Tell me everything.")
    alice.expect_answered(2)
    alice.ask("And slowly?")
    alice.expect_answered(3)
    ask_anew(alice, "Tell me everything.")
    search = alice.page.get_by_role("searchbox")
    search.fill("lighthouse")
    expect(alice.cards).to_have_count(1)
    expect(alice.cards.locator("mark").first).to_have_text("lighthouse")
    search.fill("THREE shapes")
    expect(alice.cards).to_have_count(2)
    expect(alice.page.locator("[data-search-status]")).to_have_text("2 conversations found")
    alice.shot("search")
    alice.cards.last.get_by_role("link").click()
    sought = alice.page.locator("[data-sought]")
    expect(sought).to_contain_text("three shapes")
    expect(sought).to_be_in_viewport()
    search.fill("nowhere")
    expect(alice.page.locator("[data-list-empty]")).to_have_text("Nothing found.")
    search.fill("")
    expect(alice.cards).to_have_count(2)


def test_renaming_shows_everywhere(alice: ChatPage) -> None:
    ask_anew(alice, "What is this?")
    alice.choose(alice.cards.first, "Rename")
    alice.page.get_by_label("Title").fill("My <b>circle</b>")
    alice.page.keyboard.press("Enter")
    expect(alice.cards.first.locator("[data-card-title]")).to_have_text("My <b>circle</b>")
    expect(alice.page.locator("[data-title]")).to_have_text("My <b>circle</b>")
    alice.reload()
    expect(alice.page.locator("[data-title]")).to_have_text("My <b>circle</b>")


def test_pins_and_archive_show_in_every_tab(alice: ChatPage) -> None:
    ask_anew(alice, "What is this?")
    ask_anew(alice, "And this?")
    other = alice.second_tab()
    other.expect_connected()
    alice.choose(alice.cards.last, "Pin")
    expect(group(alice, "pinned")).to_contain_text(["What is this?"])
    expect(group(other, "pinned")).to_contain_text(["What is this?"])
    alice.choose(group(alice, "pinned"), "Unpin")
    expect(group(other, "pinned")).to_have_count(0)
    alice.choose(alice.cards.first, "Move to the archive")
    expect(alice.cards).to_have_count(1)
    expect(other.cards).to_have_count(1)
    other.page.get_by_role("button", name="Archive").click()
    expect(other.cards).to_contain_text(["And this?"])
    other.shot("archive")
    alice.page.get_by_role("button", name="Undo").click()
    expect(alice.cards).to_have_count(2)
    expect(other.page.locator("[data-list-empty]")).to_have_text("Nothing is archived.")


def test_what_was_deleted_can_be_brought_back_from_the_next_page(alice: ChatPage) -> None:
    ask_anew(alice, "What is this?")
    other = alice.second_tab()
    other.expect_connected()
    alice.choose(alice.cards.first, "Delete")
    expect(alice.page).to_have_url(f"{alice.url}/")
    expect(other.page).to_have_url(f"{alice.url}/")
    expect(alice.cards).to_have_count(0)
    alice.shot("undo")
    alice.page.get_by_role("button", name="Undo").click()
    expect(alice.cards).to_have_count(1)
    expect(other.cards).to_have_count(1)
    alice.cards.first.get_by_role("link").click()
    expect(alice.questions).to_have_text(re.compile("What is this"))


def test_a_list_is_used_by_keyboard_alone(alice: ChatPage) -> None:
    for question in ("One?", "Two?", "Three?"):
        ask_anew(alice, question)
    keyboard = alice.page.keyboard
    alice.cards.first.get_by_role("link").focus()
    keyboard.press("ArrowDown")
    keyboard.press("Delete")
    expect(alice.cards).to_have_count(2)
    expect(alice.cards.last.get_by_role("link")).to_be_focused()
    keyboard.press("ControlOrMeta+z")
    expect(alice.cards).to_have_count(3)
    keyboard.press("Home")
    keyboard.press("Tab")
    keyboard.press("Enter")
    expect(alice.page.get_by_role("button", name="Pin", exact=True)).to_be_focused()
    keyboard.press("Escape")
    expect(alice.cards.first.get_by_role("button", name="More")).to_be_focused()


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


def test_of_thousands_only_those_near_the_eye_are_in_the_page(many: ChatPage) -> None:
    place = many.page.locator("[data-conversations]")
    expect(group(many, "today").first).to_contain_text("Make many conversations.")
    many.cards.first.get_by_role("link").focus()
    many.page.keyboard.press("End")
    focused = many.page.locator("[data-card-link]:focus [data-card-title]")
    expect(focused).to_have_text(f"Old {MANY}")
    for number in range(MANY - 1, MANY - 60, -1):
        many.page.keyboard.press("ArrowUp")
        expect(focused).to_have_text(f"Old {number}")
    for share in (0.5, 0.2):
        place.evaluate("(list, share) => list.scrollTo(0, list.scrollHeight * share)", share)
        seen = many.page.locator("[data-card]").filter(has_text="Old").first
        expect(seen).to_be_attached()
        expect(many.page.locator(".chunk--blank")).not_to_have_count(0)
        many.page.wait_for_function(
            "([list, most]) => list.querySelectorAll('*').length < most",
            arg=[place.element_handle(), LIST_NODES],
        )
    many.page.keyboard.press("Home")
    expect(many.cards.first).to_contain_text("Make many conversations.")


def hold_pages(chat: ChatPage) -> list[Route]:
    """Let the list's pages wait until their routes are continued; give those that do."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    chat.page.route(LIST_PAGES, hold)
    return held


def wait_for(chat: ChatPage, held: list[Route]) -> None:
    """Wait until a page is asked for, and the observer has told of what is near."""
    while not held:
        chat.page.wait_for_timeout(20)  # lets the request be made
    chat.page.wait_for_timeout(200)


def test_cards_that_come_when_the_reader_has_gone_on_do_not_stay(many: ChatPage) -> None:
    place = many.page.locator("[data-conversations]")
    late = hold_pages(many)
    place.evaluate("(list) => list.scrollTo(0, list.scrollHeight / 2)")
    wait_for(many, late)
    place.evaluate("(list) => list.scrollTo(0, 0)")
    wait_for(many, late)
    filled = many.page.locator("[data-chunk]:not(.chunk--blank)")

    with many.page.expect_response(LIST_PAGES):
        for route in late:
            route.continue_()
    many.page.wait_for_timeout(300)  # they are put in their place

    expect(filled).to_have_count(1)  # where the reader is now


def test_cards_that_stayed_for_their_focus_go_when_it_has_gone_on(many: ChatPage) -> None:
    late = hold_pages(many)
    many.cards.first.get_by_role("link").focus()
    many.page.keyboard.press("End")
    wait_for(many, late)  # out of sight, the first page still has the focus

    for route in late:
        route.continue_()

    focused = many.page.locator("[data-card-link]:focus [data-card-title]")
    expect(focused).to_have_text(f"Old {MANY}")
    expect(many.page.locator("[data-chunk]").first).to_have_class(re.compile("chunk--blank"))
