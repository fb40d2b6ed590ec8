"""Protecting and verifying pictures as a user does."""

import jax
import numpy as np
import pytest
from PIL import Image

from mspd_jax import models
from tests.jobs.pictures import SPEC, photo
from tests.launch import mains


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("place")
    models.save_model(folder / "model", models.create_model(jax.random.key(0), SPEC))
    photo(folder / "my photos" / "sea, \u6d77.jpg", quality=90)
    photo(folder / "my photos" / "deep" / "gray.png", "L", (9, 33), seed=1)
    (folder / "my photos" / "letter.txt").write_text("no picture")
    return folder


def protect(place, *flags, out="out"):
    model, out = f"--surrogate={place / 'model'}", f"--out={place / out}"
    source = f"--source={place / 'my photos'}"
    return mains.run("protect", source, model, "--samples=2", out, *flags)


def test_a_folder_is_protected_and_verified(place):
    code, said, errors = protect(place, "--strength=light", "--verify")
    assert code == 0, errors
    assert "images: 2" in said and "psnr_mean" in said
    assert said.count("of 5 views of the original") == 2
    assert "letter.txt is no picture" in errors
    names = {
        str(p.relative_to(place / "out/images"))
        for p in (place / "out/images").rglob("*.png")
    }
    assert names == {"sea, \u6d77.png", "deep/gray.png"}
    with Image.open(place / "out/images/deep/gray.png") as image:
        assert image.mode == "L" and image.size == (9, 33)
    again = protect(place, "--strength=light", "--verify")
    assert again[0] == 0 and "images_computed: 2" in again[1]
    assert "nothing to do" in again[1] and "nothing to do" not in said

    model = f"--model={place / 'model'}"
    code, said, errors = mains.run(
        "verify", f"--source={place / 'out'}", model, "--eps=4/255"
    )
    assert code == 0, errors
    assert said.count("under attack the model still sees the same in") == 2
    assert "no promise" in said


def test_a_pattern_and_one_file_are_sources_too(place):
    pattern = f"--source={place}/my photos/*.jpg"
    code, said, errors = protect(place, pattern, "--format=jpeg", out="pattern")
    assert code == 0, errors
    (file,) = (place / "pattern/images").iterdir()
    with Image.open(file) as image:
        assert image.format == "JPEG" and np.asarray(image).shape == (30, 40, 3)


def test_a_preview_is_looked_at_before(place):
    code, said, errors = protect(place, "--preview", out="look")
    assert code == 0, errors
    assert (
        said.count("\n") == 1 and "9x33 pixels in the middle of deep/gray.png" in said
    )
    assert [path.name for path in (place / "look").iterdir()] == ["preview.png"]
    code, _, errors = protect(place, "--preview", out="my photos/deep")
    assert code == 2 and errors.count("\n") == 1 and "--out" in errors


@pytest.mark.parametrize(
    "flags, said",
    [
        (["--source=nowhere"], ["nowhere does not exist", "photos/*.jpg"]),
        (["--survive=fire:1-2"], ["--survive=fire:1-2", "jpeg:75-95"]),
        (["--strength=brutal"], ["strength", "light", "standard", "strong"]),
        (["--samples=0"], ["samples"]),
        (["--method=bilevel"], ["method"]),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(place, flags, said):
    code, _, errors = protect(place, *flags, out="never")
    assert code == 2 and errors.count("\n") == 1, errors
    assert all(word in errors for word in said), errors
    assert not (place / "never").exists()


def test_sources_with_a_scheme_are_data_sets_as_before(place):
    code, _, errors = protect(place, "--source=digits:test", out="never")
    assert code == 2 and "eps" in errors


def test_verify_names_what_is_missing(place):
    code, _, errors = mains.run("verify", "--source=nowhere")
    assert code == 2 and errors.count("\n") == 1 and "nowhere" in errors
