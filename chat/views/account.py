"""The pages of one's account that are ours: overview, sessions, API keys, the end of it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, cast

from allauth.account import app_settings as allauth_settings
from allauth.account.adapter import get_adapter
from allauth.account.decorators import reauthentication_required
from allauth.account.internal.flows.login import get_authentication_records
from allauth.mfa.utils import is_mfa_enabled
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from chat.devices import device
from chat.models import ApiKey
from chat.services import accounts, api_keys
from chat.views.account_forms import ApiKeyForm, DeletionForm

if TYPE_CHECKING:
    from django.contrib.auth.models import User

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]


def own_page(view: View[P]) -> View[P]:
    """Serve a page of a person's account to that person, never from a cache."""
    return never_cache(login_required(view))


def proven(view: View[P]) -> View[P]:
    """Ask for the password or a second factor, unless that was done in the last minutes.

    Who has neither, since another site vouches for them, signs in there again.
    """
    asked = reauthentication_required(view)

    @wraps(view)
    def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        has_a_way = get_adapter().get_reauthentication_methods(request.user)
        if not has_a_way and not _signed_in_lately(request):
            logout(request)
            return redirect_to_login(request.get_full_path(), reverse("account_login"))
        return cast("HttpResponse", asked(request, *args, **kwargs))

    return cast("View[P]", guarded)


def _signed_in_lately(request: HttpRequest) -> bool:
    records = get_authentication_records(request, request.user)
    latest = max((record["at"] for record in records), default=0)
    return bool(time.time() - latest < allauth_settings.REAUTHENTICATION_TIMEOUT)


@own_page
@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """Show what belongs to the account, and where each thing is changed."""
    user = _person(request)
    context = {
        "has_second_factor": is_mfa_enabled(user),
        "needs_second_factor": user.is_staff and settings.VL_STAFF_MFA == "required",
        "session_count": len(UserSession.objects.purge_and_list(user)),
        "key_count": ApiKey.objects.visible_to(user).count(),
    }
    return render(request, "account/overview.html", context)


@own_page
@require_safe
def sessions(request: HttpRequest) -> HttpResponse:
    """List where this person is signed in, this browser first."""
    listed = [_session(row) for row in UserSession.objects.purge_and_list(_person(request))]
    listed.sort(key=lambda each: (not each["is_current"], -each["seen_at"].timestamp()))
    return render(request, "account/sessions.html", {"sessions": listed})


@own_page
@require_POST
def end_session(request: HttpRequest, session_id: int) -> HttpResponse:
    """Sign one of this person's browsers out; its sockets close within 5 s."""
    get_object_or_404(UserSession, pk=session_id, user=request.user).end()
    return HttpResponseRedirect(reverse("chat:sessions"))


@own_page
@require_POST
def end_other_sessions(request: HttpRequest) -> HttpResponse:
    """Sign this person out everywhere else."""
    others = UserSession.objects.filter(user=_person(request))
    for session in others.exclude(session_key=request.session.session_key):
        session.end()
    messages.success(request, _("You are signed out everywhere else."))
    return HttpResponseRedirect(reverse("chat:sessions"))


@own_page
@require_http_methods(["GET", "HEAD", "POST"])
def keys(request: HttpRequest) -> HttpResponse:
    """List this person's API keys, with the form for another one."""
    if request.method == "POST":
        return _make_key(request)
    return _show_keys(request, ApiKeyForm())


@proven
def _make_key(request: HttpRequest) -> HttpResponse:
    """Make a key and show it, this once: the answer is not a redirect, nothing keeps its text."""
    form = ApiKeyForm(request.POST)
    if not form.is_valid():
        return _show_keys(request, form)
    try:
        made, text = api_keys.issue(_person(request), **form.cleaned_data)
    except api_keys.TooManyKeysError:
        form.add_error(None, _("You have as many keys as one may have. Revoke one first."))
        return _show_keys(request, form)
    return _show_keys(request, ApiKeyForm(), made=made, text=text)


@own_page
@require_POST
def revoke_key(request: HttpRequest, key_id: uuid.UUID) -> HttpResponse:
    """Revoke one of this person's keys."""
    api_keys.revoke(get_object_or_404(ApiKey.objects.visible_to(_person(request)), pk=key_id))
    return HttpResponseRedirect(reverse("chat:keys"))


@own_page
@proven
@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: HttpRequest) -> HttpResponse:
    """Delete the account, once its person has written their name."""
    user = _person(request)
    form = DeletionForm(request.POST or None, user=user)
    if request.method == "POST" and form.is_valid():
        try:
            accounts.delete(user)
        except accounts.LastAdministratorError:
            form.add_error(None, _("You are the only administrator. Make another one first."))
        else:
            logout(request)
            messages.success(request, _("Your account and everything in it is deleted."))
            return HttpResponseRedirect(reverse("account_login"))
    context = {"form": form, "may_delete": accounts.may_delete(user)}
    return render(request, "account/delete.html", context)


def _person(request: HttpRequest) -> User:
    if not request.user.is_authenticated:  # `login_required` saw to it
        raise Http404
    return request.user


def _session(row: UserSession) -> dict[str, Any]:
    return {
        "id": row.pk,
        "device": device(row.user_agent),
        "address": row.ip,
        "began_at": row.created_at,
        "seen_at": row.last_seen_at,
        "is_current": row.is_current(),
    }


def _show_keys(
    request: HttpRequest, form: ApiKeyForm, *, made: ApiKey | None = None, text: str = ""
) -> HttpResponse:
    now = timezone.now()
    listed = [(key, key.has_expired(now)) for key in ApiKey.objects.visible_to(_person(request))]
    context = {"form": form, "keys": listed, "made": made, "text": text}
    return render(request, "account/keys.html", context)
