"""HEIC and HEIF, as phones write them, through the optional package pillow-heif."""

from typing import BinaryIO

from PIL import Image

_NEEDS = "is HEIC, which needs the package pillow-heif: pip install 'mspd_jax[heic]'"


def open_heif(stream: BinaryIO) -> Image.Image | str:
    """The picture, not yet decoded, or why it is refused: the end of a sentence.

    The file itself says how it is turned, its decoder obeys, and EXIF then says 1.
    """
    try:
        from pillow_heif import HeifImageFile
    except ImportError:
        return _NEEDS
    # The class itself: the package would have Pillow open all such files.
    image = HeifImageFile(stream)
    bits = image.info.get("bit_depth", 8)
    if bits != 8:
        return f"has {bits} bits a channel (HEIF); save it with 8 bits"
    return image
