"""The chat app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ChatConfig(AppConfig):
    """Live conversation about pictures."""

    name = "chat"
    verbose_name = _("Conversations about pictures")

    def ready(self) -> None:
        """Let generation listen to the services, and these to what is deleted."""
        from chat.generation.listening import listen_to_services
        from chat.services import cascade

        listen_to_services()
        cascade.listen()
