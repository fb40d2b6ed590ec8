"""What the tensors of our networks are called in PyTorch state dicts.

| family          | names as in
|-----------------|----------------------------------------------------------------------
| resnet          | akamaster/pytorch_resnet_cifar10: conv1, bn1, layer1.0.conv1, linear
| preact_resnet   | RobustBench's DMPreActResNet: conv_2d, layer_0.0.batchnorm_0, logits
| wide_resnet     | RobustBench's DMWideResNet: init_conv, layer.0.block.0.conv_0
| imagenet_resnet | torchvision: conv1, bn1, layer1.0.conv1, layer1.0.downsample.0, fc
| bagnet          | wielandbrendel/bag-of-local-features-models: conv1, conv2, bn1, fc
| small_cnn       | conv0, bn0, conv1, bn1, ... in order of the layers, then linear
| dncnn           | microsoft/denoised-smoothing: dncnn.0, dncnn.2, dncnn.3, ...
| memnet          | microsoft/denoised-smoothing: feature_extractor, dense_memory.0, ...
"""

import re

_LEAVES = {
    "kernel": "weight",
    "scale": "weight",
    "bias": "bias",
    "mean": "running_mean",
    "var": "running_var",
}

_BLOCK = r"stage(\d)_block(\d+)/"
# Replacements in a Flax path, applied in order. What blocks of He et al. are called:
_RESIDUAL = (
    (_BLOCK, lambda match: f"layer{int(match[1]) + 1}.{match[2]}."),
    (r"(stem|first)/conv", "conv1"),
    (r"(stem|first)/norm", "bn1"),
    (r"second/conv", "conv2"),
    (r"second/norm", "bn2"),
    (r"third/conv", "conv3"),
    (r"third/norm", "bn3"),
    (r"shortcut/conv", "downsample.0"),
    (r"shortcut/norm", "downsample.1"),
)
_PREACTIVATION = (
    (r"first/norm", "batchnorm_1"),
    (r"norm0", "batchnorm_0"),
    (r"^norm", "batchnorm"),
    (r"^head", "logits"),
)
# In a Sequential, layers have numbers: convolution, ReLU, then three to a layer.
_DNCNN = (
    (r"^first", "dncnn.0"),
    (r"^layer(\d+)/conv", lambda match: f"dncnn.{3 * int(match[1]) + 2}"),
    (r"^layer(\d+)/norm", lambda match: f"dncnn.{3 * int(match[1]) + 3}"),
)
_FAMILIES = {
    "resnet": (*_RESIDUAL, (r"^head", "linear")),
    "imagenet_resnet": (*_RESIDUAL, (r"^head", "fc")),
    "bagnet": (
        (r"^point", "conv1"),
        (r"^stem/conv", "conv2"),
        *_RESIDUAL,
        (r"^head", "fc"),
    ),
    "preact_resnet": (
        (_BLOCK, r"layer_\1.\2."),
        (r"^stem", "conv_2d"),
        (r"first/conv", "conv_2d_1"),
        (r"second", "conv_2d_2"),
        *_PREACTIVATION,
    ),
    "wide_resnet": (
        (_BLOCK, r"layer.\1.block.\2."),
        (r"^stem", "init_conv"),
        (r"first/conv", "conv_0"),
        (r"second", "conv_1"),
        *_PREACTIVATION,
    ),
    "small_cnn": (
        (r"^layer(\d+)/conv", r"conv\1"),
        (r"^layer(\d+)/norm", r"bn\1"),
        (r"^head", "linear"),
    ),
    "dncnn": _DNCNN,
    "dncnn_wide": _DNCNN,
    "memnet": (
        (r"^block(\d+)_gate", r"dense_memory.\1.gate_unit"),
        (r"^block(\d+)_(\d+)_", r"dense_memory.\1.recursive_unit.\2."),
        (r"first/", "relu_conv1/"),
        (r"second/", "relu_conv2/"),
        (r"^extract", "feature_extractor"),
        (r"^reconstruct", "reconstructor"),
        (r"/before", ".bn"),
        (r"/conv", ".conv"),
    ),
}


def torch_name(family: str, path: tuple[str, ...]) -> str:
    """The PyTorch name of a variable, as ("params", "head", "kernel")."""
    _, *modules, leaf = path
    name = "/".join(modules)
    for pattern, replacement in _FAMILIES[family]:
        name = re.sub(pattern, replacement, name)
    return f"{name}.{_LEAVES[leaf]}"
