"""Why a picture cannot be read whole, from the header alone.

Pillow narrows much to 8 bits in silence: 16 bits in color, levels of 10 or 12 bits,
the alpha of 16-bit gray. It reads the first frame of an animation, the first page of a
document and the preview of a raw photograph. All that is told from what it says of the
file before it reads a pixel.
"""

from PIL import Image, ImageFile, TiffImagePlugin

from mspd_jax.data import largest_level

GRAY = ("1", "L", "LA", "I", "I;16", "I;16B", "I;16L", "I;16N")
DEEP = ("I", "I;16", "I;16B", "I;16L", "I;16N")
_COLOR = ("RGB", "RGBA", "P", "PA")
_OTHER = {
    "CMYK": "holds inks (CMYK)",
    "LAB": "holds LAB colors",
    "HSV": "holds HSV colors",
    "YCbCr": "holds YCbCr colors",
    "F": "holds floating-point numbers",
    "I": "holds 32-bit integers",
    "La": "has an alpha channel that is multiplied into its levels",
    "RGBa": "has an alpha channel that is multiplied into its levels",
}
_BITS, _PHOTOMETRIC, _SUBFILE, _EXTRA, _SAMPLES = 258, 262, 254, 338, 339
_DNG = 50706


def reason_against(image: Image.Image, most_pixels: int) -> str | None:
    """Why a picture that was opened, not yet loaded, is refused; None where it is not.

    Each is the end of a sentence whose subject is the picture.
    """
    width, height = image.size
    if width * height > most_pixels:
        return (
            f"has {width}x{height} pixels, more than the {most_pixels // 10**6} "
            "megapixels that are read; make it smaller"
        )
    # An MPO is a JPEG as cameras write it, its frames are no animation.
    if getattr(image, "is_animated", False) and image.format != "MPO":
        frames = "pages" if image.format == "TIFF" else "frames"
        return (
            f"has several {frames} ({image.format}); save the one that counts as a "
            "file of its own"
        )
    return _against_mode(image) or _against_tiff(image) or _against_depth(image)


def _against_mode(image: Image.Image) -> str | None:
    plain_deep = image.format == "PPM" and image.mode == "I"
    if image.mode in (*GRAY, *_COLOR) and (image.mode != "I" or plain_deep):
        return None
    what = _OTHER.get(image.mode, f"has a mode that is not known ({image.mode})")
    return f"{what}; save it as gray or RGB of 8 bits"


def _against_depth(image: Image.Image) -> str | None:
    if not isinstance(image, ImageFile.ImageFile) or image.format == "BMP":
        return None  # a BMP of 5 bits a channel loses nothing
    largest = largest_level(image)
    if image.format == "PPM" and image.mode == "I":
        if largest == 65535:
            return None
    elif image.mode in DEEP:
        if "transparency" in image.info:
            return "has 16 bits and a transparent color; save it with 8 bits"
        return None
    elif largest == 65535:
        return (
            "has 16 bits a channel in color or beside alpha, of which 8 would be "
            f"read ({image.mode}); save it with 8 bits"
        )
    if largest > 255 or 255 % largest:
        return (
            f"has levels from 0 to {largest}, which are those of neither 8 nor 16 "
            "bits; save it with levels from 0 to 255"
        )
    return None


def _against_tiff(image: Image.Image) -> str | None:
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return None
    tags = image.tag_v2
    bits = max(_numbers(tags.get(_BITS, 1)))
    if _DNG in tags or max(_numbers(tags.get(_SUBFILE, 0))) & 1:
        return "is a raw photograph, or begins with a preview; give the developed one"
    if set(_numbers(tags.get(_SAMPLES, 1))) != {1}:
        return "holds signed or floating-point numbers; save it with 8 bits"
    extra = _numbers(tags.get(_EXTRA, ()))
    if extra not in ((), (2,)):
        kind = "that is multiplied into its colors" if 1 in extra else "of no meaning"
        return f"has an extra channel {kind}; save it as gray or RGB"
    if bits > 8 and image.mode not in DEEP:
        return f"has {bits} bits a channel, of which 8 would be read; save it with 8"
    if image.mode in DEEP and (bits != 16 or tags.get(_PHOTOMETRIC) != 1):
        return f"holds levels of {bits} bits in a way that is not read; save it with 8"
    return None


def _numbers(value: int | tuple[int, ...]) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (value,)
