"""Asking, reading along, stopping; what the transcript keeps."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.pages import ChatPage, red_circle


def test_question_is_answered_and_the_conversation_gets_its_address_and_card(
    alice: ChatPage,
) -> None:
    alice.shot("empty")
    alice.ask("What is this?")
    alice.expect_answered()
    expect(alice.answer_text()).to_contain_text("You asked first: 'What is this?'")
    expect(alice.page).to_have_url(re.compile(r"/c/[0-9a-f-]{36}/$"))
    expect(alice.cards.first).to_contain_text("What is this?")
    expect(alice.cards.first.locator("a")).to_have_attribute("aria-current", "page")
    expect(alice.page).to_have_title("What is this? · VL Live Chat")
    alice.reload()
    expect(alice.answer_text()).to_contain_text("You asked first: 'What is this?'")


def test_second_turn_knows_the_first(alice: ChatPage) -> None:
    alice.ask("What is this?")
    alice.expect_answered()
    alice.ask("And that?")
    alice.expect_answered(2)
    expect(alice.answer_text()).to_contain_text(
        "turn 2 with 0 pictures (none). You asked first: 'What is this?' and now: 'And that?'"
    )


def test_reload_in_the_middle_loses_and_doubles_nothing(alice: ChatPage) -> None:
    alice.ask("Count slowly.")
    expect(alice.answer_text()).to_contain_text("word9")
    alice.shot("streaming")
    alice.reload()
    expect(alice.answer_text()).to_contain_text("word9")
    alice.expect_answered()
    whole = " ".join(f"word{number}" for number in range(1, 61)) + "."
    expect(alice.answer_text()).to_have_text(whole)


def test_stages_are_told_before_the_first_word(alice: ChatPage) -> None:
    alice.paste_picture(red_circle())
    alice.expect_uploaded()
    # A busy machine may miss a stage by looking now and then.
    alice.page.evaluate(
        """() => {
            window.stages = [];
            const note = () => {
                const shown = document.querySelector("[data-messages] [data-stage-text]");
                const stage = shown?.textContent?.split("…")[0];
                if (stage && window.stages.at(-1) !== stage) window.stages.push(stage);
            };
            const options = { childList: true, characterData: true, subtree: true };
            new MutationObserver(note).observe(document.body, options);
        }"""
    )
    alice.ask("Look slowly.")
    expect(alice.answers.locator("[data-stage-text]")).to_contain_text("Writing…")
    alice.stop()
    told = alice.page.evaluate("() => window.stages")
    first = told.index("Reading the picture")
    assert told[first:] == ["Reading the picture", "Thinking", "Writing"]


def test_nothing_that_moves_while_somebody_waits_is_painted_for_every_frame(
    alice: ChatPage,
) -> None:
    alice.page.emulate_media(reduced_motion="no-preference")
    alice.paste_picture(red_circle())
    alice.expect_uploaded()
    alice.ask("Look slowly.")
    expect(alice.answers.locator("[data-stage-text]")).to_contain_text("Reading the picture")
    # A box is moved by the compositor; part of a drawing would cost a sixth of a core all the time.
    moving = alice.page.evaluate(
        """() => document.getAnimations().map(({ animationName, effect }) =>
            [animationName, effect.target instanceof SVGElement])"""
    )
    assert ["look", False] in moving
    assert not any(is_drawn for _, is_drawn in moving)
    alice.stop()


def test_stopping_keeps_what_was_read_and_says_so(alice: ChatPage) -> None:
    alice.ask("Count slowly.")
    expect(alice.answer_text()).to_contain_text("word5")
    alice.stop()
    expect(alice.answers.locator("[data-note-text]")).to_have_text("Stopped.")
    expect(alice.answer_text()).to_contain_text("word5")
    expect(alice.answer_text()).not_to_contain_text("word40")
    expect(alice.page.get_by_role("button", name="Send", exact=True)).to_be_visible()
    alice.shot("stopped")


def test_answer_is_rendered_with_table_code_and_mathematics(alice: ChatPage) -> None:
    alice.ask("Tell me everything.")
    alice.expect_answered()
    answer = alice.answer_text()
    expect(answer.locator("table td")).to_have_count(9)
    expect(answer.locator("math")).to_have_count(1)
    expect(answer.locator("pre .hl-kn")).to_have_text("import")
    alice.page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=alice.url)
    answer.get_by_role("button", name="Copy code").click()
    copied = alice.page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("import math\n")
    alice.answers.get_by_role("button", name="Copy answer").click()
    expect(alice.page.locator(".toast").last).to_have_text("Copied")
    assert "| top left | circle | red |" in alice.page.evaluate("navigator.clipboard.readText()")
    alice.answers.locator("summary").click()
    expect(alice.answers.locator('[data-stat="model"]')).to_be_visible()
    alice.shot("rendered")


def test_failed_answer_says_why_and_can_be_asked_again(alice: ChatPage) -> None:
    alice.ask("Please fail.")
    failure = alice.answers.locator("[data-failure]")
    expect(failure).to_contain_text("There is not enough memory")
    alice.shot("failed")
    failure.get_by_role("button", name="Try again").click()
    expect(alice.page.locator("[data-messages] .siblings__place")).to_have_text(["2/2"])
    expect(alice.questions).to_have_count(1)
    alice.reload()
    expect(failure).to_be_visible()


def test_markup_in_questions_stays_text(alice: ChatPage) -> None:
    alice.ask('<img src=x onerror="alert(1)"> **bold** <|im_end|>')
    alice.expect_answered()
    expect(alice.questions.locator("[data-text]")).to_have_text(
        '<img src=x onerror="alert(1)"> **bold** <|im_end|>'
    )
    expect(alice.questions.locator("[data-text] img")).to_have_count(0)


def test_view_follows_unless_the_reader_scrolled_up(alice: ChatPage) -> None:
    alice.page.set_viewport_size({"width": 420, "height": 420})
    alice.ask("Tell me everything.")
    alice.expect_answered()
    alice.ask("Count slowly.")
    expect(alice.answer_text()).to_contain_text("word3")
    alice.page.locator("[data-scroller]").hover()
    alice.page.mouse.wheel(0, -600)
    to_end = alice.page.get_by_role("button", name="To the end")
    expect(to_end).to_be_visible()
    to_end.click()
    expect(to_end).to_be_hidden()
    alice.expect_answered(2)
    expect(alice.answer_text()).to_be_in_viewport()


def test_a_long_answer_grows_at_its_end_alone_and_looks_as_if_it_were_one_text(
    alice: ChatPage,
) -> None:
    # A list: it may go on until the end, blank lines and all, so it is text until then.
    lines = "\n".join(f"- {number:03}" + "x" * 95 + "\n" * (number % 3) for number in range(35))
    alice.ask(f"repeat slowly\n{lines}")
    chunks = alice.answer_text().locator(".live-chunk")
    expect(chunks.nth(1)).to_be_attached()
    alice.page.evaluate(
        """() => {
            window.changes = 0;
            const first = document.querySelector(".live-chunk");
            const observer = new MutationObserver((records) => (window.changes += records.length));
            observer.observe(first, { childList: true, characterData: true, subtree: true });
        }"""
    )
    expect(chunks.nth(2)).to_be_attached()
    assert alice.page.evaluate("() => window.changes") == 0
    chunked, plain = (
        alice.answer_text()
        .locator("[data-live]")
        .evaluate(
            """(live) => {
            const [chunked, plain] = [live.cloneNode(true), live.cloneNode(true)];
            for (const chunk of chunked.children) chunk.style.contentVisibility = "visible";
            plain.textContent = chunked.textContent;
            live.parentElement.parentElement.append(chunked, plain);
            const heights = [chunked, plain].map((copy) => copy.getBoundingClientRect().height);
            for (const copy of [chunked, plain]) copy.remove();
            return heights;
        }"""
        )
    )
    assert chunked == plain
    alice.reload()
    alice.expect_answered()
    expect(alice.answer_text()).to_contain_text("034xxx")
