"""Operations one by one against PyTorch: values, gradients, also at corners."""

import jax
import numpy as np
import pytest

from mspd_jax.models.foreign import _aten

try:
    import torch
    from torch.nn import functional

    from mspd_jax.models.foreign._export import array_of, exported
    from mspd_jax.models.foreign._program import run
except ImportError:
    torch = functional = None

pytestmark = [
    pytest.mark.compiling,
    pytest.mark.skipif(torch is None, reason="needs the extra mspd_jax[bridge]"),
]

SHAPE = (7, 6, 4)
# Values on a coarse grid, so that there are ties, zeros and ends of intervals.
X = np.random.default_rng(0).integers(-8, 9, (1, 4, 7, 6)).astype(np.float32) / 2


class Together(torch.nn.Module if torch else object):
    """What all functions give for an image, in one row: exporting takes most time."""

    def __init__(self, functions):
        super().__init__()
        self.functions = functions
        generator = torch.Generator().manual_seed(0)
        self.register_buffer("w", torch.randn(6, 4, 3, 2, generator=generator))

    def forward(self, x):
        parts = [f(x, self.w).to(x.dtype) for f in self.functions]
        return torch.cat([part.flatten(1) for part in parts], 1)


FUNCTIONS = {
    "pointwise": [
        *(lambda x, w, f=f: getattr(torch, f)(x) for f in (
            "abs", "neg", "exp", "tanh", "sigmoid", "sin", "cos", "erf", "floor",
            "ceil", "round", "trunc", "sign", "square", "expm1", "atan", "sinh", "cosh",
        )),
        *(lambda x, w, f=f: getattr(torch, f)(x.abs() + 0.5) for f in (
            "sqrt", "rsqrt", "log", "log2", "log10", "log1p", "reciprocal", "tan",
        )),
        *(lambda x, w, f=f: getattr(functional, f)(x) for f in (
            "relu", "relu6", "hardtanh", "hardswish", "hardsigmoid", "silu", "mish",
            "gelu", "softplus", "elu", "selu", "celu", "leaky_relu", "logsigmoid",
            "softsign", "tanhshrink", "hardshrink",
        )),
        lambda x, w: functional.gelu(x, approximate="tanh"),
        lambda x, w: functional.softplus(x, beta=3, threshold=4),
        lambda x, w: functional.elu(x, alpha=0.3),
        lambda x, w: functional.leaky_relu(x, 0.3),
        lambda x, w: functional.prelu(x, w[0, :, 0, 0]),
        lambda x, w: x.clamp(-1.5, 2) + x.clamp(min=1) - x.clamp(max=0),
        lambda x, w: x.pow(2) + x.pow(3.0) + 2.0**x + (x.abs() + 1).pow(0.3),
        lambda x, w: torch.add(x, x * x, alpha=3) - torch.sub(1, x, alpha=2),
        lambda x, w: x / 3 + torch.div(x, 2, rounding_mode="floor") + 1 / (x * x + 1),
        lambda x, w: torch.div(x, 2, rounding_mode="trunc") + x % 3 + x.fmod(3),
        lambda x, w: torch.maximum(x, x.flip(3)) * torch.minimum(x, x.flip(2)),
        lambda x, w: torch.where((x > 1) & ~(x == 2) | (x <= -2), x * x, -x),
        lambda x, w: x.masked_fill(x.ge(2).logical_or(x.lt(-3)), 0.5),
        lambda x, w: torch.atan2(x, x * x + 1),
    ],
    "shapes": [
        lambda x, w: x.permute(0, 2, 3, 1).reshape(1, 7, -1)[:, 1:6:2, 3:],
        lambda x, w: torch.cat([x[:, 1:], x[:, :1] * 2], 1).transpose(-1, -2),
        lambda x, w: torch.stack(x.unbind(1), 3) * x.mean(1, keepdim=True)[..., None],
        lambda x, w: sum(p.sum(1) * i for i, p in enumerate(x.split(3, 1))),
        lambda x, w: torch.cat(x.chunk(3, 2)[::-1], 2) + x.roll((2, -1), (2, 3)),
        lambda x, w: functional.pad(x, (1, -2, 0, 3), value=1.5),
        lambda x, w: functional.pad(x, (2, 1, 1, 3), mode="reflect"),
        lambda x, w: functional.pad(x, (2, 1, 1, 3), mode="replicate"),
        lambda x, w: functional.pad(x, (2, 1, 1, 3), mode="circular"),
        lambda x, w: x[:, :, torch.tensor([3, 1, 1])] + x[..., 2:3, 1:2].expand_as(
            x[:, :, :3]
        ),
        lambda x, w: torch.gather(x, 3, x[..., :4].abs().long() % 6),
        lambda x, w: x.index_select(1, torch.tensor([2, 0, 2])).repeat(1, 2, 1, 1),
        lambda x, w: functional.pixel_shuffle(x, 2),
        lambda x, w: functional.pixel_unshuffle(x[:, :, :6], 2),
        lambda x, w: functional.channel_shuffle(x, 2),
        lambda x, w: x.unfold(2, 3, 2).squeeze().unsqueeze(0),
        lambda x, w: functional.unfold(x, (3, 2), padding=1, stride=2),
        lambda x, w: x.tril(1) + x.triu(-2) + torch.arange(6.0) + torch.ones_like(x),
        lambda x, w: torch.zeros(1, 4, 7, 6) + torch.full((1, 4, 7, 6), 0.5) * x,
        lambda x, w: functional.embedding(x[0, 0].abs().long(), w[..., 0, 0])[None],
        lambda x, w: written(x),
        lambda x, w: torch.einsum("nchw,nkhw->nck", x, x),
        lambda x, w: x.swapaxes(1, 3).contiguous().as_strided((1, 3, 4), (1, 2, 3), 1),
    ],
    "reductions": [
        lambda x, w: torch.cat([x.mean((2, 3)), x.sum(3).mean(2), x.amax((2, 3))], 1),
        lambda x, w: torch.cat([x.max(3)[0], x.min(3).values, x.amin(3)], 1),
        lambda x, w: x.max() * x.min() * x[:, :1, :1],
        lambda x, w: x.var((2, 3)) + x.std((2, 3), correction=0),
        lambda x, w: torch.var_mean(x, 1)[0] * torch.var_mean(x, (1, 2))[1][:, None],
        lambda x, w: x.norm(dim=1) + torch.linalg.vector_norm(x, 1, 1),
        lambda x, w: functional.normalize(x, dim=1) + x.abs().amax(1, keepdim=True),
        lambda x, w: torch.linalg.vector_norm(0 * x, dim=1) + x.norm(torch.inf, 1),
        lambda x, w: x.cumsum(2) + (x / 4).prod(3, keepdim=True) + x.argmax(3).sum(),
        lambda x, w: (x + torch.arange(6) / 99).topk(3, 3)[0] * (x > 9).any(),
        lambda x, w: x.softmax(1) + x.log_softmax(3) + x.logsumexp(2, keepdim=True),
        lambda x, w: functional.softmin(x, 2) * (x < 9).all() + x.argmin(),
    ],
    "layers": [
        lambda x, w: functional.conv2d(x, w, w[:, 0, 0, 0], (2, 1), (1, 2)),
        lambda x, w: functional.conv2d(x, w, None, 1, "same", (2, 1)),
        lambda x, w: functional.conv2d(x, w[:, :2], None, 2, 1, groups=2),
        lambda x, w: functional.conv1d(x[:, :, 0], w[..., 0], padding=1),
        lambda x, w: functional.conv3d(x[:, None], w[:, :1, None], stride=(1, 2, 1)),
        lambda x, w: functional.conv_transpose2d(x, w[:4], None, 2, (1, 0), (1, 0)),
        lambda x, w: functional.conv_transpose2d(x, w[:4], w[:8, 0, 0, 0].repeat(2)[:8],
                                                 (3, 1), 1, 0, 2, (1, 2)),
        lambda x, w: functional.batch_norm(x, w[0, :, 0, 0], w[1, :, 0, 0].abs(),
                                           w[2, :, 0, 0], w[3, :, 0, 0]),
        lambda x, w: functional.batch_norm(x, w[0, :, 0, 0], w[1, :, 0, 0].abs()),
        lambda x, w: functional.layer_norm(x, (7, 6)),
        lambda x, w: functional.layer_norm(x, (6,), w[:, 0, 0, 0], w[:, 1, 0, 0]),
        lambda x, w: functional.group_norm(x, 2, w[0, :, 0, 0], w[1, :, 0, 0]),
        lambda x, w: functional.instance_norm(x, weight=w[0, :, 0, 0]),
        lambda x, w: functional.local_response_norm(x, 3),
        lambda x, w: functional.max_pool2d(x, 3, 2, 1),
        lambda x, w: functional.max_pool2d(x, (2, 3), (3, 2), 1, ceil_mode=True),
        lambda x, w: functional.max_pool2d(x, 2, 1, 0, 2),
        lambda x, w: functional.avg_pool2d(x, 3, 2, 1),
        lambda x, w: functional.avg_pool2d(x, 3, (3, 2), 1, True, False),
        lambda x, w: functional.avg_pool2d(x, 2, 2, 0, True, True),
        lambda x, w: functional.avg_pool2d(x, 2, divisor_override=3),
        lambda x, w: functional.avg_pool1d(x[:, :, 0], 2),
        lambda x, w: functional.adaptive_avg_pool2d(x, (3, 4)),
        lambda x, w: functional.adaptive_max_pool2d(x, (1, 3)),
        lambda x, w: functional.linear(x, w[:, :, :, 0].reshape(12, 6)),
        lambda x, w: functional.linear(x[:, 0, 0], w[:, :, 0, 0].t(), w[0, :, 0, 0]),
        lambda x, w: functional.scaled_dot_product_attention(x / 2, x, x.flip(2)),
        lambda x, w: functional.scaled_dot_product_attention(
            x, x, x, attn_mask=x[..., :1] > x[..., None, 0] - 1.25, scale=0.2
        ),
        lambda x, w: functional.scaled_dot_product_attention(x, x, x, is_causal=True),
        lambda x, w: torch.baddbmm(x[0], x[0], x[0, :, :6], beta=0.5)[None],
    ],
    "resize": [
        lambda x, w: functional.interpolate(x, scale_factor=2),
        lambda x, w: functional.interpolate(x, (5, 11)),
        lambda x, w: functional.interpolate(x, (5, 11), mode="bilinear"),
        lambda x, w: functional.interpolate(x, (5, 1), mode="bilinear",
                                            align_corners=True),
        lambda x, w: functional.interpolate(x, scale_factor=1.7, mode="bilinear"),
        lambda x, w: functional.interpolate(x, (4, 13), mode="bicubic"),
        lambda x, w: functional.interpolate(x, (9, 3), mode="bicubic",
                                            align_corners=True),
    ],
}  # fmt: skip


