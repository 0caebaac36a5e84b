"""Who may sign up, who becomes the administrator, and what allauth needs to know of this site."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, ClassVar

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.stages import EmailVerificationStage
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.http import HttpRequest, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from chat.services import invitations, preferences

if TYPE_CHECKING:
    from django.http import HttpResponse

    from chat.models import Invitation

logger = logging.getLogger(__name__)

INVITATION_TOKEN = "invitation_token"  # noqa: S105 - the session's name for it
STAGE = "allauth.account.stages.EmailVerificationStage"


def doors(request: HttpRequest) -> dict[str, Any]:
    """Give templates what the sign-in pages say; nothing is looked up before it is asked for."""
    return {
        "may_sign_up": lambda: AccountAdapter(request).is_open_for_signup(request),
        "is_by_invitation": settings.VL_SIGNUP == "invite",
        "has_mail": bool(settings.VL_EMAIL_HOST),
        "oidc_name": settings.VL_OIDC_NAME if settings.VL_OIDC_URL else "",
    }


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth is untyped
    """allauth's adapter with this product's rules."""

    error_messages: ClassVar[dict[str, Any]] = {
        **DefaultAccountAdapter.error_messages,
        "invited_address": _("The invitation is for another e-mail address."),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Honour VL_SIGNUP; the very first account may always be made."""
        if settings.VL_SIGNUP == "open" or _is_nobody_here():
            return True
        return settings.VL_SIGNUP == "invite" and _invitation_of(request) is not None

    def clean_email(self, email: str) -> str:
        """Let an invitation to an address admit that address alone.

        Raises:
            ValidationError: it is another one.
        """
        if not self.request.user.is_authenticated and _needs_invitation():
            invitation = _invitation_of(self.request)
            if invitation and invitation.email and invitation.email.lower() != email.lower():
                raise self.validation_error("invited_address")
        return email

    def save_user(self, request: HttpRequest, user: Any, form: Any, commit: bool = True) -> Any:
        """Save a new account; the first one of the installation becomes its administrator.

        Raises:
            ImmediateHttpResponse: sign-up was closed, the invitation used up or the name taken
                meanwhile.
        """
        # The password is hashed before: others wait for what is in the transaction.
        user = super().save_user(request, user, form, commit=False)
        if commit:
            with transaction.atomic():
                admit(request, email=form.cleaned_data.get("email") or "")
                if is_taken(user.username):
                    messages.error(request, self.error_messages["username_taken"])
                    raise _at_the_form_again()
                user.save()
                make_administrator_if_first(user)
        return user

    def post_login(self, request: HttpRequest, user: Any, **arguments: Any) -> HttpResponse:
        """End the sign-in, in the language that the account chose elsewhere."""
        response: HttpResponse = super().post_login(request, user, **arguments)
        language = preferences.language_of(user)
        if language:
            set_language_cookie(response, language)
        return response

    def get_login_stages(self) -> list[str]:
        """Verify addresses by our own rule."""
        ours = f"{__name__}.{AddressStage.__name__}"
        return [ours if stage == STAGE else stage for stage in super().get_login_stages()]

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send a mail now.

        Raises:
            ImmediateHttpResponse: the mail server did not take it; a page that says so.
        """
        try:
            super().send_mail(template_prefix, email, context)
        except OSError as error:  # smtplib's own errors are among them
            logger.error("mail: %s was not sent: %s", template_prefix, error)
            page = render(self.request, "account/mail_not_sent.html", status=503)
            raise ImmediateHttpResponse(page) from error


class SocialAccountAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]  # allauth is untyped
    """The same rules for accounts that another site vouches for."""

    def list_apps(self, request: HttpRequest, **arguments: Any) -> list[Any]:
        """Give the site that the environment names; none from the database."""
        return [app for app in super().list_apps(request, **arguments) if app.pk is None]

    def save_user(self, request: HttpRequest, sociallogin: Any, form: Any = None) -> Any:
        """Save a new account by the rules of sign-up; with a form the other adapter sees to it.

        Raises:
            ImmediateHttpResponse: sign-up was closed or the invitation used up meanwhile.
        """
        if form is not None:
            return super().save_user(request, sociallogin, form)
        with transaction.atomic():
            admit(request, email=sociallogin.user.email)
            if is_taken(sociallogin.user.username):
                sociallogin.user.username = ""  # allauth makes another one up
            user = super().save_user(request, sociallogin)
            make_administrator_if_first(user)
        return user

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Any,
        error: Any = None,
        exception: Exception | None = None,
        extra_context: dict[str, Any] | None = None,
    ) -> None:
        """Log why a sign-in there failed; the page only says that it did."""
        logger.warning("oidc: sign-in failed: %s", exception or error)


class AddressStage(EmailVerificationStage):  # type: ignore[misc]  # allauth is untyped
    """Asks for a verified address at the sign-in of those who have one.

    Accounts made before mail was configured may have none, and are not locked out.
    """

    def handle(self) -> tuple[HttpResponse | None, bool]:
        """Give what to answer, if anything, and whether the sign-in goes on."""
        user = self.login.user
        is_without_address = user and not user.email and not user.emailaddress_set.exists()
        if is_without_address and not self.login.signup:
            return None, True
        answer: tuple[HttpResponse | None, bool] = super().handle()
        return answer


def set_language_cookie(response: HttpResponse, language: str) -> None:
    """Let this browser show pages in a language from now on, as Django's own view does."""
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        max_age=settings.LANGUAGE_COOKIE_AGE,
        path=settings.LANGUAGE_COOKIE_PATH,
        secure=settings.LANGUAGE_COOKIE_SECURE,
        httponly=settings.LANGUAGE_COOKIE_HTTPONLY,
        samesite=settings.LANGUAGE_COOKIE_SAMESITE,
    )


