"""For all tests: their people (alice owns, bob is a stranger, carol is staff), order and report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.utils import translation
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.contrib.auth.models import User

# How long an example takes says how busy the machine is.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

PASSWORD = "correct horse battery"


def _person(name: str, *, is_staff: bool = False) -> User:
    return get_user_model().objects.create_user(
        name, f"{name}@example.org", PASSWORD, is_staff=is_staff
    )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the browser's tests last; within the two groups the order stays random.

    The browser's driver keeps an event loop running in this thread to the end, beside which no
    asynchronous test can run.
    """
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say why a test was run again: pytest tells of the last try only."""
    for report in terminalreporter.stats.get("rerun", ()):
        terminalreporter.section(f"first try of {report.nodeid}")
        terminalreporter.line(report.longreprtext)


@pytest.fixture(autouse=True)
def _own_language() -> Iterator[None]:
    """Leave the next test nothing of the language that a request chose for this thread."""
    yield
    translation.deactivate()


@pytest.fixture
def alice(db: None) -> User:
    """Own the things that the test is about."""
    return _person("alice")


@pytest.fixture
def bob(db: None) -> User:
    """Own nothing here."""
    return _person("bob")


@pytest.fixture
def carol(db: None) -> User:
    """Review: staff, allowed to view everything of the chat app."""
    carol = _person("carol", is_staff=True)
    carol.user_permissions.set(
        Permission.objects.filter(content_type__app_label="chat", codename__startswith="view_")
    )
    return carol
