"""`RULE:SOURCE`: the images of a source as published evaluations show them.

Each image is resized and cropped by Pillow in 8 bits, which is what the published
accuracies of models for ImageNet were measured with; `models.at_size` does the same to
floats, differentiably.
"""

import numpy as np
from PIL import Image

from mspd_jax.data._record import Record, Source, as_float
from mspd_jax.errors import InputError
from mspd_jax.resizing import Rule, parse_rule

_FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
_Shape = tuple[int, int, int]


def resized(source: Source, rule: str) -> Source:
    """The images of a source, resized and cropped by a rule.

    Indices, labels and names stay. An image that is smaller than a crop, or whose
    values are not levels of 8 bits, is as good as unreadable. rule: see
    `resizing.parse_rule`.
    """
    known = parse_rule(rule)

    def read(position: int) -> Record:
        record = source.read(position)
        try:
            return record._replace(image=_resized(known, record.image))
        except InputError as error:
            where = f"image {record.index} of {source.spec!r}"
            raise InputError(f"{where} cannot be resized: {error}") from error

    def shape_of(position: int) -> _Shape | None:
        assert source.shape_of is not None  # or it is not called
        return _shape(known, source.shape_of(position))

    return source._replace(
        spec=f"{rule}:{source.spec}",
        image_shape=_common_shape(known, source),
        read=read,
        shape_of=source.shape_of and shape_of,
    )


def _resized(rule: Rule, image: np.ndarray) -> np.ndarray:
    levels = np.rint(image * np.float32(255)).astype(np.uint8)
    if not np.array_equal(as_float(levels), image):
        raise InputError("it has values that are no levels of 8 bits")
    gray = levels.shape[2] == 1
    picture = Image.fromarray(levels[..., 0] if gray else levels)
    for step in rule.steps:
        height, width = step.size_of(picture.height, picture.width)
        if step.kind == "crop":
            top, left = step.corner_of(picture.height, picture.width)
            picture = picture.crop((left, top, left + width, top + height))
        else:
            picture = picture.resize((width, height), _FILTERS[rule.interpolation])
    found = as_float(np.asarray(picture))
    return found[..., None] if gray else found


def _shape(rule: Rule, shape: _Shape | None) -> _Shape | None:
    """Of what comes out; None where an image cannot be read."""
    try:
        return shape and (*rule.size_of(*shape[:2]), shape[2])
    except InputError:
        return None


def _common_shape(rule: Rule, source: Source) -> _Shape | None:
    """Of all images, where the rule gives one; their channels are those of the data."""
    if source.image_shape is not None:
        return _shape(rule, source.image_shape)
    if rule.size is None or source.shape_of is None:
        return None
    # Files were looked at when they were listed; of other data sets one is enough.
    count = len(source.indices) if source.files is not None else 1
    shapes = [source.shape_of(position) for position in range(count)]
    channels = {shape[2] for shape in shapes if shape is not None}
    return (*rule.size, channels.pop()) if len(channels) == 1 else None
