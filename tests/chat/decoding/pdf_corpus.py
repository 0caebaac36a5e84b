"""PDFs written by the tests: sound, broken and hostile ones; no foreign file."""

from __future__ import annotations

import zlib
from io import BytesIO
from itertools import count

import pypdfium2
from PIL import Image

A4 = (595, 842)
COLOURS = ("1 0 0", "0 1 0", "0 0 1")  # of the pages in turn, in the bottom left quarter


class PdfWriter:
    """Writes numbered objects and their table."""

    def __init__(self) -> None:
        """Begin with nothing; object 1 is the catalog."""
        self._objects: list[bytes] = []

    def add(self, body: str | bytes) -> int:
        """Add an object; gives its number."""
        self._objects.append(body.encode("latin-1") if isinstance(body, str) else body)
        return len(self._objects)

    def stream(self, content: bytes, entries: str = "") -> int:
        """Add a stream."""
        head = f"<< /Length {len(content)} {entries} >>\nstream\n".encode()
        return self.add(head + content + b"\nendstream")

    def bytes(self, trailer: str = "") -> bytes:
        """Give the file."""
        out = bytearray(b"%PDF-1.7\n")
        places = []
        for number, body in enumerate(self._objects, start=1):
            places.append(len(out))
            out += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
        start = len(out)
        out += f"xref\n0 {len(places) + 1}\n0000000000 65535 f \n".encode()
        out += b"".join(f"{place:010} 00000 n \n".encode() for place in places)
        out += f"trailer\n<< /Size {len(places) + 1} /Root 1 0 R {trailer} >>\n".encode()
        return bytes(out + f"startxref\n{start}\n%%EOF\n".encode())


def pdf(
    pages: int = 1,
    *,
    size: tuple[float, float] = A4,
    catalog: str = "",
    page: str = "",
    trailer: str = "",
    drawing: str = "",
) -> bytes:
    """Write pages with a coloured quarter and their number; further entries go where they say."""
    writer = PdfWriter()
    writer.add(f"<< /Type /Catalog /Pages 2 0 R {catalog} >>")
    kids = " ".join(f"{4 + 2 * index} 0 R" for index in range(pages))
    writer.add(f"<< /Type /Pages /Kids [{kids}] /Count {pages} >>")
    writer.add("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
    width, height = size
    for index in range(pages):
        colour = COLOURS[index % len(COLOURS)]
        marks = (
            f"{colour} rg 0 0 {width / 2} {height / 2} re f 0 g "
            f"BT /F1 48 Tf 60 {height - 100} Td (Page {index + 1}) Tj ET {drawing}"
        )
        writer.add(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {width} {height}] {page} "
            f"/Resources << /Font << /F1 3 0 R >> >> /Contents {5 + 2 * index} 0 R >>"
        )
        writer.stream(marks.encode())
    return writer.bytes(trailer)


def by_pdfium(pages: int = 2) -> bytes:
    """Let pdfium itself write empty pages: compressed tables, another layout."""
    with pypdfium2.PdfDocument.new() as document:
        for _ in range(pages):
            document.new_page(*A4).close()
        file = BytesIO()
        document.save(file)
        return file.getvalue()


def by_pillow() -> bytes:
    """Let Pillow write a scan: a page that is one JPEG."""
    file = BytesIO()
    Image.effect_noise((300, 200), 90).convert("RGB").save(file, "PDF", resolution=72)
    return file.getvalue()


def locked() -> bytes:
    """Write a document that claims a password: the standard handler with a key nobody has."""
    encryption = f"<< /Filter /Standard /V 1 /R 2 /P -4 /O <{'4f' * 32}> /U <{'55' * 32}> >>"
    return pdf(trailer=f"/Encrypt {encryption} /ID [<{'00' * 16}> <{'00' * 16}>]")


def _with_objects(*bodies: str | bytes, trailer: str = "") -> bytes:
    writer = PdfWriter()
    for body in bodies:
        writer.add(body)
    return writer.bytes(trailer)


def _kids_of_themselves() -> bytes:
    return _with_objects(
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 2 /Parent 2 0 R >>",
    )


def _form_in_itself() -> bytes:
    writer = PdfWriter()
    writer.add("<< /Type /Catalog /Pages 2 0 R >>")
    writer.add("<< /Type /Pages /Kids [3 0 R] /Count 1 >>")
    writer.add(
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] /Contents 4 0 R "
        "/Resources << /XObject << /X 5 0 R >> >> >>"
    )
    writer.stream(b"/X Do")
    form = "/Type /XObject /Subtype /Form /BBox [0 0 200 200] "
    writer.stream(b"/X Do /X Do", form + "/Resources << /XObject << /X 5 0 R >> >>")
    return writer.bytes()


def _image_bomb(side: int = 60_000) -> bytes:
    writer = PdfWriter()
    writer.add("<< /Type /Catalog /Pages 2 0 R >>")
    writer.add("<< /Type /Pages /Kids [3 0 R] /Count 1 >>")
    writer.add(
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] /Contents 4 0 R "
        "/Resources << /XObject << /X 5 0 R >> >> >>"
    )
    writer.stream(b"200 0 0 200 0 0 cm /X Do")
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(2**20)) for _ in range(600)) + packer.flush()
    writer.stream(
        packed,
        f"/Type /XObject /Subtype /Image /Width {side} /Height {side} /BitsPerComponent 8 "
        "/ColorSpace /DeviceRGB /Filter /FlateDecode",
    )
    return writer.bytes()


def _many_kids_one_page(kids: int = 100_000) -> bytes:
    listed = "3 0 R " * kids
    return _with_objects(
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{listed}] /Count {kids} >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] >>",
    )


SOUND = pdf(3)
TRUNCATED = {f"{share}0 %": SOUND[: len(SOUND) * share // 10] for share in range(10)}
# Neither may take the process's powers, memory or time; what comes out is a picture or a refusal.
HOSTILE = {
    **{f"truncated at {share}": content for share, content in TRUNCATED.items()},
    "kids of themselves": _kids_of_themselves(),
    "a form in itself": _form_in_itself(),
    "an image bomb": _image_bomb(),
    "brackets": _with_objects(
        "<< /Type /Catalog /Pages 2 0 R /X " + "[" * 200_000 + " >>",
        "<< /Type /Pages /Kids [] /Count 0 >>",
    ),
    "a count that lies": SOUND.replace(b"/Count 3", b"/Count 2000000000"),
    "a negative count": SOUND.replace(b"/Count 3", b"/Count -3"),
    "no pages": _with_objects(
        "<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [] /Count 0 >>"
    ),
    "a huge page": pdf(size=(10**9, 10**9)),
    "a ribbon": pdf(size=(10**6, 3)),
    "a page of nothing": pdf(size=(0, 0)),
    "an upside-down box": pdf().replace(b"[0 0 595 842]", b"[595 842 0 0]"),
    "an unreal box": pdf().replace(b"[0 0 595 842]", b"[0 0 nan 1e999]"),
    "a wrong table": SOUND.replace(b"startxref\n", b"startxref\n9999"),
    "a table that loops": SOUND.replace(b"/Root", b"/Prev 15 /Root"),
    "endless drawing": pdf(drawing="q " * 400_000),
}
_NUMBERS = count(1)


def another_pdf(pages: int = 3) -> bytes:
    """Write a document that no test has written before."""
    return pdf(pages, catalog=f"/Lang (x-{next(_NUMBERS)})")
