"""The doors that allauth lacks: invitations, a new password without mail, the language."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allauth.account.views import PasswordResetView
from django.conf import settings
from django.http import HttpResponseRedirect
from django.shortcuts import render
from django.urls import path, reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django.views.i18n import set_language

from chat.services import invitations, preferences
from vlsite.accounts import INVITATION_TOKEN

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse, HttpResponseBase


@never_cache
@require_safe
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Take a visitor with an invitation to the sign-up; say so where it no longer holds."""
    if request.user.is_authenticated:
        return HttpResponseRedirect(settings.LOGIN_REDIRECT_URL)
    if invitations.find(token) is None:
        return render(request, "account/invitation_over.html", status=404)
    # Out of the address bar and of every Referer: from here on only the session knows it.
    request.session[INVITATION_TOKEN] = token
    return HttpResponseRedirect(reverse("account_signup"))


_reset_by_mail = PasswordResetView.as_view()


def password_reset(request: HttpRequest) -> HttpResponseBase:
    """Send a link to set a new password; without mail say who else can help."""
    if settings.VL_EMAIL_HOST:
        answer: HttpResponseBase = _reset_by_mail(request)
        return answer
    return render(request, "account/password_reset_by_administrator.html")


def choose_language(request: HttpRequest) -> HttpResponseBase:
    """Show pages in another language, and keep it on the account of who is signed in."""
    answer = set_language(request)
    code = request.POST.get("language", "")
    if (
        request.method == "POST"
        and request.user.is_authenticated
        and code in dict(settings.LANGUAGES)
    ):
        preferences.choose_language(request.user, code)
    return answer


# Before allauth's own: the first address that matches is taken.
urlpatterns = [
    path("invitation/<str:token>/", invitation, name="account_invitation"),
    path("password/reset/", password_reset, name="account_reset_password"),
]
