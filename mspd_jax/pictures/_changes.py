"""What of a picture is another thing in the file that is written, in words."""

from mspd_jax.pictures._formats import format_of, written
from mspd_jax.pictures._picture import Picture

_NAMES = {
    "exif": "EXIF",
    "icc_profile": "the color profile",
    "xmp": "XMP",
    "dpi": "the resolution",
    "comment": "the comment",
    "iptc": "IPTC",
    "text": "the texts",
    "color": "the color chunks",
    "behind": "what stands behind the picture (a preview, a gain map)",
}


def changes(
    picture: Picture, *, format: str = "png", strip_metadata: bool = False
) -> str | None:
    """One line about what a file of this format does not hold as it was; None if all.

    Example:
      pictures.changes(picture)  # "palette became RGB"
    """
    known = format_of(format)
    gray = picture.levels.shape[-1] == 1
    color = "gray" if gray else "RGB"
    # What the mode cannot say was a single level or color, or entries of the palette.
    keyed = picture.alpha is not None and "A" not in picture.mode
    told = []
    if picture.mode in ("P", "PA"):
        told.append(f"palette became RGB{'' if picture.alpha is None else 'A'}")
    elif picture.mode == "1":
        told.append("1 bit became gray of 8 bits")
    if keyed and picture.mode != "P":
        told.append(f"a transparent color became {color} with alpha")
    if gray and not known.gray:
        told.append(f"gray became RGB, {known.label} knows no gray")
    kept = written(format, strip_metadata)
    lost = [
        _NAMES[name] for name in _NAMES if name in picture.kept and name not in kept
    ]
    if lost:
        told.append(f"left out: {', '.join(lost)}")
    return "; ".join(told) or None
