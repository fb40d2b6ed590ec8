"""Small picture files of every kind, as programs, cameras and accidents leave them."""

import io
import struct
import zlib

import numpy as np
from PIL import Image, PngImagePlugin

Image.init()
AVIF = "AVIF" in Image.SAVE  # older versions of Pillow know nothing of it
RANDOM = np.random.default_rng(0)
COLOR = RANDOM.integers(0, 256, (3, 5, 3), np.uint8)
GRAY = COLOR[..., 0].copy()
ALPHA = RANDOM.integers(0, 256, (3, 5), np.uint8)
DEEP = RANDOM.integers(0, 65536, (3, 5), np.uint16)
ICC = b"not a profile at all \0\xff" * 3
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>\xc3\xa9</x:xmpmeta>"


def exif(orientation=None, **tags):
    """The bytes of EXIF: an orientation, a description, a time and a place."""
    found = Image.Exif()
    found[0x010E] = "a description"
    if orientation is not None:
        found[0x0112] = orientation
    found[0x8769] = {0x9003: "2024:01:31 12:34:56"}
    found[0x8825] = {1: "N"}
    for name, value in tags.items():
        found[int(name.removeprefix("tag_"))] = value
    return found.tobytes()


def saved(levels, kind, **options):
    """The bytes of a file of some levels, or of an image."""
    image = levels if isinstance(levels, Image.Image) else Image.fromarray(levels)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def frames(kind, **options):
    """An animation, or a document of two pages."""
    images = [Image.fromarray(np.roll(COLOR, shift)) for shift in range(2)]
    return saved(images[0], kind, save_all=True, append_images=images[1:], **options)


def chunk(kind, data):
    """A chunk of a PNG."""
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def png(width, height, bits, kind, rows, before=b"", after=b""):
    """A PNG of any header; rows: bytes with the filter of each row."""
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + before
        + chunk(b"IDAT", zlib.compress(rows))
        + after
        + chunk(b"IEND", b"")
    )


def deep_color(kind=2):
    """A PNG of 16 bits in RGB (2), RGBA (6) or gray with alpha (4)."""
    channels = {2: 3, 4: 2, 6: 4}[kind]
    return png(5, 3, 16, kind, (b"\0" + b"\x12\x34" * 5 * channels) * 3)


def bomb():
    """A PNG that says to be of 400 megapixels, in 100 bytes."""
    return png(20000, 20000, 8, 0, b"\0" * 100)


def palette(**options):
    """A palette image whose first entry may be transparent."""
    image = Image.fromarray(np.arange(15, dtype=np.uint8).reshape(3, 5), "P")
    image.putpalette(COLOR.tobytes())
    return saved(image, "PNG", **options)


def tiff(pixels, bits, photometric=1, order="II", packed=False, **tags):
    """A TIFF of 5x3 pixels by hand; bits: of each channel; tags: as `tag_338=(0,)`."""
    mark, short = ("<", "<H") if order == "II" else (">", ">H")
    data = zlib.compress(pixels) if packed else pixels
    fields = {256: 5, 257: 3, 258: bits, 259: 8 if packed else 1, 262: photometric}
    fields |= {273: 8, 277: len(bits), 278: 3, 279: len(data)}
    fields |= {int(name.removeprefix("tag_")): value for name, value in tags.items()}
    end = 8 + len(data) + len(data) % 2
    head = order.encode() + struct.pack(f"{mark}HI", 42, end)
    after = end + 2 + 12 * len(fields) + 4  # values of more than four bytes
    rows, long = b"", b""
    for tag, value in sorted(fields.items()):
        numbers = value if isinstance(value, tuple) else (value,)
        content = b"".join(struct.pack(short, number) for number in numbers)
        if len(content) > 4:
            content, place = struct.pack(f"{mark}I", after + len(long)), content
            long += place
        rows += struct.pack(f"{mark}HHI", tag, 3, len(numbers)) + content.ljust(
            4, b"\0"
        )
    body = data + b"\0" * (len(data) % 2)
    return head + body + struct.pack(short, len(fields)) + rows + bytes(4) + long


def rgb(mode):
    """The colors as an image of another mode."""
    return Image.fromarray(COLOR).convert(mode)


def with_alpha(levels):
    """An image of these levels with an alpha channel."""
    picture = Image.fromarray(levels)
    picture.putalpha(Image.fromarray(ALPHA))
    return picture


def pixels_of(content):
    """The pixels of a file as RGB, by Pillow alone."""
    with Image.open(io.BytesIO(content)) as found:
        return np.asarray(found.convert("RGB"))


def portable(magic, largest, values):
    """A PBM, PGM or PPM of 5x3 pixels."""
    body = np.array(values, ">u2" if largest > 255 else "u1").tobytes()
    return f"{magic} # a comment\n5 3\n{largest}\n".encode() + body


def texts():
    """Three kinds of text of a PNG."""
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "a title")
    info.add_text("Long", "x" * 200, zip=True)
    info.add_itxt("Comment", "Übergröße", lang="de")
    return info
