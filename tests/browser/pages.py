"""What a person does in the page, named as a person would name it."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw
from playwright.sync_api import FilePayload, Locator, Page, expect

from tests.names import new_name

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

PASSWORD = "correct-horse-battery"
DEADLINE_MS = 20_000
expect.set_options(timeout=DEADLINE_MS)


def red_circle() -> bytes:
    """Draw the picture that the tests ask about, as a PNG."""
    picture = Image.new("RGB", (256, 256), "white")
    ImageDraw.Draw(picture).ellipse((64, 64, 192, 192), fill=(220, 40, 40))
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def sign_up(context: BrowserContext, url: str, name: str) -> str:
    """Make an account over HTTP and leave the browser signed in; give the whole name."""
    whole_name = new_name(name)
    page = context.request.get(f"{url}/accounts/signup/")
    found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text())
    assert found is not None, page.text()[:500]
    form = {
        "username": whole_name,
        "email": "",
        "password1": PASSWORD,
        "password2": PASSWORD,
    }
    answer = context.request.post(
        f"{url}/accounts/signup/",
        form={**form, "csrfmiddlewaretoken": found.group(1)},
        headers={"Referer": f"{url}/accounts/signup/", "Origin": url},
    )
    assert answer.ok, answer.status
    assert "/accounts/" not in answer.url, answer.text()[-2000:]
    return whole_name


class ChatPage:
    """The chat page in one tab."""

    def __init__(self, page: Page, url: str, screenshots: Path) -> None:
        """Look at a tab that is open."""
        self.page = page
        self.url = url
        self._screenshots = screenshots

    # Going places ------------------------------------------------------------------------

    def open_home(self) -> None:
        """Go to the empty page and wait for the connection."""
        self.page.goto(f"{self.url}/")
        self.expect_connected()

    def reload(self) -> None:
        """Load the page again."""
        self.page.reload()

    def second_tab(self) -> ChatPage:
        """Open the same address in another tab of the same browser."""
        page = self.page.context.new_page()
        page.goto(self.page.url)
        return ChatPage(page, self.url, self._screenshots)

    # Asking ------------------------------------------------------------------------------

    def write(self, text: str) -> None:
        """Write into the composer."""
        self.composer.fill(text)

    def ask(self, text: str) -> None:
        """Write a question and send it by Enter."""
        self.write(text)
        self.composer.press("Enter")

    def lose_first(self, url: str) -> None:
        """Have the first request to such an address fail on its way."""
        self.page.route(url, lambda route: route.abort(), times=1)

    def choose(self, card: Locator, action: str) -> None:
        """Take something from the menu of a card in the list."""
        card.hover()
        card.get_by_role("button", name="More").click()
        menu = self.page.locator("[data-card-menu]")
        menu.get_by_role("button", name=action, exact=True).click()

    def choose_pictures(self, *files: tuple[str, bytes, str]) -> None:
        """Pick files (name, content, type) in the file dialog."""
        self.page.locator("[data-file-input]").set_input_files(
            [FilePayload(name=name, mimeType=kind, buffer=data) for name, data, kind in files]
        )

    def paste_picture(self, data: bytes) -> None:
        """Copy a picture and paste it with the keyboard."""
        self.page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=self.url)
        self.composer.focus()
        self.page.evaluate(
            """async (text) => {
                const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
                const blob = new Blob([bytes], { type: "image/png" });
                await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
            }""",
            base64.b64encode(data).decode(),
        )
        self.page.keyboard.press("ControlOrMeta+V")

    def drop_picture(self, data: bytes, name: str = "circle.png", kind: str = "image/png") -> None:
        """Drag a file over the page and let it go."""
        transfer = self.page.evaluate_handle(
            """([text, name, type]) => {
                const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
                const transfer = new DataTransfer();
                transfer.items.add(new File([bytes], name, { type }));
                return transfer;
            }""",
            [base64.b64encode(data).decode(), name, kind],
        )
        scroller = self.page.locator("[data-scroller]")
        scroller.dispatch_event("dragenter", {"dataTransfer": transfer})
        expect(self.page.locator("[data-drop-hint]")).to_be_visible()
        scroller.dispatch_event("drop", {"dataTransfer": transfer})

    def stop(self) -> None:
        """Press the stop button."""
        self.page.get_by_role("button", name="Stop", exact=True).click()

    # Looking -----------------------------------------------------------------------------

    @property
    def composer(self) -> Locator:
        """Where questions are written."""
        return self.page.locator("[data-question]")

    @property
    def attachments(self) -> Locator:
        """The pictures of the question being written."""
        return self.page.locator("[data-attachment]")

    @property
    def questions(self) -> Locator:
        """The questions of the transcript."""
        return self.page.locator('[data-messages] [data-role="user"]')

    @property
    def answers(self) -> Locator:
        """The answers of the transcript."""
        return self.page.locator('[data-messages] [data-role="assistant"]')

    @property
    def cards(self) -> Locator:
        """The cards of the conversation list."""
        return self.page.locator("[data-conversations] [data-card]")

    @property
    def hint(self) -> Locator:
        """What the composer complains of."""
        return self.page.locator("[data-hint]")

    def answer_text(self, index: int = -1) -> Locator:
        """Find the text of an answer."""
        return self.answers.nth(index).locator("[data-body]")

    def expect_connected(self) -> None:
        """Wait for the connection."""
        expect(self.page.locator("[data-connection]")).to_have_attribute("data-state", "connected")

    def expect_uploaded(self, count: int = 1) -> None:
        """Wait until the pictures are on the server."""
        expect(self.page.locator('[data-attachment][data-status="done"]')).to_have_count(count)

    def expect_answered(self, count: int = 1) -> None:
        """Wait until so many answers have ended well."""
        expect(self.page.locator('[data-role="assistant"][data-state="done"]')).to_have_count(count)

    def shot(self, name: str) -> None:
        """Keep a picture of what is seen."""
        self._screenshots.mkdir(exist_ok=True)
        self.page.screenshot(path=self._screenshots / f"{name}.png")
