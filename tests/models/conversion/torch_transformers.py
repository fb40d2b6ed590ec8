"""Models of timm as references: random weights, and their way into parity tests."""

import torch

from tests.models.conversion.torch_parity import check_parity, converted


def randomize(model, seed=0):
    """Weights and statistics far from neutral, that keep the scale of activations."""
    generator = torch.Generator().manual_seed(seed)

    def uniform(tensor, low, high):
        tensor.copy_(torch.rand(tensor.shape, generator=generator) * (high - low) + low)

    with torch.no_grad():
        state = getattr(model, "model", model).state_dict()
        for name, tensor in state.items():
            leaf = name.rsplit(".", 1)[-1]
            if not tensor.is_floating_point() or leaf == "attn_mask":
                continue
            if leaf == "weight" and tensor.ndim > 1:
                spread = (3 / tensor[0].numel()) ** 0.5
                uniform(tensor, -spread, spread)
            elif leaf in ("weight", "running_var", "temperature") or "gamma" in leaf:
                uniform(tensor, 0.5, 1.5)
            else:
                uniform(tensor, -0.5, 0.5)
    return model.eval()


def convert(model, name, *, size, **options):
    """Our model of a state dict that was written to a file, and read again."""
    return converted(model, name, image_shape=(*size, 3), **options)


def check(model, found):
    """Logits and input gradients of the model found are those of `model`.

    A `model` that does not normalize its images itself is shown normalized ones.
    """
    size = found.spec.image_shape[:2]
    inside = hasattr(model, "normalize")
    check_parity(model, found, size, normalizes=inside, ramps=True)
