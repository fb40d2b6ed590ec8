"""Specifications whose fields do not fit each other."""

import jax
import pytest

from mspd_jax import models
from tests.models.small_models import spec


@pytest.mark.parametrize(
    "change",
    [
        dict(mean=(0.5,)),
        dict(std=(0.5, 0.0)),
        dict(num_classes=0),
        dict(image_shape=()),
    ],
)
def test_inconsistent_specification_is_refused(change):
    with pytest.raises(ValueError):
        models.create_model(jax.random.key(0), spec()._replace(**change))