def written(x):
    """Assignments to parts, which programs do without."""
    y = x.clone()
    y[:, 1:3, ::2] = 2 * x[:, :2, ::2]
    y[:, 0] += x[:, 3]
    y[0, 3, torch.tensor([1, 4])] = x[0, 3, :2]
    return y.relu_()


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_values_and_gradients(kind):
    functions = FUNCTIONS[kind]
    together = Together(functions).eval()
    program = exported(together, SHAPE, "the operations")
    weights = {"w": array_of(together.w)}
    row, pull = jax.vjp(lambda x: run(program, _aten.ATEN, weights, x), X)
    pull = jax.jit(pull)
    end = 0
    for place, function in enumerate(functions):
        x = torch.tensor(X, requires_grad=True)
        want = function(x, together.w).to(x.dtype).flatten(1)
        start, end = end, end + want.numel()
        close(row[:, start:end], want, 2e-5, f"{kind} {place}")
        direction = np.zeros(row.shape, np.float32)
        direction[:, start:end] = np.linspace(-1, 2, end - start)
        gradient = torch.zeros_like(x)
        if want.requires_grad:
            (want * torch.from_numpy(direction[:, start:end])).sum().backward()
            gradient = x.grad
        close(pull(direction)[0], gradient, 1e-4, f"the gradient of {kind} {place}")
    assert end == row.shape[1]


def close(found, wanted, margin, what):
    wanted = wanted.detach().numpy()
    size = max(1.0, np.abs(wanted).max())
    np.testing.assert_allclose(
        found, wanted, rtol=margin, atol=margin * size / 5, err_msg=what
    )
