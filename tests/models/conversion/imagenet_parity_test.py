"""ImageNet ResNets and BagNets against PyTorch: values, gradients, training, names."""

import pathlib
import tempfile

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import absltest, parameterized

from mspd_jax import models
from mspd_jax.errors import InputError

try:
    import torch

    from tests.models.conversion import torch_twins, torch_twins_imagenet
except ImportError:
    torch = torch_twins = torch_twins_imagenet = None

pytestmark = [
    pytest.mark.compiling,
    pytest.mark.skipif(torch is None, reason="parity needs the extra mspd_jax[torch]"),
]

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
KERNEL3 = {
    "bagnet9": (1, 1, 0, 0),
    "bagnet17": (1, 1, 1, 0),
    "bagnet33": (1, 1, 1, 1),
}


def _resnet(depth):
    return lambda: torch_twins_imagenet.ImageNetResNet(depth, 4, 7)


def _bagnet(name, blocks=(1, 2, 1, 2), strides=(2, 2, 2, 1)):
    return lambda: torch_twins_imagenet.BagNet(KERNEL3[name], 4, blocks, strides, 7)


TWINS = {f"resnet{depth}": _resnet(depth) for depth in (18, 34, 50)} | {
    name: _bagnet(name) for name in KERNEL3
}


def _twin(make):
    torch.manual_seed(0)
    return torch_twins.randomize(make(), seed=2)


def _convert(twin, name, change=lambda state: None):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "twin.pt")
        state = twin.state_dict()
        change(state)
        torch.save(state, path)
        return models.convert_torch(path, architecture=name)


def _images(count, size):
    return np.random.default_rng(1).random((count, *size, 3), np.float32)


def _twin_logits(twin, images):
    """Also the images as a tensor that takes gradients."""
    x = torch.tensor(images).permute(0, 3, 1, 2).requires_grad_()
    inner = (x - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    # With channels last, PyTorch 2.13 crashes on gradients of strided convolutions.
    return x, twin(inner.contiguous())


def _close(actual, expected):
    """Within 1e-4 of the largest value: float32, summed in another order."""
    expected = np.asarray(expected)
    scale = np.abs(expected).max()
    assert scale > 0
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-4 * scale)


def _check_against(twin, model, images):
    x, expected = _twin_logits(twin, images)
    expected.square().sum().backward()

    @jax.jit
    def compute(predict, images):
        logits, pull = jax.vjp(jax.vmap(predict), images)
        return logits, pull(2 * logits)[0]

    logits, gradient = compute(models.predictor(model), jnp.asarray(images))
    _close(logits, expected.detach().numpy())
    _close(gradient, x.grad.permute(0, 2, 3, 1).numpy())


class ParityTest(parameterized.TestCase):
    @parameterized.parameters(*TWINS)
    def test_logits_and_gradients_equal_pytorch(self, name):
        twin = _twin(TWINS[name])
        model = _convert(twin, name)
        assert model.spec.image_shape == (224, 224, 3)
        assert model.spec.num_classes == 7
        _check_against(twin, model, _images(2, (64, 64)))

    def test_images_of_odd_and_unequal_sides(self):
        twin = _twin(TWINS["resnet18"])
        model = _convert(twin, "resnet18")
        _check_against(twin, model, _images(2, (45, 62)))

    @parameterized.parameters(*KERNEL3)
    def test_bagnets_of_other_strides(self, name):
        twin = _twin(_bagnet(name, blocks=(1, 1, 1, 1), strides=(1, 1, 2, 1)))
        model = _convert(twin, name)
        assert model.spec.options["blocks"] == [1, 1, 1, 1]
        options = model.spec.options | {"strides": [1, 1, 2, 1]}
        model = model._replace(spec=model.spec._replace(options=options))
        _check_against(twin, model, _images(2, (33, 33)))

    @parameterized.parameters("resnet18", "resnet50", "bagnet17", "bagnet33")
    def test_training_mode_equals_pytorch(self, name):
        twin = _twin(TWINS[name])
        model = _convert(twin, name)
        twin.train()
        images = _images(8, (64, 64))
        _, expected = _twin_logits(twin, images)
        logits, stats = jax.jit(
            lambda variables, x: models.train_outputs(model.spec, variables, x)
        )(model.variables, jnp.asarray(images))
        _close(logits, expected.detach().numpy())
        moved = _convert(twin, name).variables["batch_stats"]
        jax.tree.map(_close, stats, moved)

    @parameterized.parameters(("resnet101", 101), ("resnet152", 152))
    def test_deep_ones_have_the_tensors_of_pytorch(self, name, depth):
        model = _convert(_resnet(depth)(), name)
        assert model.spec.options == {"width": 4}

    @parameterized.parameters(*TWINS)
    def test_every_tensor_is_accounted_for(self, name):
        twin = _twin(TWINS[name])
        tensors = [key for key in twin.state_dict() if "num_batches" not in key]
        model = _convert(twin, name)
        assert len(jax.tree.leaves(model.variables)) == len(tensors)
        for missing in ("layer2.0.downsample.1.running_var", "layer4.0.conv2.weight"):
            with pytest.raises(InputError, match=f"missing: {missing}$"):
                _convert(twin, name, lambda state, key=missing: state.pop(key))
        with pytest.raises(InputError, match="surplus: layer1.0.bn9.bias"):
            extra = {"layer1.0.bn9.bias": torch.zeros(4)}
            _convert(twin, name, lambda state: state.update(extra))

    def test_a_file_of_the_other_family_is_refused(self):
        twin = _twin(TWINS["resnet50"])
        with pytest.raises(InputError, match="missing: conv2.weight; misshaped: conv1"):
            _convert(twin, "bagnet33")


if __name__ == "__main__":
    absltest.main()
