"""Signing in by another site in a real browser, which holds our pages to their policy.

`form-action` also judges where a form is redirected to, all the way; so a form that led to the
provider would be stopped. The provider is another site to the browser: another name and port.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import Console
from tests.browser.pages import PASSWORD, sign_up
from tests.browser.server import ServerProcess
from tests.vlsite.oidc_provider import CLIENT_ID, CLIENT_SECRET, Provider


@pytest.fixture(scope="module")
def running() -> Iterator[Provider]:
    """Run one provider for all."""
    provider = Provider(host="localhost")
    provider.start()
    yield provider
    provider.stop()


@pytest.fixture
def provider(running: Provider) -> Provider:
    """Have one that asks, as real ones do."""
    running.fault, running.is_asking, running.claims = "", True, Provider(key=running.key).claims
    return running


@pytest.fixture(scope="module")
def site(running: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Serve a site where people may sign in by it."""
    process = ServerProcess(
        tmp_path_factory.mktemp("oidc"),
        {
            "VL_BACKEND": "scripted",
            "VL_OIDC_URL": running.url,
            "VL_OIDC_NAME": "Example",
            "VL_OIDC_CLIENT_ID": CLIENT_ID,
            "VL_OIDC_CLIENT_SECRET": CLIENT_SECRET,
        },
    )
    process.start()
    yield process
    process.stop()


@pytest.fixture
def page(new_context: Callable[..., BrowserContext], console: Console) -> Page:
    """Open a browser; what its policy stops is an error in its console, and fails the test."""
    page = new_context().new_page()
    console.watch(page)
    return page


def press(page: Page, site: ServerProcess) -> None:
    """Press the button on the sign-in page."""
    page.goto(f"{site.url}/accounts/login/")
    page.get_by_role("button", name="Sign in with Example").click()


def test_the_button_leads_to_the_provider_and_its_page_back_in(
    provider: Provider, site: ServerProcess, page: Page
) -> None:
    press(page, site)
    page.wait_for_url(f"{provider.url}/authorize?**")
    page.get_by_role("button", name="Allow").click()

    page.wait_for_url(f"{site.url}/")
    expect(page.get_by_role("button", name="dora")).to_be_visible()


def test_a_provider_that_knows_its_person_sends_them_back_at_once(
    provider: Provider, site: ServerProcess, page: Page
) -> None:
    provider.is_asking = False

    press(page, site)

    page.wait_for_url(f"{site.url}/")
    expect(page.get_by_role("button", name="dora")).to_be_visible()


def test_a_refusal_there_comes_back_to_a_page_of_ours(
    provider: Provider, site: ServerProcess, page: Page
) -> None:
    provider.fault = "denied"

    press(page, site)
    page.get_by_role("button", name="Allow").click()

    page.wait_for_url(f"{site.url}/accounts/**")
    expect(page.get_by_role("link", name="Sign In").first).to_be_visible()


def test_an_account_is_connected_and_signs_in_from_then_on(
    provider: Provider,
    site: ServerProcess,
    new_context: Callable[..., BrowserContext],
    console: Console,
) -> None:
    provider.claims = {**provider.claims, "sub": "of alice"}
    context = new_context()
    sign_up(context, site.url, "alice")
    page = context.new_page()
    console.watch(page)
    page.goto(f"{site.url}/accounts/3rdparty/")
    page.get_by_role("button", name="Connect Example").click()
    page.get_by_role("button", name="Allow").click()
    page.get_by_label("Password").fill(PASSWORD)  # a session left open would connect nobody
    page.get_by_role("button", name="Confirm").click()
    page.wait_for_url(f"{site.url}/accounts/3rdparty/")
    context.clear_cookies()

    press(page, site)
    page.get_by_role("button", name="Allow").click()

    page.wait_for_url(f"{site.url}/")
    expect(page.get_by_role("button", name="alice")).to_be_visible()
