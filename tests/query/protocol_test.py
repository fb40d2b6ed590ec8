"""Requests as anybody reads them, and replies that are none."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from mspd_jax.errors import InputError
from mspd_jax.query._protocol import decode_reply, encode_request, too_long


def files_of(images):
    """Format and files of a request, which is one line."""
    line = encode_request(images)
    assert b"\n" not in line
    request = json.loads(line)
    assert request.keys() == {"format", "images"}
    return request["format"], [base64.b64decode(x) for x in request["images"]]


@pytest.mark.parametrize("channels", [1, 3])
def test_eight_bit_images_are_png_files(channels):
    shape = (3, 4, 5, channels)
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    kind, files = files_of(images)
    assert kind == "png"
    for file, image in zip(files, images, strict=True):
        found = np.asarray(Image.open(io.BytesIO(file)))
        np.testing.assert_array_equal(found.reshape(image.shape), image)


@pytest.mark.parametrize(
    ("kind", "channels"), [(np.float32, 1), (np.float32, 3), (np.uint8, 5)]
)
def test_other_images_are_npy_files(kind, channels):
    images = (9 * np.random.default_rng(0).random((2, 4, 5, channels))).astype(kind)
    name, files = files_of(images)
    assert name == "npy"
    found = [np.load(io.BytesIO(file), allow_pickle=False) for file in files]
    np.testing.assert_array_equal(found, images)
    assert found[0].dtype == kind


@pytest.mark.parametrize("name", ["labels", "scores", "names"])
def test_a_reply_is_one_list(name):
    assert decode_reply("it", json.dumps({name: [1, 2], "x": 3}).encode()) == [1, 2]


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (b"hello", "it answered no JSON but 'hello'"),
        (b"[" * 10**5, "no JSON"),
        (b"\xff", "no JSON"),
        (b"{}", "accepted is an object with a list under one of labels, scores"),
        (b"[1, 2]", "an object"),
        (b'{"labels": 3}', "a list"),
        (b'{"labels": [3], "names": ["a"]}', "one of"),
    ],
)
def test_what_is_no_reply_is_named(reply, words):
    with pytest.raises(InputError, match=words):
        decode_reply("it", reply)


def test_an_answer_that_is_too_long_is_refused_with_the_way_out():
    assert "it answered more than 9 bytes: ask for fewer" in str(too_long("it", 9))
