"""Rules of resizing and cropping as they are read."""

import pytest

from mspd_jax.errors import InputError
from mspd_jax.resizing import Step, parse_rule


def test_a_published_rule():
    rule = parse_rule("resize256-crop224-bicubic")
    assert rule.steps == (Step("resize", 256, None), Step("crop", 224, 224))
    assert rule.interpolation == "bicubic" and rule.size == (224, 224)
    assert rule.size_of(480, 640) == (224, 224)
    assert rule.steps[0].size_of(480, 641) == (256, 341)
    assert rule.steps[0].size_of(641, 480) == (341, 256)
    assert rule.steps[1].corner_of(256, 341) == (16, 58)


def test_height_comes_before_width():
    rule = parse_rule("resize20x30-crop10x12-bilinear")
    assert rule.steps == (Step("resize", 20, 30), Step("crop", 10, 12))
    assert rule.size_of(7, 9) == (10, 12)
    assert parse_rule("resize20-bilinear").size is None


@pytest.mark.parametrize("text", ["", "bicubic", "resize9", "resize0-bilinear"])
def test_what_is_no_rule(text):
    with pytest.raises(InputError, match="is none: accepted are"):
        parse_rule(text)


def test_a_crop_that_is_too_large():
    with pytest.raises(InputError, match="6x9 pixels is smaller than the crop of 8x8"):
        parse_rule("crop8-bilinear").size_of(6, 9)
