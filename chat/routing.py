"""Where sockets lead."""

from typing import Any

from django.urls import re_path

from chat.consumers import ChatConsumer

# Channels routes by Django's patterns, whose types only know views.
_consumer: Any = ChatConsumer.as_asgi()
websocket_urlpatterns: list[Any] = [re_path(r"^ws/chat/?$", _consumer)]
