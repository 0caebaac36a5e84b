"""Pictures: from everywhere into a question, refused where they are none, and shown in full."""

from __future__ import annotations

from playwright.sync_api import Route, expect

from tests.browser.conftest import UPLOAD_BYTES, Console
from tests.browser.pages import ChatPage, red_circle


def test_pictures_come_by_dialog_drop_paste_and_example(alice: ChatPage) -> None:
    alice.choose_pictures(("circle.png", red_circle(), "image/png"))
    alice.expect_uploaded(1)
    alice.drop_picture(red_circle())
    alice.expect_uploaded(2)
    alice.paste_picture(red_circle())
    alice.expect_uploaded(3)
    alice.page.get_by_role("button", name="Take this one").click()
    alice.expect_uploaded(4)
    alice.shot("attached")
    alice.ask("What are these?")
    alice.expect_answered()
    expect(alice.answer_text()).to_contain_text("with 4 pictures (256x256")
    expect(alice.questions.locator("img")).to_have_count(4)


def test_picture_opens_in_full_and_closes_by_keyboard(alice: ChatPage) -> None:
    alice.paste_picture(red_circle())
    alice.expect_uploaded()
    alice.ask("What is this?")
    alice.expect_answered()
    thumbnail = alice.questions.locator("[data-picture]")
    thumbnail.focus()
    alice.page.keyboard.press("Enter")
    expect(alice.page.locator("[data-viewer]")).to_be_visible()
    expect(alice.page.locator("[data-viewer-image]").first).to_have_js_property("naturalWidth", 256)
    alice.shot("viewer")
    alice.page.keyboard.press("Escape")
    expect(alice.page.locator("[data-viewer]")).to_be_hidden()
    expect(thumbnail).to_be_focused()


def test_what_is_no_picture_is_refused_before_it_is_sent(alice: ChatPage) -> None:
    alice.choose_pictures(("notes.txt", b"hello", "text/plain"))
    expect(alice.hint).to_have_text("“notes.txt” is not a picture.")
    alice.choose_pictures(("drawing.svg", b"<svg/>", "image/svg+xml"))
    expect(alice.hint).to_have_text("“drawing.svg” is not a picture.")
    alice.choose_pictures(("large.png", b"0" * (UPLOAD_BYTES * 3 // 2), "image/png"))
    expect(alice.hint).to_have_text("“large.png” has 1.5 MB. A picture may have at most 1 MB.")
    expect(alice.attachments).to_have_count(0)


def test_unreadable_picture_says_why_and_can_be_removed(alice: ChatPage, console: Console) -> None:
    console.allow("Failed to load resource.*4")
    alice.choose_pictures(("broken.png", b"\x89PNG\r\n\x1a\nbroken", "image/png"))
    expect(alice.hint).to_contain_text("broken.png: This file cannot be read as a picture.")
    alice.ask("What is this?")
    expect(alice.hint).to_have_text("Remove the pictures that failed, or try them again.")
    alice.shot("upload-failed")
    alice.page.get_by_role("button", name="Remove broken.png").click()
    expect(alice.attachments).to_have_count(0)
    alice.composer.press("Enter")
    alice.expect_answered()


def test_lost_upload_is_tried_again(alice: ChatPage, console: Console) -> None:
    console.allow("ERR_FAILED|Failed to load resource")
    alice.lose_first("**/api/images/")
    alice.choose_pictures(("circle.png", red_circle(), "image/png"))
    alice.page.get_by_role("button", name="Try circle.png again").click()
    alice.expect_uploaded()


def test_upload_under_way_shows_its_progress_and_can_be_cancelled(
    alice: ChatPage, console: Console
) -> None:
    console.allow("ERR_FAILED|Failed to load resource")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    alice.page.route("**/api/images/", hold)
    alice.choose_pictures(("circle.png", red_circle(), "image/png"))
    expect(alice.page.get_by_role("progressbar")).to_be_visible()
    alice.shot("uploading")
    alice.ask("What is this?")
    expect(alice.hint).to_have_text("A picture is still being uploaded.")
    alice.page.get_by_role("button", name="Remove circle.png").click()
    expect(alice.attachments).to_have_count(0)


def test_more_pictures_than_fit_are_refused(alice: ChatPage) -> None:
    files = [(f"{number}.png", red_circle(), "image/png") for number in range(9)]
    alice.choose_pictures(*files)
    expect(alice.hint).to_have_text("At most 8 pictures fit one question.")
    alice.expect_uploaded(8)


def test_draft_with_its_picture_outlives_a_reload(alice: ChatPage) -> None:
    alice.choose_pictures(("sunset.png", red_circle(), "image/png"))
    alice.expect_uploaded()
    alice.write("Half a quest")
    alice.reload()
    expect(alice.composer).to_have_value("Half a quest")
    expect(alice.attachments).to_have_count(1)
    expect(alice.attachments).to_have_attribute("title", "sunset.png")
    alice.expect_connected()
    alice.ask("A whole question")
    alice.expect_answered()
    expect(alice.answer_text()).to_contain_text("1 pictures (256x256)")
    alice.reload()
    expect(alice.composer).to_have_value("")
