"""ImageNet ResNets and BagNets against PyTorch: values, gradients, training, names."""

import jax
import pytest
from absl.testing import absltest, parameterized

from mspd_jax.errors import InputError

try:
    import torch

    from tests.models.conversion import torch_twins_imagenet
    from tests.models.conversion.torch_parity import (
        check_parity,
        check_training,
        converted,
        randomized,
    )
except ImportError:
    torch = torch_twins_imagenet = None

pytestmark = [
    pytest.mark.compiling,
    pytest.mark.skipif(torch is None, reason="parity needs the extra mspd_jax[torch]"),
]

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


class ParityTest(parameterized.TestCase):
    @parameterized.parameters(*TWINS)
    def test_logits_and_gradients_equal_pytorch(self, name):
        twin = randomized(TWINS[name])
        model = converted(twin, name)
        assert model.spec.image_shape == (224, 224, 3)
        assert model.spec.num_classes == 7
        check_parity(twin, model, (64, 64))

    def test_images_of_odd_and_unequal_sides(self):
        twin = randomized(TWINS["resnet18"])
        model = converted(twin, "resnet18")
        check_parity(twin, model, (45, 62))

    @parameterized.parameters(*KERNEL3)
    def test_bagnets_of_other_strides(self, name):
        twin = randomized(_bagnet(name, blocks=(1, 1, 1, 1), strides=(1, 1, 2, 1)))
        model = converted(twin, name)
        assert model.spec.options["blocks"] == [1, 1, 1, 1]
        options = model.spec.options | {"strides": [1, 1, 2, 1]}
        model = model._replace(spec=model.spec._replace(options=options))
        check_parity(twin, model, (33, 33))

    @parameterized.parameters("resnet18", "resnet50", "bagnet17", "bagnet33")
    def test_training_mode_equals_pytorch(self, name):
        twin = randomized(TWINS[name])
        check_training(twin, name, converted(twin, name), (64, 64))

    @parameterized.parameters(("resnet101", 101), ("resnet152", 152))
    def test_deep_ones_have_the_tensors_of_pytorch(self, name, depth):
        model = converted(_resnet(depth)(), name)
        assert model.spec.options == {"width": 4}

    @parameterized.parameters(*TWINS)
    def test_every_tensor_is_accounted_for(self, name):
        twin = randomized(TWINS[name])
        tensors = [key for key in twin.state_dict() if "num_batches" not in key]
        model = converted(twin, name)
        assert len(jax.tree.leaves(model.variables)) == len(tensors)
        for missing in ("layer2.0.downsample.1.running_var", "layer4.0.conv2.weight"):
            with pytest.raises(InputError, match=f"missing: {missing}$"):
                converted(twin, name, change=lambda state, key=missing: state.pop(key))
        with pytest.raises(InputError, match="surplus: layer1.0.bn9.bias"):
            extra = {"layer1.0.bn9.bias": torch.zeros(4)}
            converted(twin, name, change=lambda state: state.update(extra))

    def test_a_file_of_the_other_family_is_refused(self):
        twin = randomized(TWINS["resnet50"])
        with pytest.raises(InputError, match="missing: conv2.weight; misshaped: conv1"):
            converted(twin, "bagnet33")


if __name__ == "__main__":
    absltest.main()
