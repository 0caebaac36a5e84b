"""The Django admin: conversations as transcripts, replies for operators, pictures, invitations."""

from allauth.socialaccount.models import SocialApp, SocialToken
from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from chat.admin.conversations import ConversationAdmin
from chat.admin.images import ImageAdmin
from chat.admin.invitations import InvitationAdmin
from chat.admin.replies import ReplyAdmin
from chat.admin.sign_in import AuthenticatorAdmin, UserSessionAdmin

__all__ = [
    "AuthenticatorAdmin",
    "ConversationAdmin",
    "ImageAdmin",
    "InvitationAdmin",
    "ReplyAdmin",
    "UserSessionAdmin",
]

# Whom to sign in with stands in the environment, and no tokens are kept.
admin.site.unregister((SocialApp, SocialToken))
admin.site.site_title = _("Conversations about pictures")
admin.site.site_header = _("Conversations about pictures: administration")
admin.site.index_title = _("Review and operate")
