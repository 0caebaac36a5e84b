"""Options of a conversation, presets, prices; what to do about an answer that repeats itself."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from PIL import Image
from playwright.sync_api import expect

from tests.browser.pages import red_circle

if TYPE_CHECKING:
    from playwright.sync_api import Locator

    from tests.browser.pages import ChatPage
    from tests.browser.server import ServerProcess

PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}


def field(chat: ChatPage, name: str) -> Locator:
    return chat.page.locator(f'[data-option="{name}"]')


def open_options(chat: ChatPage) -> None:
    chat.page.get_by_role("button", name="Options", exact=True).click()
    expect(chat.page.locator("[data-options-dialog]")).to_be_visible()


def use_options(chat: ChatPage) -> None:
    chat.page.get_by_role("button", name="Use these").click()
    expect(chat.page.locator("[data-options-dialog]")).to_be_hidden()


def differing(chat: ChatPage) -> Locator:
    """Find the line that says what differs from the default."""
    return chat.page.locator("[data-options-words]")


def test_a_conversation_is_answered_by_its_own_options_in_every_tab(alice: ChatPage) -> None:
    expect(differing(alice)).to_be_hidden()
    open_options(alice)
    field(alice, "system_prompt").fill("Be brief.")
    field(alice, "temperature").fill("0.25")
    alice.page.get_by_text("Detailed").click()
    use_options(alice)
    expect(differing(alice)).to_have_text("Instructions · Pictures: Detailed · Temperature 0.25")

    alice.ask("Tell your instructions.")
    alice.expect_answered()
    expect(alice.answer_text()).to_have_text("Instructions: Be brief. At 0.25, detail.")

    other = alice.second_tab()
    other.expect_connected()
    open_options(other)
    expect(field(other, "system_prompt")).to_have_value("Be brief.")
    other.page.get_by_role("button", name="Reset Instructions").click()
    other.page.locator('[data-option-slider="temperature"]').fill("1.5")
    expect(field(other, "temperature")).to_have_value("1.5")
    use_options(other)
    expect(differing(alice)).to_have_text("Pictures: Detailed · Temperature 1.5")
    alice.ask("Tell your instructions again.")
    alice.expect_answered(2)
    expect(alice.answer_text()).to_have_text("Instructions: none At 1.5, detail.")


def test_what_is_chosen_before_the_first_question_outlives_a_reload(alice: ChatPage) -> None:
    open_options(alice)
    field(alice, "system_prompt").fill("Be brief.")
    use_options(alice)

    alice.reload()
    alice.expect_connected()
    expect(differing(alice)).to_have_text("Instructions")
    alice.ask("Tell your instructions.")
    alice.expect_answered()
    expect(alice.answer_text()).to_contain_text("Instructions: Be brief.")

    alice.open_home()  # the next conversation begins without them
    expect(differing(alice)).to_be_hidden()


def test_a_model_with_a_smaller_context_is_warned_of(alice: ChatPage) -> None:
    def shrink(socket: Any) -> None:
        def tell(text: str | bytes) -> None:
            frame = json.loads(text)
            if frame["type"] == "info":
                frame["limits"]["context_tokens"] = 512
            socket.send(json.dumps(frame))

        socket.connect_to_server().on_message(tell)

    alice.page.route_web_socket("**/ws/chat/", shrink)
    context = alice.page.locator("[data-context]")
    alice.write("word " * 300)
    expect(context).to_be_hidden()

    alice.reload()

    expect(context).to_contain_text("but 256 fit the model")


def test_what_cannot_be_kept_is_refused_in_the_dialog_and_escape_changes_nothing(
    alice: ChatPage,
) -> None:
    open_options(alice)
    field(alice, "temperature").fill("9")
    alice.page.get_by_role("button", name="Use these").click()
    expect(alice.page.locator("[data-options-dialog]")).to_be_visible()
    assert field(alice, "temperature").evaluate("input => input.validity.rangeOverflow")
    alice.page.keyboard.press("Escape")
    expect(alice.page.locator("[data-options-dialog]")).to_be_hidden()
    expect(differing(alice)).to_be_hidden()
    open_options(alice)
    expect(field(alice, "temperature")).to_have_value("0.7")


def test_presets_are_saved_chosen_renamed_made_the_default_and_deleted(alice: ChatPage) -> None:
    page = alice.page
    name, choice = page.get_by_label("Name of the preset"), page.get_by_label("Preset", exact=True)
    note = page.locator("[data-preset-note]")
    open_options(alice)
    field(alice, "seed").fill("7")
    name.fill("Steady")
    name.press("Enter")
    expect(note).to_have_text("“Steady” is saved.")
    name.fill("Calm")
    page.get_by_role("button", name="Rename", exact=True).click()
    expect(note).to_have_text("“Calm” is saved.")
    page.get_by_role("button", name="For new conversations").click()
    expect(choice).to_have_text(re.compile(r"Calm \(for new conversations\)"))
    page.get_by_role("button", name="Cancel", exact=True).last.click()
    expect(differing(alice)).to_be_hidden()

    alice.open_home()
    expect(differing(alice)).to_have_text("Seed 7")
    open_options(alice)
    expect(choice.locator("option:checked")).to_have_text("Calm (for new conversations)")
    choice.select_option(label="No preset")
    expect(field(alice, "seed")).to_have_value("")
    choice.select_option(index=1)
    expect(field(alice, "seed")).to_have_value("7")
    page.get_by_role("button", name="Delete the preset").click()
    expect(note).to_have_text("“Calm” is deleted.")
    expect(choice.locator("option")).to_have_count(1)
    use_options(alice)
    expect(differing(alice)).to_have_text("Seed 7")


def test_a_server_that_refuses_is_heard(alice: ChatPage, console: Any) -> None:
    console.allow("500")
    alice.ask("What?")
    alice.expect_answered()
    alice.page.route("**/api/presets/", lambda route: route.fulfill(status=500))
    alice.page.route("**/api/conversations/*/", lambda route: route.fulfill(status=500))
    open_options(alice)
    note = alice.page.locator("[data-preset-note]")
    expect(note).to_have_text("The presets could not be loaded.")
    field(alice, "seed").fill("7")
    alice.page.get_by_label("Name of the preset").fill("x")
    alice.page.get_by_role("button", name="Save", exact=True).click()
    expect(note).to_have_text("That could not be changed. Try again.")
    use_options(alice)
    expect(alice.page.locator("[data-toasts]")).to_contain_text("could not be changed")
    expect(differing(alice)).to_be_hidden()


def big_picture(number: int) -> bytes:
    """Draw a picture of 4,900 image tokens when all of it is looked at."""
    file = io.BytesIO()
    Image.new("RGB", (2240, 2240), (number, 0, 0)).save(file, "PNG")
    return file.getvalue()


def test_pictures_tell_their_price_their_number_and_when_they_do_not_fit(alice: ChatPage) -> None:
    page, price = alice.page, alice.page.locator("[data-price]")
    page.route("**/api/images/", add_seconds)
    alice.choose_pictures(("a.png", big_picture(1), "image/png"))
    alice.expect_uploaded()
    expect(alice.attachments.locator("[data-attachment-price]")).to_have_text(
        "1,024 tokensabout 4 s"
    )
    alice.choose_pictures(("b.png", red_circle(), "image/png"))
    alice.expect_uploaded(2)
    expect(price).to_have_text("1,088 tokens · about 4 s")
    context = page.locator("[data-context]")
    expect(context).to_be_hidden()

    open_options(alice)
    page.get_by_text("Full", exact=True).click()
    use_options(alice)
    expect(price).to_have_text("4,964 tokens · about 20 s")
    alice.choose_pictures(("c.png", big_picture(2), "image/png"))
    alice.expect_uploaded(3)
    expect(context).to_contain_text("Look less closely (“Detailed” fits)")
    context.get_by_role("button", name="Options").click()
    page.get_by_text("Fast", exact=True).click()
    use_options(alice)
    expect(context).to_be_hidden()


def add_seconds(route: Any) -> None:
    """Answer an upload as a server does that has measured 4 ms a token."""
    response = route.fetch()
    body = response.json()
    body["seconds"] = {detail: count * 0.004 for detail, count in body["tokens"].items()}
    route.fulfill(response=response, json=body)


def colours(chat: ChatPage) -> list[str]:
    """Give the names of the attached pictures in their order."""
    return [item.get_attribute("title") or "" for item in chat.attachments.all()]


def test_pictures_are_moved_by_key_and_pointer_and_mentioned_by_number(alice: ChatPage) -> None:
    files = [(f"{name}.png", picture(name), "image/png") for name in ("red", "green", "blue")]
    alice.choose_pictures(*files)
    alice.expect_uploaded(3)
    chips = alice.page.locator("[data-attachment-chip]")
    expect(chips.locator("[data-attachment-place]")).to_have_text(["@1", "@2", "@3"])

    chips.nth(0).press("ArrowRight")
    expect(chips.nth(1)).to_be_focused()
    assert colours(alice) == ["green.png", "red.png", "blue.png"]
    expect(alice.page.locator("[data-announcer]")).to_contain_text("red.png is now number 2.")
    frames = alice.page.locator("[data-attachment-frame]")
    frames.nth(2).drag_to(frames.nth(0))
    assert colours(alice) == ["blue.png", "green.png", "red.png"]
    expect(chips.locator("[data-attachment-place]")).to_have_text(["@1", "@2", "@3"])

    chips.nth(1).click()
    expect(alice.composer).to_have_value("@2 ")
    alice.composer.press_sequentially("or not?")
    alice.composer.press("Enter")
    alice.expect_answered()
    expect(alice.answer_text()).to_contain_text("3 pictures (30x10, 20x10, 10x10)")
    expect(alice.answer_text()).to_contain_text("'Picture 2 or not?'")
    expect(alice.questions.locator("[data-text]")).to_have_text("@2 or not?")
    alice.paste_picture(red_circle())
    alice.expect_uploaded()
    expect(chips.locator("[data-attachment-place]")).to_have_text("@4")


WIDTHS = {"red": 10, "green": 20, "blue": 30}


def picture(name: str) -> bytes:
    """Draw a picture that is told by its width."""
    file = io.BytesIO()
    Image.new("RGB", (WIDTHS[name], 10), name).save(file, "PNG")
    return file.getvalue()


def test_an_upload_under_way_is_cancelled(alice: ChatPage) -> None:
    alice.page.route("**/api/images/", lambda _: None)  # it is sent and never answered
    alice.choose_pictures(("a.png", red_circle(), "image/png"))
    expect(alice.page.locator("[data-ring]")).to_be_visible()
    with alice.page.expect_event("requestfailed") as failed:
        alice.page.get_by_role("button", name="Remove a.png").click()
    assert "/api/images/" in failed.value.url
    expect(alice.attachments).to_have_count(0)
    expect(alice.composer).to_be_focused()


def test_an_answer_that_repeats_itself_is_gone_on_with_or_given_otherwise(alice: ChatPage) -> None:
    alice.ask("Sing la la")
    alice.expect_answered()
    expect(alice.answers.locator("[data-note-text]")).to_have_text(
        "Ended because the model began to repeat itself."
    )
    assert alice.answer_text().inner_text().split() == ["la"] * 48
    alice.reload()
    alice.expect_connected()
    alice.page.get_by_role("button", name="Go on anyway").click()
    expect(alice.answers.locator("[data-note]")).to_be_hidden()
    alice.expect_answered()
    expect(alice.answer_text()).to_have_text(" ".join(["la"] * 200))

    alice.ask("Once more la la")
    alice.expect_answered(2)
    alice.page.get_by_role("button", name="Try again with a higher presence penalty").click()
    expect(alice.answer_text()).to_have_text("No more of it.")
    expect(alice.answers.nth(1).locator(".siblings__place")).to_have_text("2/2")


def test_statistics_are_told_and_answers_are_copied_with_formatting(alice: ChatPage) -> None:
    page = alice.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=alice.url)
    alice.ask("Show everything")
    alice.expect_answered()
    alice.answers.get_by_title("Statistics").click()
    expect(alice.answers.locator('[data-stat="cached"]')).to_have_text("0 of 3")
    live = alice.answers.locator("[data-statistics]").inner_text()
    alice.reload()
    alice.answers.get_by_title("Statistics").click()
    assert alice.answers.locator("[data-statistics]").inner_text() == live

    page.get_by_role("button", name="Copy with formatting").click()
    expect(page.locator("[data-toasts]")).to_have_text("Copied")
    html, text = page.evaluate(
        """async () => {
            const [item] = await navigator.clipboard.read();
            const read = async (type) => (await item.getType(type)).text();
            return [await read("text/html"), await read("text/plain")];
        }"""
    )
    assert "<table" in html
    assert "<strong>three shapes</strong>" in html
    assert "<button" not in html
    assert "three shapes" in text
    assert "**three" not in text


def test_options_fit_a_phone_in_the_dark_in_chinese(
    person: Callable[..., ChatPage], server: ServerProcess
) -> None:
    alice = person(server, **PHONE, locale="zh-CN", color_scheme="dark")
    alice.page.locator("[data-options-open]").last.tap()
    dialog = alice.page.locator("[data-options-dialog]")
    expect(dialog).to_be_visible()
    assert dialog.evaluate("it => it.scrollWidth <= it.clientWidth && it.clientWidth <= 360")
    field(alice, "max_tokens").fill("50")
    alice.shot("options-phone")
    alice.page.get_by_role("button", name="采用").tap()
    expect(differing(alice)).to_have_text("最多 50 词元")
