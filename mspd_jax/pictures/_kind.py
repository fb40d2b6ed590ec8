"""What a file is, by its first bytes: names lie."""

from mspd_jax.data import IMAGE_SUFFIXES

HEAD = 64  # bytes that tell
READ = "JPEG, PNG, WebP, TIFF, BMP, PPM, GIF, HEIC, AVIF"
SUFFIXES = IMAGE_SUFFIXES | frozenset(".avif .heic .heics .heif .hif .mpo .ppm".split())
# TIFF files for the most part, of which Pillow would read the preview.
RAW_SUFFIXES = frozenset(
    ".3fr .arw .cr2 .cr3 .dng .erf .iiq .nef .nrw .orf .pef .raf .raw .rw2 .srw".split()
)

_STARTS = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF8", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
)
_BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)
_AVIF = {b"avif", b"avis"}
_HEIF = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}


def kind_of(head: bytes) -> str | None:
    """The format that the first `HEAD` bytes of a file are of; None for all others."""
    for start, kind in _STARTS:
        if head.startswith(start):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "BMP"
    if head[:2] in (b"P1", b"P2", b"P3", b"P4", b"P5", b"P6") and head[2:3].isspace():
        return "PPM"
    if head[4:8] == b"ftyp":
        # The major brand, its version, and those that the file is compatible with.
        end = min(int.from_bytes(head[:4], "big"), len(head))
        brands = {head[place : place + 4] for place in (8, *range(16, end, 4))}
        return "AVIF" if brands & _AVIF else "HEIF" if brands & _HEIF else None
    return None
