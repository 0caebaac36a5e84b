"""Nothing that axe finds, on any page, in light and dark.

`make bench-ui` looks at all of them in Chinese, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, StorageState, ViewportSize, expect

from tests.browser.axe import findings_in_both_looks
from tests.browser.conftest import DESKTOP, SCREENSHOTS
from tests.browser.pages import ChatPage, sign_up
from tests.browser.places import PLACES, make_everything
from tests.browser.server import ServerProcess

PHONE: ViewportSize = {"width": 360, "height": 740}


@pytest.fixture(scope="module")
def own(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Serve this module: its first person is the administrator."""
    process = ServerProcess(tmp_path_factory.mktemp("accessible"), {"VL_BACKEND": "scripted"})
    process.start()
    yield process
    process.stop()


@pytest.fixture(scope="module")
def administrator(browser: Browser, own: ServerProcess) -> StorageState:
    """Sign the administrator up; give what keeps a browser signed in."""
    context = browser.new_context()
    sign_up(context, own.url, "carol")
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture(scope="module")
def alice(
    browser: Browser,
    own: ServerProcess,
    administrator: StorageState,  # first, for the first account is the administrator's
) -> Iterator[ChatPage]:
    """Somebody with a conversation that has everything."""
    context = browser.new_context(viewport=DESKTOP, locale="en-GB", reduced_motion="reduce")
    sign_up(context, own.url, "alice")
    chat = ChatPage(context.new_page(), own.url, SCREENSHOTS)
    make_everything(chat)
    yield chat
    context.close()


@pytest.mark.parametrize("place", PLACES)
def test_axe_finds_nothing(alice: ChatPage, place: str) -> None:
    page = PLACES[place](alice)

    assert findings_in_both_looks(page) == {}


def test_axe_finds_nothing_on_a_phone(alice: ChatPage) -> None:
    page = PLACES["conversation"](alice)
    page.set_viewport_size(PHONE)
    found = findings_in_both_looks(page)
    page.locator("[data-sidebar-toggle]").click()
    in_the_drawer = findings_in_both_looks(page)
    page.set_viewport_size(DESKTOP)

    assert (found, in_the_drawer) == ({}, {})


@pytest.mark.parametrize("path", ["login", "signup"])
def test_axe_finds_nothing_before_the_sign_in(
    path: str, own: ServerProcess, new_context: Callable[..., BrowserContext]
) -> None:
    page = new_context(locale="zh-CN").new_page()
    page.goto(f"{own.url}/accounts/{path}/")

    assert findings_in_both_looks(page) == {}


def test_axe_finds_nothing_where_conversations_are_reviewed(
    alice: ChatPage,
    administrator: StorageState,
    new_context: Callable[..., BrowserContext],
) -> None:
    page = new_context(storage_state=administrator).new_page()
    page.goto(f"{alice.url}/admin/chat/conversation/")
    page.locator("#result_list tbody th a").first.click()
    expect(page.locator(".review")).to_be_visible()

    assert findings_in_both_looks(page) == {}


@pytest.mark.parametrize(
    "path",
    [
        "",
        "chat/",
        "chat/conversation/",
        "chat/reply/",
        "chat/invitation/add/",
        "auth/user/",
        "server/",
    ],
)
def test_axe_finds_nothing_in_the_administration(
    path: str,
    alice: ChatPage,
    administrator: StorageState,
    new_context: Callable[..., BrowserContext],
) -> None:
    page = new_context(storage_state=administrator).new_page()
    page.goto(f"{alice.url}/admin/{path}")

    found = findings_in_both_looks(page)

    # The picture in the label of Django's search field is its name, which axe does not count.
    own = {look: [one for one in all_ if "#searchbar" not in one] for look, all_ in found.items()}
    assert not any(own.values()), own
