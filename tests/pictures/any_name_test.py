"""Pictures are read under any name that a disk can hold."""

import os

import numpy as np
import pytest

from mspd_jax.errors import InputError
from mspd_jax.pictures import read_picture
from tests.pictures import samples as s

NAMES = [
    "a b.png",
    "a'b\".png",
    "a\nb.png",
    "фото 写真.png",
    b"caf\xe9.png",
    "$(x);.png",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_may_be_anything(tmp_path, name):
    path = tmp_path / os.fsdecode(name)
    path.write_bytes(s.saved(s.COLOR, "PNG"))
    np.testing.assert_array_equal(read_picture(path).levels, s.COLOR)
    path.write_bytes(b"")
    with pytest.raises(InputError) as told:
        read_picture(path)
    assert "\n" not in str(told.value)
    str(told.value).encode()  # a terminal can show it
