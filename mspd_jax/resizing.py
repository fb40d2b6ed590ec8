"""Rules of resizing and cropping, as published evaluations have them, in words."""

import functools
import re
from typing import NamedTuple

from mspd_jax.errors import InputError

INTERPOLATIONS = ("bilinear", "bicubic")
_STEP = re.compile(r"(resize|crop)([1-9]\d*)(?:x([1-9]\d*))?")


class Step(NamedTuple):
    """One step of a rule.

    Attributes:
      kind: resize or crop.
      height: of the result; of a resize without a width, the length of its short side.
      width: of the result, or None where the aspect is kept.
    """

    kind: str
    height: int
    width: int | None

    def size_of(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the result; InputError for a crop that is too large."""
        if self.width is None:
            short, side = min(height, width), self.height
            return (
                side if height == short else int(side * height / width),
                side if width == short else int(side * width / height),
            )
        if self.kind == "crop" and (height < self.height or width < self.width):
            raise InputError(
                f"an image of {height}x{width} pixels is smaller than the crop of "
                f"{self.height}x{self.width}: resize it first"
            )
        return self.height, self.width

    def corner_of(self, height: int, width: int) -> tuple[int, int]:
        """Top and left of a crop's result, at the center; halves go to even numbers."""
        new_height, new_width = self.size_of(height, width)
        return round((height - new_height) / 2), round((width - new_width) / 2)


class Rule(NamedTuple):
    """Steps from first to last, and how pixels in between are found."""

    steps: tuple[Step, ...]
    interpolation: str

    def size_of(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of what comes out."""
        for step in self.steps:
            height, width = step.size_of(height, width)
        return height, width

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width of what comes out of any image; None where they differ."""
        last = self.steps[-1]
        return None if last.width is None else (last.height, last.width)


@functools.cache
def parse_rule(text: str) -> Rule:
    """The rule that a text stands for; InputError for any other text.

    Steps from left to right and the interpolation, as in "resize256-crop224-bicubic":
    `resize256` makes the shorter side 256 and keeps the aspect, `resize224x192` makes
    an image 224 high and 192 wide, `crop224` (or `crop224x192`) keeps the center; then
    `bilinear` or `bicubic`.
    """
    *texts, interpolation = text.split("-")
    found = [_STEP.fullmatch(text) for text in texts]
    if interpolation not in INTERPOLATIONS or not found or not all(found):
        raise InputError(
            f"the rule {text!r} is none: accepted are steps and an interpolation, like "
            "resize256-crop224-bicubic, resize224x224-bilinear"
        )
    steps = []
    for kind, first, second in (match.groups() for match in found if match):
        square = first if kind == "crop" else None
        width = second or square
        steps.append(Step(kind, int(first), int(width) if width else None))
    return Rule(tuple(steps), interpolation)
