"""The formats that are written, and what each of them can hold."""

import types
from collections.abc import Mapping
from typing import NamedTuple

from mspd_jax.errors import InputError


class Format(NamedTuple):
    """What a format can hold.

    Attributes:
      suffix: of its files.
      label: what people call it.
      keeps: what of `Picture.kept` its files hold.
      alpha: whether they hold an alpha channel.
      deep: whether they hold levels of 16 bits.
      gray: whether they hold gray as gray.
      longest: the largest height and width, or None.
    """

    suffix: str
    label: str
    keeps: tuple[str, ...]
    alpha: bool
    deep: bool
    gray: bool
    longest: int | None


_META = ("exif", "icc_profile", "xmp")
FORMATS: Mapping[str, Format] = types.MappingProxyType(
    {
        "png": Format(
            ".png",
            "PNG",
            (*_META, "dpi", "comment", "text", "color"),
            True,
            True,
            True,
            None,
        ),
        "jpeg": Format(
            ".jpg",
            "JPEG",
            (*_META, "dpi", "comment", "iptc"),
            False,
            False,
            True,
            65500,
        ),
        "webp": Format(".webp", "WebP", _META, True, False, False, 16383),
    }
)
# What says how the levels are meant is no metadata: without it they are other colors.
MEANING = ("icc_profile", "color")


def format_of(name: str) -> Format:
    """The format of a name; InputError lists those that are known."""
    if name not in FORMATS:
        raise InputError(f"`format`={name!r}: wanted one of {', '.join(FORMATS)}")
    return FORMATS[name]


def written(name: str, strip_metadata: bool) -> tuple[str, ...]:
    """What of `Picture.kept` is written into a file of this format."""
    keeps = format_of(name).keeps
    return tuple(each for each in keeps if not strip_metadata or each in MEANING)
