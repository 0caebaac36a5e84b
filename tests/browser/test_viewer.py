"""Pictures in full: enlarged, moved, leafed through, compared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.pages import ChatPage, red_circle
from tests.browser.server import ServerProcess

EXAMPLE = Path("chat/static/chat/img/example.png")


def shown(chat: ChatPage) -> Locator:
    """Find the pictures that the viewer shows."""
    return chat.page.locator("[data-viewer] [data-viewer-image]:visible")


def width(chat: ChatPage) -> float:
    """Measure the picture that the viewer shows."""
    box = shown(chat).first.bounding_box()
    assert box is not None
    return box["width"]


def expect_width(chat: ChatPage, wanted: float) -> None:
    """Wait until the picture is so wide, to the pixel."""
    chat.page.wait_for_function(
        """(wanted) => [...document.querySelectorAll("[data-viewer-image]")].some(
            ({ clientWidth: width }) => width && Math.abs(width - wanted) <= 1)""",
        arg=wanted,
    )


def ask_about_two(chat: ChatPage) -> None:
    """Ask about two pictures and open the first."""
    chat.choose_pictures(
        ("circle.png", red_circle(), "image/png"),
        ("example.png", EXAMPLE.read_bytes(), "image/png"),
    )
    chat.expect_uploaded(2)
    chat.ask("What are these?")
    chat.expect_answered()
    chat.questions.locator("[data-picture]").first.click()
    expect(shown(chat)).to_have_attribute("alt", "Picture 1")


def test_a_picture_is_enlarged_and_moved_by_keys_wheel_and_drag(alice: ChatPage) -> None:
    ask_about_two(alice)
    keyboard, mouse = alice.page.keyboard, alice.page.mouse
    whole = width(alice)
    keyboard.press("+")
    expect_width(alice, whole * 1.25)
    keyboard.press("-")
    expect_width(alice, whole)
    mouse.move(640, 360)
    mouse.wheel(0, -1200)
    alice.page.wait_for_function(
        "(least) => document.querySelector('[data-viewer-image]').clientWidth > least",
        arg=whole * 6.5,
    )
    before = shown(alice).bounding_box()
    mouse.down()
    mouse.move(740, 360)
    mouse.up()
    keyboard.press("ArrowDown")
    after = shown(alice).bounding_box()
    assert before is not None
    assert after is not None
    assert after["x"] - before["x"] == pytest.approx(100, abs=1)
    assert after["y"] - before["y"] == pytest.approx(-60, abs=1)
    alice.shot("viewer-enlarged")
    keyboard.press("0")
    expect_width(alice, whole)
    mouse.dblclick(640, 360)
    expect_width(alice, whole * 3)
    keyboard.press("Escape")
    expect(alice.page.locator("[data-viewer]")).to_be_hidden()


def test_two_pictures_are_compared_side_by_side_and_by_blinking(alice: ChatPage) -> None:
    ask_about_two(alice)
    keyboard = alice.page.keyboard
    expect(alice.page.locator("[data-viewer-count]")).to_have_text("1 of 2")
    keyboard.press("ArrowRight")
    expect(shown(alice)).to_have_attribute("alt", "Picture 2")
    keyboard.press("PageDown")
    keyboard.press("+")
    near = width(alice)
    keyboard.press("b")
    expect(shown(alice)).to_have_attribute("alt", "Picture 2")
    keyboard.press("b")
    expect(shown(alice)).to_have_attribute("alt", "Picture 1")
    expect_width(alice, near)
    keyboard.press("s")
    expect(shown(alice)).to_have_count(2)
    alice.shot("viewer-beside")
    left, right = (shown(alice).nth(i).bounding_box() for i in (0, 1))
    assert left is not None
    assert right is not None
    assert left["x"] + left["width"] <= 640 <= right["x"]
    keyboard.press("s")
    expect(shown(alice)).to_have_count(1)


def test_fingers_enlarge_a_picture_on_a_phone(
    person: Callable[..., ChatPage], server: ServerProcess
) -> None:
    phone = {"width": 360, "height": 740}
    alice = person(server, viewport=phone, has_touch=True, color_scheme="dark", locale="zh-CN")
    alice.paste_picture(red_circle())
    alice.expect_uploaded()
    alice.ask("What is this?")
    alice.expect_answered()
    alice.questions.locator("[data-picture]").tap()
    whole = width(alice)
    touch = alice.page.context.new_cdp_session(alice.page)
    spots = {"touchStart": (160, 200), "touchMove": (100, 260)}
    for kind, (left, right) in spots.items():
        points = [{"x": left, "y": 300, "id": 0}, {"x": right, "y": 300, "id": 1}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect_width(alice, whole * 4)
    alice.shot("viewer-phone")
    alice.page.locator('[data-viewer-action="close"]').tap()
    expect(alice.page.locator("[data-viewer]")).to_be_hidden()


def test_a_box_is_pointed_at_and_asked_about(alice: ChatPage) -> None:
    ask_about_two(alice)
    page = alice.page
    page.keyboard.press("p")
    expect(page.locator("[data-region]")).to_be_visible()
    page.evaluate(
        "new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))"
    )
    box = shown(alice).bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + box["height"] * 0.75)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + box["height"] * 0.25)
    page.mouse.up()
    alice.shot("pointing")
    page.get_by_role("button", name="Ask about it").click()
    expect(page.locator("[data-viewer]")).to_be_hidden()
    expect(alice.composer).to_be_focused()
    expect(alice.composer).to_have_value('Picture 1: {"bbox_2d": [250, 250, 750, 750]} ')
    alice.composer.press_sequentially("What is it?")
    alice.composer.press("Enter")
    alice.expect_answered(2)
    expect(alice.answer_text()).to_contain_text("[250, 250, 750, 750]} What is it?'")


def test_a_part_is_pointed_at_by_keys_and_attached_in_full_resolution(alice: ChatPage) -> None:
    ask_about_two(alice)
    page = alice.page
    for key in ("p", "Shift+ArrowRight", "ArrowUp"):
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    expect(alice.composer).to_have_value('Picture 1: {"bbox_2d": [350, 330, 670, 630]} ')
    alice.questions.locator("[data-picture]").first.click()
    page.keyboard.press("p")
    expect(page.locator("[data-region]")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("[data-region]")).to_have_count(0)
    page.keyboard.press("p")
    page.get_by_role("button", name="Attach this part").click()
    alice.expect_uploaded(1)
    alice.composer.fill("And this part?")
    alice.composer.press("Enter")
    alice.expect_answered(2)
    # 35 to 65 hundredths of 256 pixels, whole ones.
    expect(alice.answer_text()).to_contain_text("78x78")
