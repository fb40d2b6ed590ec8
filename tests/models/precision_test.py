"""Precision is a matter of the trace: of networks, their products, their gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mspd_jax import models
from mspd_jax.errors import InputError
from mspd_jax.models import check_precision

SPEC = models.ModelSpec("small_cnn", {"widths": [4]}, (0.5,), (0.3,), 3, (8, 8, 1), {})
PREDICT = models.predictor(models.create_model(jax.random.key(0), SPEC))
IMAGE = np.asarray(jax.random.uniform(jax.random.key(1), (8, 8, 1)))


def jaxpr(precision):
    def slope(image):
        predict = models.computed_in(PREDICT, precision)
        return jax.grad(lambda x: predict(x)[0])(image)

    return str(jax.make_jaxpr(slope)(IMAGE))


def test_products_are_asked_for_as_named():
    assert "bf16" not in jaxpr("float32") + jaxpr("tf32")
    assert "HIGHEST" in jaxpr("float32") and "HIGHEST" not in jaxpr("tf32")
    assert "Precision.HIGH" in jaxpr("tf32") and "bf16" in jaxpr("bfloat16")
    with pytest.raises(ValueError, match="precision 'half'"):
        models.computed_in(PREDICT, "half")(IMAGE)


@pytest.mark.slow
def test_bfloat16_is_that_of_the_weights_and_logits_are_float32():
    model = models.create_model(jax.random.key(0), SPEC)
    expected = models.predictor(model, dtype=jnp.bfloat16)
    run = jax.jit(lambda predict, image: predict(image))
    found = run(models.computed_in(PREDICT, "bfloat16"), IMAGE)
    np.testing.assert_array_equal(found, run(expected, IMAGE))
    # The same trace does not serve for another precision.
    exact = run(models.computed_in(PREDICT, "float32"), IMAGE)
    assert found.dtype == jnp.float32 and 0 < np.abs(found - exact).max() < 0.05


def test_a_function_cannot_compute_in_bfloat16():
    def function(image):
        return image.ravel()[:3]

    check_precision(PREDICT, "bfloat16", image_shape=IMAGE.shape)
    check_precision(function, "tf32", image_shape=IMAGE.shape)
    with pytest.raises(InputError, match="`precision`=bfloat16 is for networks"):
        check_precision(function, "bfloat16", image_shape=IMAGE.shape)
