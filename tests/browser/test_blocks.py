"""An answer's complete blocks are rendered while the rest is written, and then left alone."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Route, expect

from tests.browser.blocking_proxy import Address
from tests.browser.conftest import Console
from tests.browser.pages import ChatPage
from tests.browser.scripted_server import EVERYTHING

# More than is ever written: each test stops its answer when it has seen enough.
TAIL = " ".join(f"word{number}" for number in range(1, 700))
# The nodes that stand before the open text now, and what is selected in the first of them.
REMEMBER = """(body) => {
    window.blocks = [...body.children].filter((block) => !("live" in block.dataset));
    getSelection().selectAllChildren(window.blocks[0]);
    window.selected = String(getSelection());
    return window.blocks.length;
}"""
# Which of them are still where they were.
KEPT = "(body) => window.blocks.map((block, place) => body.children[place] === block)"


def ask_slowly(chat: ChatPage, text: str) -> None:
    """Have a text written word by word."""
    chat.ask(f"repeat slowly\n\n{text}")


def expect_writing(chat: ChatPage) -> None:
    """Check that the answer has not ended yet."""
    expect(chat.answers.last).to_have_attribute("data-state", "running")


def stop(chat: ChatPage) -> None:
    """End the answer, without the click that ends a selection, and wait until it is shown."""
    chat.page.get_by_role("button", name="Stop", exact=True).dispatch_event("click")
    expect(chat.answers.last.locator("[data-note-text]")).to_have_text("Stopped.")


def test_blocks_appear_rendered_before_the_end_and_stay_what_they_are(alice: ChatPage) -> None:
    alice.page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=alice.url)
    ask_slowly(alice, f"{EVERYTHING}\n{TAIL}")
    answer = alice.answer_text()
    expect(answer.locator("strong")).to_have_text("three shapes")
    expect(answer.locator("[data-live]")).to_contain_text("| Place")
    expect(answer.locator("table td")).to_have_count(9)
    expect(answer.locator("math")).to_have_count(1)
    expect(answer.locator("pre .hl-kn")).to_have_text("import")
    expect_writing(alice)
    answer.get_by_role("button", name="Copy code").click()
    expect(alice.page.locator(".toast").last).to_have_text("Copied")
    assert alice.page.evaluate("navigator.clipboard.readText()").startswith("import math\n")
    expect(answer.locator("ol > li")).to_have_count(3)
    expect_writing(alice)
    count = answer.evaluate(REMEMBER)
    alice.shot("blocks-live")

    stop(alice)

    assert answer.evaluate(KEPT) == [True] * count
    assert alice.page.evaluate("() => window.selected === String(getSelection())")
    assert alice.page.evaluate("() => window.selected") == "slowly"
    expect(answer.locator("[data-live]")).to_have_count(0)
    expect(answer.locator(":scope > p").last).to_contain_text("word1 ")


def test_reload_and_another_tab_show_the_same_blocks(alice: ChatPage) -> None:
    ask_slowly(alice, f"**One**\n\n# Two\n\n{TAIL}")
    answer = alice.answer_text()
    expect(answer.locator("h3")).to_have_text("Two")
    other = alice.second_tab()
    expect(other.answer_text().locator("h3")).to_have_text("Two")
    alice.reload()
    expect(answer.locator("h3")).to_have_text("Two")
    expect(answer.locator("strong")).to_have_text("One")
    expect_writing(alice)

    stop(alice)

    for chat in (alice, other):
        expect(chat.answers.locator("[data-note-text]")).to_have_text("Stopped.")
        expect(chat.answer_text().locator(":scope > *")).to_have_count(4)
    assert alice.answer_text().inner_text() == other.answer_text().inner_text()


def test_a_lost_block_leaves_the_text(alice: ChatPage, console: Console) -> None:
    console.allow("ERR_FAILED")
    asked: list[str] = []

    def lose(route: Route) -> None:
        asked.append(route.request.url)
        route.abort()

    alice.page.route("**/blocks/**", lose)
    ask_slowly(alice, f"**One**\n\n{TAIL}")
    expect(alice.answer_text()).to_contain_text("word20")

    expect(alice.answer_text().locator("[data-live]")).to_contain_text(
        "slowly\n\n**One**\n\nword1 "
    )
    assert asked
    stop(alice)
    expect(alice.answer_text().locator("strong")).to_have_text("One")


def test_a_link_defined_later_comes_at_the_end_and_changes_its_own_block_alone(
    alice: ChatPage,
) -> None:
    between = TAIL.replace("word", "between")[:600]
    definition = "[1]: https://b.example/"
    ask_slowly(alice, f"See [here][1].\n\nKept.\n\n{between}\n\n{definition}\n\n{TAIL}")
    answer = alice.answer_text()
    expect(answer.locator(":scope > p")).to_have_text(["slowly", "See [here][1].", "Kept."])
    expect(answer).to_contain_text("word1 ")
    answer.evaluate(REMEMBER)

    stop(alice)

    assert answer.evaluate(KEPT)[:3] == [True, False, True]
    expect(answer.get_by_role("link", name="here")).to_be_visible()


def test_blocks_appear_where_sockets_are_refused(
    person: Callable[..., ChatPage], behind_proxy: Address, console: Console
) -> None:
    console.allow("WebSocket connection")
    alice = person(behind_proxy)
    ask_slowly(alice, f"**One**\n\n{TAIL}")
    expect(alice.answer_text().locator("strong")).to_have_text("One")
    expect_writing(alice)
    stop(alice)


def test_an_answer_gone_on_with_shows_its_blocks_again(alice: ChatPage) -> None:
    ask_slowly(alice, f"**One**\n\n{TAIL}")
    expect(alice.answer_text()).to_contain_text("word9")
    stop(alice)
    alice.page.get_by_role("button", name="Go on", exact=True).click()
    expect_writing(alice)
    expect(alice.answer_text()).to_contain_text("word30")
    expect(alice.answer_text().locator("strong")).to_have_text("One")
    expect(alice.answer_text().locator("[data-live]")).to_contain_text("word9 word10")
    stop(alice)
