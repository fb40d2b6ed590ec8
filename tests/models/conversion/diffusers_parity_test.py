"""The U-Nets of diffusion models against diffusers: values and input gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mspd_jax import models
from mspd_jax.errors import InputError
from tests.models.conversion import torch_packages  # noqa: F401, before diffusers

try:
    import torch

    from tests.models.conversion import diffusers_networks
except (ImportError, RuntimeError):  # diffusers raises both, for what it imports
    torch = diffusers_networks = None

pytestmark = [
    pytest.mark.compiling,
    pytest.mark.skipif(
        diffusers_networks is None, reason="parity needs PyTorch and diffusers"
    ),
]

TINY = ((32, 64, 64), 1, (1,))
TIMES = [0, 137, 999]


def converted(folder, tensors, architecture="ddpm"):
    torch.save(tensors, folder / "diffusion_pytorch_model.bin")
    return models.convert_torch(
        folder / "diffusion_pytorch_model.bin", architecture=architecture
    )


def assert_parity(network, model, times, *, scale=1):
    """Noise and input gradients within 1e-4 of the largest. scale: of our times."""
    draw = np.random.default_rng(0)
    images, pulled = (
        draw.standard_normal((len(times), 32, 32, 3)).astype(np.float32) for _ in "12"
    )
    seen = torch.tensor(images.transpose(0, 3, 1, 2)).requires_grad_()
    noise = network(seen, torch.tensor(times)).sample
    (noise * torch.tensor(pulled.transpose(0, 3, 1, 2))).sum().backward()
    expected = (noise.detach(), seen.grad)

    @jax.jit
    def run(predict, images, times, pulled):
        found, pull = jax.vjp(lambda x: jax.vmap(predict)(x, times), images)
        return found, pull(pulled)[0]

    found = run(
        models.function_of(model), images, scale * jnp.asarray(times, jnp.int32), pulled
    )
    for ours, theirs in zip(found, expected, strict=True):
        theirs = theirs.numpy().transpose(0, 2, 3, 1)
        assert np.abs(ours - theirs).max() < 1e-4 * np.abs(theirs).max()


def test_a_small_network_is_that_of_diffusers(tmp_path):
    network = diffusers_networks.unet(*TINY)
    model = converted(tmp_path, network.state_dict())
    assert model.spec.options["widths"] == [32, 64, 64]
    assert model.spec.options["layers"] == 1
    assert model.spec.options["attention"] == [1]
    assert (model.spec.mean, model.spec.std) == ((0.5,) * 3, (0.5,) * 3)
    assert_parity(network, model, TIMES)


def test_earlier_names_give_the_same_model(tmp_path):
    tensors = diffusers_networks.unet(*TINY).state_dict()
    old = diffusers_networks.earlier_names(tensors)
    assert any(".query." in name for name in old)
    found = [models.model_hash(converted(tmp_path, named)) for named in (tensors, old)]
    assert found[0] == found[1]


def test_what_is_missing_is_named(tmp_path):
    tensors = diffusers_networks.unet(*TINY).state_dict()
    del tensors["mid_block.attentions.0.to_q.bias"]
    with pytest.raises(InputError, match="missing: mid_block.attentions.0.to_q.bias"):
        converted(tmp_path, tensors)


def test_a_network_of_improved_diffusion(tmp_path):
    """diffusers has all of its parts; the file is named as improved-diffusion does."""
    network = diffusers_networks.unet((32, 64, 64), 2, (1, 2), improved=True)
    tensors = diffusers_networks.improved_tensors(network)
    model = converted(tmp_path, tensors, "improved_ddpm")
    options = model.spec.options
    assert (options["layers"], options["attention"]) == (2, [1, 2])
    assert options["scale_shift"] and not options["variance"]
    # It reads thousandths of its 4000 steps.
    assert_parity(network, model, [0, 137, 250], scale=4)


def test_learned_variances_are_left_out(tmp_path):
    network = diffusers_networks.unet((32, 64), 1, (1,), improved=True)
    tensors = diffusers_networks.improved_tensors(network)
    last = {name: tensors[f"out.2.{name}"] for name in ("weight", "bias")}
    tensors |= {
        f"out.2.{n}": torch.cat([x, torch.ones_like(x)]) for n, x in last.items()
    }
    model = converted(tmp_path, tensors, "improved_ddpm")
    assert model.spec.options["variance"]
    assert_parity(network, model, [7], scale=4)


@pytest.mark.slow
def test_the_published_network(tmp_path):
    network = diffusers_networks.unet((128, 256, 256, 256), 2, (1,))
    model = converted(tmp_path, network.state_dict())
    assert_parity(network, model, [300])
