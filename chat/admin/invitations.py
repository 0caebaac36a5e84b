"""Invitations in the admin: made here, their link shown once, taken back by deleting them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.widgets import AdminSplitDateTime
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from chat.admin.read_only import ModelAdmin
from chat.models import Invitation
from chat.services import invitations

if TYPE_CHECKING:
    from django.http import HttpRequest

VALID_FOR = timedelta(days=7)


class NamedSplitDateTime(AdminSplitDateTime):
    """Django's two fields, named also for those who do not see the words before them."""

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        """Name both."""
        super().__init__(attrs)
        names = (gettext_lazy("Date"), gettext_lazy("Time"))
        for field, name in zip(self.widgets, names, strict=True):
            field.attrs["aria-label"] = name


@admin.register(Invitation)
class InvitationAdmin(ModelAdmin[Invitation]):
    """Lists who was invited; a new one's link stands above the list, and nowhere later."""

    list_display = ("__str__", "state", "uses", "max_uses", "expires_at", "created_by")
    list_select_related = ("created_by",)
    search_fields = ("note", "email")
    fields = ("note", "email", "max_uses", "expires_at")
    formfield_overrides: ClassVar = {models.DateTimeField: {"widget": NamedSplitDateTime}}

    def has_change_permission(self, request: HttpRequest, obj: Invitation | None = None) -> bool:
        """Let nobody widen a link that is out already."""
        return False

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Suggest one person and a week."""
        return {"max_uses": 1, "expires_at": timezone.now() + VALID_FOR}

    def save_model(self, request: HttpRequest, obj: Invitation, form: Any, change: bool) -> None:
        """Make the link and show it to whoever made the invitation."""
        token = invitations.issue(obj, by=request.user)  # type: ignore[arg-type]  # staff
        url = settings.VL_PUBLIC_URL + reverse("account_invitation", args=(token,))
        text = _("Send this link; it is shown only now: {url}")
        self.message_user(request, format_html(text, url=url), messages.WARNING)

    @admin.display(description=gettext_lazy("state"))
    def state(self, invitation: Invitation) -> str:
        """Say whether it still lets somebody in."""
        if invitation.uses >= invitation.max_uses:
            return _("used up")
        return _("open") if invitation.is_usable(timezone.now()) else _("expired")
