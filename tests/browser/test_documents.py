"""PDFs: pages chosen by eye, hand and keyboard, attached, or asked about one after another."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Locator, ViewportSize, expect

from tests.browser.conftest import UPLOAD_BYTES, Console
from tests.browser.pages import ChatPage
from tests.chat.decoding import pdf_corpus as corpus

PHONE: ViewportSize = {"width": 360, "height": 740}


def give(person: ChatPage, pages: int = 3, name: str = "report.pdf", data: bytes = b"") -> Locator:
    """Choose a PDF in the file dialog; gives the page chooser."""
    person.choose_pictures((name, data or corpus.another_pdf(pages), "application/pdf"))
    chooser = person.page.locator("[data-page-chooser]")
    expect(chooser).to_be_visible()
    return chooser


def ready(chooser: Locator) -> Locator:
    """Wait for the pages."""
    expect(chooser).to_have_attribute("data-stage", "choosing")
    return chooser


def boxes(chooser: Locator) -> Locator:
    return chooser.locator("[data-page-box]")


def chosen(chooser: Locator) -> list[str]:
    found: list[str] = boxes(chooser).evaluate_all(
        "boxes => boxes.filter((box) => box.checked).map((box) => box.value)"
    )
    return found


def start_run(person: ChatPage, *, text: str, pages: int = 2, count: str = "") -> Locator:
    """Have pages asked about this; gives the bar that tells of it."""
    chooser = ready(give(person, pages))
    chooser.get_by_text("What is asked of each page").first.click()
    chooser.get_by_role("textbox", name="What is asked of each page").fill(text)
    chooser.get_by_role("button", name=f"Write {count or pages} pages as Markdown").click()
    person.page.wait_for_url("**/c/*/")
    return person.page.locator("[data-run]")


def test_chosen_pages_become_pictures_of_the_question(alice: ChatPage) -> None:
    chooser = ready(give(alice))
    expect(chooser.get_by_role("heading")).to_have_text("report.pdf")
    for image in chooser.locator("[data-page-image]").all():
        expect(image).not_to_have_js_property("naturalWidth", 0)
    assert chosen(chooser) == ["1", "2", "3"]
    alice.shot("document-chooser")

    chooser.get_by_role("textbox", name="Pages").fill("2-3")
    assert chosen(chooser) == ["2", "3"]
    with alice.page.expect_response(lambda answer: answer.request.method == "DELETE") as removed:
        chooser.get_by_role("button", name="Add to the question").click()

    expect(chooser).to_be_hidden()
    expect(alice.attachments).to_have_count(2)
    assert removed.value.status == 204  # what was taken are pictures, the PDF is not needed
    expect(alice.attachments.first).to_have_attribute("title", "report.pdf, page 2")
    expect(alice.composer).to_be_focused()
    alice.shot("document-attached")
    alice.reload()
    alice.expect_connected()
    expect(alice.attachments.last).to_have_attribute("title", "report.pdf, page 3")
    alice.ask("What are these?")
    alice.expect_answered()
    expect(alice.answer_text()).to_contain_text("with 2 pictures")


def test_pages_are_chosen_by_keyboard_alone(alice: ChatPage) -> None:
    chooser = ready(give(alice, 12))
    keys = alice.page.keyboard
    expect(chooser.get_by_role("textbox", name="Pages")).to_be_focused()
    assert chosen(chooser) == []  # more than one question takes

    for key in ("Tab", "Tab", "Tab", "Space", "ArrowRight", "ArrowRight", "Space", "End", "Space"):
        keys.press(key)

    assert chosen(chooser) == ["1", "3", "12"]
    expect(chooser.get_by_role("textbox", name="Pages")).to_have_value("1, 3, 12")
    expect(chooser.locator("[data-pages-status]")).to_have_text("3 of 12 pages chosen")
    keys.press("Escape")
    expect(chooser).to_be_hidden()
    expect(alice.composer).to_be_focused()
    expect(alice.attachments).to_have_count(0)


def test_what_cannot_be_chosen_is_said(alice: ChatPage) -> None:
    chooser = ready(give(alice, 12))
    range_, status = chooser.locator("[data-page-range]"), chooser.locator("[data-pages-status]")
    attach = chooser.get_by_role("button", name="Add to the question")

    range_.fill("1-13")
    expect(status).to_have_text("Write pages from 1 to 12, like 1-3, 7.")
    expect(attach).to_be_disabled()
    chooser.get_by_role("button", name="All", exact=True).click()
    expect(status).to_contain_text("The question takes 8 more pictures")
    expect(attach).to_be_disabled()
    expect(chooser.locator("[data-pages-run]")).to_have_text("Write 12 pages as Markdown")
    chooser.get_by_role("button", name="None", exact=True).click()
    expect(range_).to_have_value("")
    range_.fill("5")
    expect(attach).to_be_enabled()


@pytest.mark.parametrize(
    ("name", "data", "text"),
    [
        ("broken.pdf", corpus.SOUND[:120], "This cannot be read as a PDF. Try another file."),
        ("locked.pdf", corpus.locked(), "This PDF needs a password."),
        (
            "large.pdf",
            bytes(UPLOAD_BYTES + 1),
            "“large.pdf” has 1.0 MB. A PDF may have at most 1 MB",
        ),
    ],
    ids=["broken", "locked", "large"],
)
def test_a_pdf_that_cannot_be_taken_says_why(
    alice: ChatPage, console: Console, name: str, data: bytes, text: str
) -> None:
    console.allow("Failed to load resource.*4")

    chooser = give(alice, name=name, data=data)

    expect(chooser.locator("[data-pages-status]")).to_contain_text(text)
    expect(chooser.get_by_role("button", name="Add to the question")).to_be_hidden()
    chooser.get_by_role("button", name="Cancel").click()
    expect(chooser).to_be_hidden()


def test_a_lost_upload_is_tried_again_and_two_files_come_in_turn(
    alice: ChatPage, console: Console
) -> None:
    console.allow("ERR_FAILED|Failed to load resource")
    alice.lose_first("**/api/documents/")
    alice.choose_pictures(
        ("one.pdf", corpus.another_pdf(1), "application/pdf"),
        ("two.pdf", corpus.another_pdf(1), "application/pdf"),
    )
    chooser = alice.page.locator("[data-page-chooser]")
    chooser.get_by_role("button", name="Try again").click()
    for name in ("one.pdf", "two.pdf"):
        expect(ready(chooser).get_by_role("heading")).to_have_text(name)
        chooser.get_by_role("button", name="Add to the question").click()
    expect(alice.attachments).to_have_count(2)
    expect(chooser).to_be_hidden()


def test_every_page_is_asked_about_and_stands_beside_its_answer(
    alice: ChatPage, tmp_path: Path
) -> None:
    bar = start_run(alice, text="Write down everything.", pages=3)
    alice.page.set_viewport_size({"width": 1600, "height": 900})

    expect(bar).to_contain_text("3 of 3 pages done.")
    alice.expect_answered(3)
    expect(alice.questions.locator(".message__page")).to_have_text(
        ["report.pdf, page 1", "report.pdf, page 2", "report.pdf, page 3"]
    )
    page, answer = first_boxes(alice)
    assert page["right"] <= answer["left"]
    assert page["top"] < answer["bottom"]
    assert answer["top"] < page["bottom"]
    alice.shot("document-run")
    with alice.page.expect_download() as download:
        bar.get_by_role("link", name="All pages as Markdown").click()
    download.value.save_as(tmp_path / "run.md")
    assert download.value.suggested_filename == "report.md"
    text = (tmp_path / "run.md").read_text()
    assert text.count("| top left | circle | red |") == 3

    alice.page.set_viewport_size(PHONE)
    alice.reload()
    expect(bar).to_contain_text("3 of 3 pages done.")
    page, answer = first_boxes(alice)
    assert page["bottom"] <= answer["top"]
    assert alice.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    alice.shot("document-run-phone")


def first_boxes(person: ChatPage) -> list[dict[str, float]]:
    """Measure the first question and the first answer at the same moment."""
    found: list[dict[str, float]] = person.page.evaluate(
        """() => ["user", "assistant"].map((role) => document
            .querySelector(`[data-messages] [data-role="${role}"]`)
            .getBoundingClientRect().toJSON())"""
    )
    return found


def test_a_run_outlives_a_reload_stops_and_goes_on(alice: ChatPage) -> None:
    bar = start_run(alice, text="Read slowly.")
    expect(bar).to_contain_text("Page 1 of 2")
    expect(alice.answer_text()).to_contain_text("word5")
    alice.reload()
    expect(bar).to_contain_text("Page 1 of 2")

    bar.get_by_role("button", name="Stop").click()

    expect(bar).to_contain_text("Stopped after 0 of 2 pages.")
    expect(alice.answers.locator("[data-note-text]")).to_have_text("Stopped.")
    bar.get_by_role("button", name="Go on").click()
    expect(bar).to_contain_text("Page 1 of 2")
    expect(alice.answers).to_have_count(2)


def test_pages_that_fail_can_be_tried_again(alice: ChatPage) -> None:
    bar = start_run(alice, text="Please fail.")
    expect(bar).to_contain_text("2 of 2 pages done. Failed: 2")

    bar.get_by_role("button", name="Go on").click()

    expect(alice.answers).to_have_count(4)
    expect(bar).to_contain_text("2 of 2 pages done. Failed: 2")
