"""The doors that allauth lacks or leaves open: invitations, passwords, addresses, the language."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING

from allauth.account.views import EmailView, PasswordResetView, PasswordSetView
from allauth.socialaccount.adapter import get_adapter as get_social_adapter
from allauth.socialaccount.helpers import render_authentication_error
from allauth.socialaccount.providers.openid_connect.views import login as oidc_login
from django.conf import settings
from django.http import HttpResponseRedirect
from django.shortcuts import render
from django.urls import path, reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from django.views.i18n import set_language
from requests import RequestException

from chat.services import invitations, preferences
from chat.views.account import own_page, proven
from vlsite.accounts import INVITATION_TOKEN

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse, HttpResponseBase

    View = Callable[[HttpRequest], HttpResponse]


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


PROVIDER_ID = "oidc"
_reset_by_mail = PasswordResetView.as_view()


def password_reset(request: HttpRequest) -> HttpResponseBase:
    """Send a link to set a new password; without mail say who else can help."""
    if settings.VL_EMAIL_HOST:
        answer: HttpResponseBase = _reset_by_mail(request)
        return answer
    return render(request, "account/password_reset_by_administrator.html")


@never_cache
@require_POST
def sign_in_elsewhere(request: HttpRequest) -> HttpResponseBase:
    """Lead to the site that vouches for people, by a page: not by a redirect of the form.

    Browsers hold redirects of a form to `form-action` all the way, and where the other site sends
    people on to is not ours to know.
    """
    try:
        answer: HttpResponseBase = oidc_login(request, PROVIDER_ID)
    except RequestException as error:
        provider = get_social_adapter().get_provider(request, PROVIDER_ID)
        answer = render_authentication_error(request, provider, exception=error)
        answer.status_code = 503
        return answer
    target = answer.headers.get("Location", "")
    if not target.startswith(("http://", "https://")):
        return answer
    return render(request, "account/to_provider.html", {"target": target})


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


def proven_to_change(view: View) -> View:
    """Show a page to its person, and ask for a proof of who they are before it changes anything.

    By another address, or a first password, a session that was left open becomes an account that
    was taken. Of those whom another site vouches for allauth asks no proof at all.
    """
    changing = proven(view)

    @wraps(view)
    def guarded(request: HttpRequest) -> HttpResponse:
        return changing(request) if request.method == "POST" else view(request)

    return own_page(guarded)


# Before allauth's own: the first address that matches is taken.
urlpatterns = [
    path("invitation/<str:token>/", invitation, name="account_invitation"),
    path("oidc/oidc/login/", sign_in_elsewhere, name="sign_in_elsewhere"),
    path("email/", proven_to_change(EmailView.as_view()), name="account_email"),
    path("password/set/", proven_to_change(PasswordSetView.as_view()), name="account_set_password"),
    path("password/reset/", password_reset, name="account_reset_password"),
]
