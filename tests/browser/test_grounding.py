"""What an answer points at: drawn while it is written, joined to the text, taken away."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Locator, expect

from tests.browser.pages import ChatPage, red_circle
from tests.browser.server import ServerProcess

EXAMPLE = Path("chat/static/chat/img/example.png")
BOXES_WIDE = 0.5  # the share of the picture that the first box of the script spans
# Both at one moment: the page may scroll between two questions of the driver.
SHARES_OF_THE_PICTURE = """(mark) => {
  const picture = document.querySelector("[data-grounded-image]").getBoundingClientRect();
  const box = mark.getBoundingClientRect();
  return [
    (box.x - picture.x) / picture.width, (box.y - picture.y) / picture.height,
    box.width / picture.width,
  ];
}"""


def marks(chat: ChatPage) -> Locator:
    """Find the boxes and points of the transcript."""
    return chat.page.locator("[data-marks] [data-mark]")


def ask_where(chat: ChatPage, question: str = "where is it?") -> None:
    """Ask about a picture what the script answers with marks."""
    chat.paste_picture(red_circle())
    chat.expect_uploaded()
    chat.ask(question)


def test_marks_appear_while_the_answer_is_written(alice: ChatPage) -> None:
    ask_where(alice, "where is it, slowly?")
    expect(marks(alice)).to_have_count(1)
    expect(alice.answers).to_have_attribute("data-state", "running")
    expect(marks(alice)).to_have_count(3)
    expect(alice.answers).to_have_attribute("data-state", "running")
    # The objects stand in code that is rendered by now, and are joined to the boxes there.
    expect(alice.answer_text().locator("pre .hl-nt").first).to_have_text('"bbox_2d"')
    alice.answer_text().get_by_text("corner").hover()
    expect(alice.page.locator(".pointed--on")).to_have_text("corner")
    expect(alice.answers).to_have_attribute("data-state", "running")
    alice.shot("grounding-live")
    alice.stop()
    expect(marks(alice)).to_have_count(3)


def test_boxes_lie_where_the_model_says_on_a_desk_and_on_a_phone(
    person: Callable[..., ChatPage], server: ServerProcess
) -> None:
    alice = person(server, viewport={"width": 360, "height": 740}, color_scheme="dark")
    ask_where(alice)
    alice.expect_answered()
    for size in ({"width": 360, "height": 740}, {"width": 1280, "height": 800}):
        alice.page.set_viewport_size(size)  # type: ignore[arg-type]
        x, y, width = marks(alice).first.evaluate(SHARES_OF_THE_PICTURE)
        assert abs(width - BOXES_WIDE) < 0.01
        assert abs(x - 0.25) < 0.01
        assert abs(y - 0.25) < 0.01
        marks(alice).first.scroll_into_view_if_needed()
        alice.shot(f"grounding-{size['width']}")


def test_hovering_joins_box_legend_and_text(alice: ChatPage) -> None:
    ask_where(alice)
    alice.expect_answered()
    chip = alice.page.get_by_role("button", name="corner")
    chip.hover()
    expect(marks(alice).nth(1)).to_have_class(
        "pointed pointed--box pointed--c1 pointed--high pointed--on"
    )
    lit = "[...(CSS.highlights.get('pointed') ?? [])].map(String)"
    assert alice.page.evaluate(lit) == ['{"bbox_2d": [0, 0, 100, 100], "label": "corner"}']
    marks(alice).nth(2).hover()
    assert alice.page.evaluate(lit) == ['{"point_2d": [500, 500], "label": "middle"}']
    alice.answer_text().get_by_text("red circle").hover()
    expect(chip).not_to_have_class("legend__chip--on")
    expect(alice.page.locator(".pointed--on")).to_have_text("red circle")
    alice.shot("grounding-hover")
    alice.questions.locator("[data-text]").hover()
    expect(alice.page.locator(".pointed--on")).to_have_count(0)
    assert alice.page.evaluate(lit) == []


def test_marks_are_hidden_copied_and_saved(alice: ChatPage) -> None:
    alice.page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=alice.url)
    ask_where(alice)
    alice.expect_answered()
    toggle = alice.page.get_by_role("button", name="Show the marks")
    toggle.click()
    expect(marks(alice).first).to_be_hidden()
    toggle.click()
    expect(marks(alice).first).to_be_visible()
    copied: dict[str, str] = {}
    for name in ("JSON", "CSV", "COCO"):
        alice.page.locator(".copy-menu summary").click()
        alice.page.get_by_role("button", name=name).click()
        expect(alice.page.locator("[data-toasts]")).to_have_text("Copied")
        copied[name] = alice.page.evaluate("navigator.clipboard.readText()")
    assert json.loads(copied["JSON"])[0] == {"bbox_2d": [250, 250, 750, 750], "label": "red circle"}
    assert "red circle,box,64,64,192,192" in copied["CSV"]
    assert json.loads(copied["COCO"])["annotations"][1]["bbox"] == [0, 0, 25.6, 25.6]
    with alice.page.expect_download() as saving:
        alice.page.get_by_role("button", name="Save the picture with its marks").click()
    saved = saving.value.path()
    assert saved.read_bytes().startswith(b"\x89PNG")


def test_marks_are_there_after_a_reload_and_for_a_later_question(alice: ChatPage) -> None:
    ask_where(alice)
    alice.expect_answered(1)
    alice.ask("And where now?")
    alice.expect_answered(2)
    expect(marks(alice)).to_have_count(6)
    alice.reload()
    expect(marks(alice)).to_have_count(6)
    marks(alice).nth(1).click()
    expect(alice.page.locator("[data-viewer-image]").first).to_have_js_property("naturalWidth", 256)


def test_an_answer_without_a_picture_draws_nothing(alice: ChatPage) -> None:
    alice.ask("where is it?")
    alice.expect_answered()
    expect(alice.page.locator("[data-grounded]")).to_have_count(0)


def test_marks_go_to_the_picture_that_the_answer_names(alice: ChatPage) -> None:
    alice.paste_picture(red_circle())
    alice.choose_pictures(("example.png", EXAMPLE.read_bytes(), "image/png"))
    alice.expect_uploaded(2)
    alice.ask("In which of them?")
    alice.expect_answered()
    second = alice.questions.locator("[data-picture]").nth(1)
    expect(alice.page.locator("[data-grounded]")).to_have_count(1)
    shown = alice.page.locator("[data-grounded-image]")
    expect(shown).to_have_js_property("src", f"{alice.url}{second.get_attribute('data-full')}")
    expect(alice.page.locator("[data-chip]")).to_have_text("Place 1")
