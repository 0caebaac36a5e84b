"""`manage.py ensure_administrator`: the first administrator, from the environment."""

from __future__ import annotations

from typing import Any

from allauth.account.models import EmailAddress
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand

from vlsite import env


class Command(BaseCommand):
    """Creates the administrator that DJANGO_SUPERUSER_* describe, unless that name is taken.

    Without these variables nothing is done: the first account that signs up becomes the
    administrator.
    """

    help = "Create the administrator that DJANGO_SUPERUSER_USERNAME, _PASSWORD, _EMAIL describe."

    def handle(self, **_options: Any) -> None:
        """Create the account: 2 or 3 queries."""
        username = env.text("DJANGO_SUPERUSER_USERNAME")
        password = env.secret("DJANGO_SUPERUSER_PASSWORD")
        if not username or not password:
            return
        users = get_user_model().objects
        if users.filter(username=username).exists():
            return
        user = users.create_superuser(username, env.text("DJANGO_SUPERUSER_EMAIL"), password)
        if user.email:  # whoever sets the environment vouches for it
            EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
        self.stdout.write(f"Created the administrator “{username}”.")
