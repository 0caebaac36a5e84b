"""Second factors and sessions in the admin: to help who lost theirs, and to sign somebody out."""

from __future__ import annotations

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib import admin

from chat.admin.read_only import ReadOnlyAdmin

# allauth's own pages show the secrets of authenticator apps.
admin.site.unregister((Authenticator, UserSession))


@admin.register(Authenticator)
class AuthenticatorAdmin(ReadOnlyAdmin[Authenticator]):
    """Shows who has which second factor, nothing of its secret; deleting one takes it away."""

    list_display = ("user", "type", "created_at", "last_used_at")
    list_select_related = ("user",)
    list_filter = ("type",)
    search_fields = ("user__username", "user__email")
    fields = list_display


@admin.register(UserSession)
class UserSessionAdmin(ReadOnlyAdmin[UserSession]):
    """Shows where people are signed in; deleting a session signs it out."""

    list_display = ("user", "ip", "user_agent", "created_at", "last_seen_at")
    list_select_related = ("user",)
    search_fields = ("user__username", "user__email", "ip")
    fields = list_display
