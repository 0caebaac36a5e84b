"""A table of hundreds of rows: brought into the page in slices, and whole for whoever takes it."""

from __future__ import annotations

from playwright.sync_api import Locator, expect

from tests.browser.pages import ChatPage

ROWS = 100  # within the tokens of an answer
TABLE = "| place | shape |\n|---|---|\n" + "\n".join(f"| {n} | circle |" for n in range(ROWS))
SLICE_ROWS = 40
# How many rows of a table came into the transcript in each frame in which any did.
WATCH = """() => {
    window.perFrame = [];
    let isNewFrame = true;
    const tick = () => { isNewFrame = true; requestAnimationFrame(tick); };
    tick();
    new MutationObserver((records) => {
        const added = records.flatMap(({ addedNodes }) => [...addedNodes]);
        const rows = added.map((node) =>
            node.matches?.("tbody tr") ? 1 : (node.querySelectorAll?.("tbody tr").length ?? 0));
        const count = rows.reduce((sum, each) => sum + each, 0);
        if (count === 0) return;
        window.perFrame.push(isNewFrame ? count : window.perFrame.pop() + count);
        isNewFrame = false;
    }).observe(document.querySelector("[data-messages]"), { childList: true, subtree: true });
}"""
NO_MORE_FRAMES = "() => { window.requestAnimationFrame = () => 0; }"
CLIPBOARD = """async () => {
    const [item] = await navigator.clipboard.read();
    return (await item.getType("text/html")).text();
}"""


def rows_of(chat: ChatPage) -> Locator:
    """Find the rows of the last answer's table that are in the page."""
    return chat.answer_text().locator("tbody tr")


def test_rows_come_a_slice_a_frame_in_order(alice: ChatPage) -> None:
    alice.page.evaluate(WATCH)

    alice.ask(f"repeat {TABLE}")
    alice.expect_answered()

    expect(rows_of(alice)).to_have_count(ROWS)
    assert max(alice.page.evaluate("window.perFrame")) == SLICE_ROWS  # once all in one long frame
    shown = rows_of(alice).locator("td:first-child").all_inner_texts()
    assert shown == [str(number) for number in range(ROWS)]
    expect(alice.answer_text().locator("[aria-busy]")).to_have_count(0)


def test_a_table_is_busy_until_it_is_whole_and_printed_whole(alice: ChatPage) -> None:
    alice.page.evaluate(NO_MORE_FRAMES)
    alice.ask(f"repeat {TABLE}")
    alice.expect_answered()
    busy = alice.answer_text().locator("table[aria-busy=true]")
    expect(busy).to_have_count(1)
    expect(rows_of(alice)).to_have_count(SLICE_ROWS)

    alice.page.evaluate("dispatchEvent(new Event('beforeprint'))")

    expect(rows_of(alice)).to_have_count(ROWS)
    expect(busy).to_have_count(0)


def test_a_table_is_copied_whole(alice: ChatPage) -> None:
    alice.page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=alice.url)
    alice.page.evaluate(NO_MORE_FRAMES)
    alice.ask(f"repeat {TABLE}")
    alice.expect_answered()

    alice.page.get_by_role("button", name="Copy with formatting").click()

    expect(alice.page.locator("[data-toasts]")).to_have_text("Copied")
    assert alice.page.evaluate(CLIPBOARD).count("<td") == 2 * ROWS
