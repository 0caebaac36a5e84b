"""Addresses of the pages and of the fragments that they load."""

from django.urls import path

from chat.views import fragments, pages

app_name = "chat"
urlpatterns = [
    path("", pages.home, name="home"),
    path("c/<uuid:conversation_id>/", pages.conversation, name="conversation"),
    path("c/<uuid:conversation_id>/messages/<uuid:message_id>/", fragments.message, name="message"),
    path("conversations/", fragments.conversation_list, name="conversations"),
]
