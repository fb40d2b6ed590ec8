"""Pictures of phones, with the package that reads them and without."""

import io
import sys

import numpy as np
import pytest
from PIL import Image

from mspd_jax.errors import InputError
from mspd_jax.pictures import _read, encode_picture, read_picture
from mspd_jax.pictures._read import decode_picture, picture_shape
from tests.pictures import samples as s

HEAD = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"


def heic(levels, **options):
    heif = pytest.importorskip("pillow_heif")
    buffer = io.BytesIO()
    heif.from_pillow(Image.fromarray(levels)).save(buffer, quality=-1, **options)
    return buffer.getvalue()


def test_without_the_package_the_reason_names_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    path = tmp_path / "x.heic"
    path.write_bytes(HEAD + bytes(100))
    with pytest.raises(InputError, match=r"pip install 'mspd_jax\[heic\]'") as told:
        read_picture(path)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("shape", [(64, 96), (64, 96, 3)])
@pytest.mark.slow  # needs pillow-heif
def test_levels_come_out_upright_and_exif_no_longer_turns_them(shape):
    # What is stored at half size, the colors, is constant here.
    gray = np.kron(np.arange(6, dtype=np.uint8).reshape(2, 3) * 40, np.ones((32, 32)))
    levels = gray.astype(np.uint8)
    levels = levels if len(shape) == 2 else np.stack([levels] * 3, axis=-1)
    content = heic(levels, exif=s.exif(6), icc_profile=s.ICC)
    found = decode_picture(content, "x")
    # The file says the turn by itself, its writer took it out of EXIF.
    upright = levels.swapaxes(0, 1)[:, ::-1]
    assert found.levels.shape == (96, 64, 1 if len(shape) == 2 else 3)
    assert picture_shape(content, "x") == found.levels.shape
    error = np.abs(found.levels.reshape(upright.shape).astype(int) - upright)
    assert error.max() <= 3
    assert found.orientation == 1 and found.kept["icc_profile"] == s.ICC
    again = decode_picture(encode_picture(found), "x")
    np.testing.assert_array_equal(again.levels, found.levels)
    assert again.kept == found.kept


@pytest.mark.slow  # needs pillow-heif
def test_more_than_8_bits_are_refused():
    heif = pytest.importorskip("pillow_heif")
    levels = np.zeros((64, 64, 3), np.uint16)
    image = heif.from_bytes(mode="RGB;16", size=(64, 64), data=levels.tobytes())
    buffer = io.BytesIO()
    image.save(buffer, quality=-1)
    with pytest.raises(InputError, match="has 1. bits a channel .HEIF"):
        decode_picture(buffer.getvalue(), "x")


@pytest.mark.slow  # needs pillow-heif
def test_several_pictures_in_one_are_refused():
    heif = pytest.importorskip("pillow_heif")
    file = heif.from_pillow(Image.fromarray(s.COLOR))
    file.add_from_pillow(Image.fromarray(s.COLOR))
    buffer = io.BytesIO()
    file.save(buffer, quality=-1)
    with pytest.raises(InputError, match="several frames .HEIF"):
        decode_picture(buffer.getvalue(), "x")


@pytest.mark.slow  # needs pillow-heif
def test_a_file_that_is_cut_is_refused():
    content = heic(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    with pytest.raises(InputError, match="cannot be read"):
        decode_picture(content[: len(content) // 2], "x")


def test_another_size_than_that_of_the_header_is_refused(monkeypatch):
    # The decoder of HEIC says the size once more, when it is done.
    content = s.saved(s.COLOR, "PNG")
    monkeypatch.setattr(_read, "_shape", lambda *_: (9, 9, 3))
    with pytest.raises(InputError, match="has another size than its header says"):
        decode_picture(content, "x")


@pytest.mark.slow  # needs pillow-heif
def test_the_package_is_not_made_to_read_all_that_pillow_opens():
    heic(s.COLOR)
    assert "HEIF" not in Image.OPEN


@pytest.mark.skipif(not s.AVIF, reason="this version of Pillow knows no AVIF")
def test_avif_of_more_than_8_bits_is_refused(tmp_path):
    content = bytearray(s.saved(s.COLOR, "AVIF"))
    place = content.index(b"av1C") + 6
    content[place] |= 0x40  # which says that there are ten
    with pytest.raises(InputError, match="more than 8 bits a channel .AVIF"):
        decode_picture(bytes(content), "x")
