"""Color profiles of a megabyte and more: kept whole, or refused in one line."""

import numpy as np
import pytest

from mspd_jax.errors import InputError
from mspd_jax.pictures import check_writable, encode_picture
from mspd_jax.pictures._read import decode_picture
from tests.pictures import samples as s

NOISE = np.random.default_rng(0).bytes(1 << 21)


def picture_with(profile):
    return decode_picture(s.saved(s.COLOR, "JPEG", icc_profile=profile), "x")


@pytest.mark.parametrize("format", ["jpeg", "webp"])
def test_jpeg_and_webp_keep_what_png_does_not(format):
    picture = picture_with(NOISE)
    assert picture.kept["icc_profile"] == NOISE
    check_writable(picture, format=format)
    found = decode_picture(encode_picture(picture, format=format), "x")
    assert found.kept["icc_profile"] == NOISE


@pytest.mark.parametrize("strip_metadata", [False, True])
def test_a_png_is_written_only_if_it_can_be_read_again(strip_metadata):
    options = {"format": "png", "strip_metadata": strip_metadata}
    longest = picture_with(NOISE[: (1 << 20) - 1])
    found = decode_picture(encode_picture(longest, **options), "x")
    assert found.kept["icc_profile"] == longest.kept["icc_profile"]
    for attempt in (check_writable, encode_picture):
        with pytest.raises(InputError, match="color profile of 1048576 bytes") as told:
            attempt(picture_with(NOISE[: 1 << 20]), **options)
        assert "write JPEG or WebP" in str(told.value) and "\n" not in str(told.value)


@pytest.mark.parametrize("profile", [NOISE, bytes(1 << 21)])
def test_a_png_whose_profile_is_too_long_is_refused_in_words(profile):
    content = s.saved(s.COLOR, "PNG", icc_profile=profile)
    with pytest.raises(InputError, match="x cannot be read .*color profile") as told:
        decode_picture(content, "x")
    said = str(told.value)
    assert "megabyte" in said and "MAX_TEXT" not in said and "\n" not in said
