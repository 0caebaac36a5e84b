"""Pictures in the admin: small in the list, whole on a click."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from django.template.defaultfilters import filesizeformat
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from chat.admin.read_only import UndeletableAdmin
from chat.admin.transcript import Picture
from chat.models import Image

if TYPE_CHECKING:
    from django.utils.safestring import SafeString


@admin.register(Image)
class ImageAdmin(UndeletableAdmin[Image]):
    """Shows what was uploaded, by whom, and how large it is."""

    list_display = ("preview", "owner", "dimensions", "size", "content_type", "created_at")
    list_filter = ("content_type",)
    list_select_related = ("owner",)
    date_hierarchy = "created_at"
    search_fields = ("owner__username", "owner__email", "sha256")
    search_help_text = _("Owner's name or e-mail, SHA-256 of the uploaded file")
    fields = ("preview", "owner", "dimensions", "size", "content_type", "sha256", "created_at")
    readonly_fields = ("preview", "dimensions", "size")

    @admin.display(description=_("picture"))
    def preview(self, image: Image) -> SafeString:
        """Show the thumbnail; on its own page it links to the picture."""
        picture = Picture(image)
        return format_html(
            '<img class="review-picture" src="{}" alt="{}" loading="lazy">',
            picture.thumbnail_url,
            str(image),
        )

    @admin.display(description=_("dimensions"))
    def dimensions(self, image: Image) -> SafeString:
        """Show width and height in pixels, as a link to the whole picture."""
        url = Picture(image).url
        return format_html('<a href="{}">{} × {}</a>', url, image.width_px, image.height_px)

    @admin.display(description=_("size"), ordering="size_bytes")
    def size(self, image: Image) -> str:
        """Show the size of the stored file."""
        return filesizeformat(image.size_bytes)
