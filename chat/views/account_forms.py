"""The forms of the account's own pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext_lazy as _

from chat.models import ApiKey
from chat.models.api_key import NAME_MAX_CHARS

if TYPE_CHECKING:
    from django.contrib.auth.models import User

LASTING: tuple[tuple[str, Any], ...] = (
    ("30", _("30 days")),
    ("90", _("90 days")),
    ("365", _("a year")),
    ("", _("until it is revoked")),
)


class ApiKeyForm(forms.Form):
    """What a new API key is for, what it may do and how long it lasts."""

    name = forms.CharField(label=_("What it is for"), max_length=NAME_MAX_CHARS)
    scope = forms.ChoiceField(
        label=_("What it may do"),
        choices=[
            (ApiKey.Scope.CHAT, _("Read, ask and change")),
            (ApiKey.Scope.READ, _("Read only")),
        ],
    )
    days = forms.ChoiceField(
        label=_("How long it lasts"), choices=LASTING, required=False, initial="90"
    )

    def clean_days(self) -> int | None:
        """Give the number of days, None for no end."""
        return int(self.cleaned_data["days"]) if self.cleaned_data["days"] else None


class DeletionForm(forms.Form):
    """The person's own name, written out: nobody deletes an account by a slip."""

    username = forms.CharField(
        label=_("Your user name"),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none"}),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        """Remember whose account it is."""
        super().__init__(*args, **kwargs)
        self._user = user

    def clean_username(self) -> str:
        """Accept this person's name alone.

        Raises:
            ValidationError: it is another one.
        """
        username: str = self.cleaned_data["username"]
        if username != self._user.get_username():
            raise forms.ValidationError(_("That is not your user name."))
        return username
