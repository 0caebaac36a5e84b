"""`manage.py prepare`: everything that has to be there before the product serves."""

from __future__ import annotations

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    """Makes or changes the tables, collects the static files, creates the first administrator.

    One process for all three: each would load the whole product anew. Harmless to run again, and
    beside instances of the same version that serve.
    """

    help = "Bring tables, static files and the first administrator up to date."

    def handle(self, *, verbosity: int, **_options: Any) -> None:
        """Run the three commands; the first that fails ends it."""
        call_command("migrate", interactive=False, verbosity=verbosity, stdout=self.stdout)
        call_command("collectstatic", interactive=False, verbosity=verbosity, stdout=self.stdout)
        call_command("ensure_administrator", stdout=self.stdout)
