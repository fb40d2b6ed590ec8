"""Resizing and cropping: by hand, against PIL, against torchvision, gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial
from PIL import Image

from mspd_jax import models
from mspd_jax.errors import InputError
from tests.models.conversion import torch_packages  # noqa: F401, before torchvision

DRAW = np.random.default_rng(0)
close = np.testing.assert_allclose


def pixels(rule):
    """What a network behind the rule is shown."""
    return models.at_size(lambda image: image, rule)


@pytest.mark.parametrize("kind", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(5, 9), (23, 31), (13, 7), (40, 3)])
def test_resizes_as_pil_does(kind, size):
    image = DRAW.random((13, 17), np.float32)
    filters = {"bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC}
    want = Image.fromarray(image).resize(size[::-1], filters[kind])
    found = pixels(f"resize{size[0]}x{size[1]}-{kind}")(image[..., None])
    close(found[..., 0], np.asarray(want), atol=5e-6)


def test_the_short_side_and_the_center():
    image = DRAW.random((9, 14, 2), np.float32)
    assert pixels("resize6-bilinear")(image).shape == (6, 9, 2)
    assert pixels("resize6-bicubic")(image.swapaxes(0, 1)).shape == (9, 6, 2)
    close(pixels("resize9-bicubic")(image), image, atol=5e-6)
    # 3 and 5 rows too many, half of which is rounded to even: 2 and 2.
    found = pixels("crop6x9-bilinear")(image)
    close(found, image[2:8, 2:11])
    both = pixels("resize6-crop5-bicubic")(image)
    close(both, pixels("resize6-bicubic")(image)[:5, 2:7])


def test_gradient_jit_vmap_and_leaves():
    weights = jnp.asarray(DRAW.random((4 * 4 * 3, 2), np.float32))
    predict = Partial(lambda w, image: jnp.sin(image.ravel() @ w), weights)
    guided = models.at_size(predict, "resize5-crop4-bicubic")
    assert len(jax.tree.leaves(guided)) == 1
    again = models.at_size(predict, "resize5-crop4-bicubic")
    assert jax.tree.structure(again) == jax.tree.structure(guided)
    images = DRAW.random((3, 11, 8, 3), np.float32)
    gradient = jax.jit(jax.vmap(jax.grad(lambda x: guided(x)[1])))(images)
    direction = DRAW.standard_normal(images.shape).astype(np.float32)
    ahead, behind = (
        jax.vmap(guided)(images + s * 0.01 * direction)[:, 1] for s in (1, -1)
    )
    slopes = (gradient * direction).sum((1, 2, 3))
    close((ahead - behind) / 0.02, slopes, rtol=0.05, atol=1e-3)


@pytest.mark.parametrize(
    "rule",
    [
        "",
        "bicubic",
        "resize256",
        "resize256-nearest",
        "crop0-bilinear",
        "zoom2-bicubic",
    ],
)
def test_rules_that_are_none(rule):
    with pytest.raises(InputError, match="resize256-crop224-bicubic"):
        models.at_size(lambda x: x, rule)


def test_a_crop_that_is_larger_than_the_image():
    with pytest.raises(InputError, match="13x17 pixels is smaller than the crop of"):
        pixels("crop14-bilinear")(jnp.zeros((13, 17, 3)))


@pytest.mark.compiling
@pytest.mark.parametrize("kind", ["bilinear", "bicubic"])
@pytest.mark.parametrize("shape", [(61, 47), (40, 64), (20, 17), (33, 90)])
def test_equals_torchvision_in_values_and_gradients(kind, shape):
    functional, torch = torchvision()
    image = DRAW.random((*shape, 3), np.float32)
    x = torch.tensor(image.transpose(2, 0, 1), requires_grad=True)
    y = functional.resize(x, [32], functional.InterpolationMode(kind), antialias=True)
    y = functional.center_crop(y, [28, 28])
    predict = pixels(f"resize32-crop28-{kind}")
    found, pull = jax.vjp(predict, image)
    close(found, y.detach().numpy().transpose(1, 2, 0), atol=1e-5)
    direction = DRAW.standard_normal(found.shape).astype(np.float32)
    (y * torch.from_numpy(direction.transpose(2, 0, 1))).sum().backward()
    want = x.grad.numpy().transpose(1, 2, 0)
    close(pull(direction)[0], want, rtol=1e-5, atol=1e-5)


def torchvision():
    """Its functions, and PyTorch."""
    torch = pytest.importorskip("torch", reason="parity needs mspd_jax[torch]")
    try:
        from torchvision.transforms import InterpolationMode
        from torchvision.transforms.v2 import functional
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"no torchvision: {error}")
    functional.InterpolationMode = InterpolationMode
    return functional, torch