def admit(request: HttpRequest, *, email: str) -> None:
    """Let one more sign up, in the transaction that makes their account: 2 to 4 queries.

    Sign-ups wait for each other here, on whichever instance: with PostgreSQL none sees another's
    account before that is committed. Each of several at once would be the first one, let in where
    sign-up is closed and made the administrator, and a name would be taken twice, with other
    capitals, after which nobody could sign in by it.

    Raises:
        ImmediateHttpResponse: sign-up was closed, or the invitation used up meanwhile.
    """
    # A row that is always there. Others may still refer to it.
    everybody = ContentType.objects.filter(app_label="auth", model="user")
    list(everybody.select_for_update(no_key=True).values_list("pk"))
    if not AccountAdapter(request).is_open_for_signup(request):
        raise _at_the_form_again()
    take_up_invitation(request, email=email)


def is_taken(name: str) -> bool:
    """Whether somebody has this name, in whatever capitals: 1 query."""
    return bool(name) and get_user_model().objects.filter(username__iexact=name).exists()


def take_up_invitation(request: HttpRequest, *, email: str) -> None:
    """Use the visitor's invitation, where one is needed.

    Raises:
        ImmediateHttpResponse: it was used up meanwhile, or has expired.
    """
    if not _needs_invitation():
        return
    token = str(request.session.get(INVITATION_TOKEN, ""))
    if not invitations.take_up(token, email=email):
        raise _at_the_form_again()
    del request.session[INVITATION_TOKEN]


def make_administrator_if_first(user: Any) -> None:
    """Let the first account of the installation administer it: 1 or 2 queries."""
    if get_user_model().objects.order_by("pk").first() == user:
        user.is_staff = user.is_superuser = True
        user.save(update_fields=["is_staff", "is_superuser"])


def _at_the_form_again() -> ImmediateHttpResponse:
    return ImmediateHttpResponse(HttpResponseRedirect(reverse("account_signup")))


def _needs_invitation() -> bool:
    return settings.VL_SIGNUP == "invite" and not _is_nobody_here()


def _is_nobody_here() -> bool:
    return not get_user_model().objects.exists()


def _invitation_of(request: HttpRequest) -> Invitation | None:
    token = request.session.get(INVITATION_TOKEN)
    return invitations.find(token) if isinstance(token, str) else None
