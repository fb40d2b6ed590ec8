"""The reference algorithm's own output on a public ResNet-20 (needs PyTorch to read
its weights, and the data beside the checkout)."""

import jax
import numpy as np
import pytest

from mspd_jax import models, preempt

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def _torch():
    return pytest.importorskip("torch", reason="PyTorch reads the .th file")


def test_protected_equals_the_reference(shared, _torch):
    golden = np.load(shared / "golden" / "mcgs_resnet20.npz")
    model = models.convert_torch(
        shared / "weights" / "resnet20-12fca82f.th", architecture="resnet20"
    )
    predict = models.predictor(model)
    logits = jax.jit(jax.vmap(predict))
    np.testing.assert_allclose(
        logits(golden["image"]), golden["logits"], rtol=1e-4, atol=1e-3
    )
    noise = np.stack([golden["noise_forward"], golden["noise_backward"]])
    count = noise.shape[1]

    @jax.jit
    @jax.vmap
    def cascade(image, label, noise):
        return preempt.mcgs(
            jax.random.key(0),
            predict,
            image,
            label,
            eps=8 / 255,
            num_samples=count,
            chunk=count,
            noise=noise,
        )

    result = cascade(golden["image"], golden["label"], np.moveaxis(noise, 2, 0))
    for name, ours in [("forward", result.forward), ("protected", result.image)]:
        same = np.abs(np.asarray(ours) - golden[name]) <= 1e-5
        assert same.mean() >= 0.999, f"{name}: {same.mean():.5f} of the pixels agree"
    np.testing.assert_allclose(
        logits(result.image), golden["logits_protected"], rtol=0.02, atol=0.1
    )
