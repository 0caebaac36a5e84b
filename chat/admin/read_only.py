"""What all our admin pages have in common: they show, and change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, TypeVar

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model

if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from django.http import HttpRequest, HttpResponse

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

    class Media:
        """Our one stylesheet; the strict CSP allows nothing inline."""

        css: ClassVar[dict[str, tuple[str, ...]]] = {"all": ("chat/css/admin.css",)}

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Let nobody write in another person's name."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        """Let nobody change what was said."""
        return False

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Ask for the right before looking for the row: Django tells everybody which ids exist.

        Raises:
            PermissionDenied: this person may not view such rows.
        """
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        return super().history_view(request, object_id, extra_context)


class UndeletableAdmin(ReadOnlyAdmin["M"]):
    """Shows rows that go only together with their conversation or their person."""

    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        """Refuse on the model's own pages; elsewhere Django asks before it cascades."""
        match = request.resolver_match
        own = f"{self.opts.app_label}_{self.opts.model_name}_"
        if match is None or (match.url_name or "").startswith(own):
            return False
        return super().has_delete_permission(request, obj)
