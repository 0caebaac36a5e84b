"""The admin's site: Django's, with one page about the server, for those who may see replies.

Not in `chat.admin`: that package registers its pages with this site while it is imported.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from allauth.account.decorators import secure_admin_login
from allauth.account.utils import get_next_redirect_url
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from chat.generation import local
from chat.models import Reply

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase
    from django.urls import URLPattern, URLResolver

_View = TypeVar("_View", bound="Callable[..., HttpResponseBase]")
MAY_SEE = "chat.view_reply"
# Recovery codes alone are none: they come with one of these.
SECOND_FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)


class ServerAdminSite(admin.AdminSite):
    """Adds `server/`: who answers, with what, how fast, how full. Read-only."""

    def get_urls(self) -> list[URLResolver | URLPattern]:
        """Put the page before Django's own, which end with one that takes every address."""
        page = path("server/", self.admin_view(require_safe(self.show_server)), name="server")
        # Nothing here has a page of its own that "view on site" could lead to; it only tells every
        # member of the staff which rows exist.
        djangos = super().get_urls()
        return [page, *(each for each in djangos if getattr(each, "name", "") != "view_on_site")]

    def admin_view(self, view: _View, cacheable: bool = False) -> _View:
        """Let a model's pages ask for the right before they look for the row."""
        return super().admin_view(_asking_first(view), cacheable)

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Lead to the one sign-in of the site, which alone asks for second factors.

        Raises:
            PermissionDenied: this person is signed in, and the admin is not for them.
        """
        answer: HttpResponse = secure_admin_login(self._to_the_index)(request)
        return answer

    def has_permission(self, request: HttpRequest) -> bool:
        """Let active staff in; with VL_STAFF_MFA=required only those with a second factor."""
        return super().has_permission(request) and not _lacks_second_factor(request)

    def _to_the_index(self, request: HttpRequest) -> HttpResponse:
        if _lacks_second_factor(request):
            text = _("Set up a second factor first: the administration asks for it.")
            messages.warning(request, text)
            return HttpResponseRedirect(reverse("mfa_index"))
        return HttpResponseRedirect(get_next_redirect_url(request) or reverse("admin:index"))

    def get_app_list(
        self, request: HttpRequest, app_label: str | None = None
    ) -> list[dict[str, Any]]:
        """Show the page on the index and beside the others."""
        apps = super().get_app_list(request, app_label)
        if app_label is None and request.user.has_perm(MAY_SEE):
            apps.append(_index_entry())
        return apps

    def show_server(self, request: HttpRequest) -> HttpResponse:
        """Show what all who answer say of themselves.

        Raises:
            PermissionDenied: this person may not see replies.
        """
        if not request.user.has_perm(MAY_SEE):
            raise PermissionDenied
        context = {
            **self.each_context(request),
            "title": _("Server"),
            "queued": Reply.objects.filter(state=Reply.State.QUEUED).count(),
            "workers": local.answerer().beats,
        }
        return TemplateResponse(request, "admin/server.html", context)


def _asking_first(view: _View) -> _View:
    """Give the page of a row that is the same, row or no row, for whom its model is not for.

    Django's history page looks for the row first, so it would tell all staff which ids exist.
    """
    model_admin = getattr(view, "__self__", None)
    if not isinstance(model_admin, admin.ModelAdmin):
        return view

    @functools.wraps(view)
    def asking(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        rights = model_admin.get_model_perms(request)
        if (args or kwargs) and not any(rights[right] for right in ("view", "change", "delete")):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return cast("_View", asking)


def _lacks_second_factor(request: HttpRequest) -> bool:
    if settings.VL_STAFF_MFA != "required":
        return False
    return not is_mfa_enabled(request.user, SECOND_FACTORS)


def _index_entry() -> dict[str, Any]:
    url = reverse("admin:server")
    page = {"name": _("Server"), "object_name": "Server", "admin_url": url, "view_only": True}
    return {
        "name": _("Server"),
        "app_label": "server",
        "app_url": url,
        "has_module_perms": True,
        "models": [page],
    }
