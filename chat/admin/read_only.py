"""What all our admin pages have in common: they show, and change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from django.contrib import admin
from django.db.models import Model

if TYPE_CHECKING:
    from typing import TypeAlias

    from django.http import HttpRequest

    M = TypeVar("M", bound=Model)
    ModelAdmin: TypeAlias = admin.ModelAdmin[M]
else:

    class ModelAdmin(admin.ModelAdmin):
        """Django's, subscriptable for type checkers."""

        def __class_getitem__(cls, _model: type[Model]) -> type:
            """Ignore the type."""
            return cls


class ReadOnlyAdmin(ModelAdmin["M"]):
    """Shows rows to those who may view them."""

    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Let nobody write in another person's name."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        """Let nobody change what was said."""
        return False


class UndeletableAdmin(ReadOnlyAdmin["M"]):
    """Shows rows that go only together with their conversation or their person."""

    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        """Refuse on the model's own pages; elsewhere Django asks before it cascades."""
        match = request.resolver_match
        own = f"{self.opts.app_label}_{self.opts.model_name}_"
        if match is None or (match.url_name or "").startswith(own):
            return False
        return super().has_delete_permission(request, obj)
