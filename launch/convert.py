r"""Turns a PyTorch checkpoint into one that every job here can read.

    python -m launch.convert --torch=resnet20.th --arch=resnet20 --out=models/resnet20

The file (.pt, .pth, .th or .safetensors) holds a state dict, with or without
`state_dict`, `model` or `net` around it and `module.` before the names. Nothing in it
is executed. Names are those of akamaster/pytorch_resnet_cifar10 (resnet20 to 110), of
torchvision (resnet18, 34, 50, 101, 152), of wielandbrendel's BagNets (bagnet*), of
RobustBench's DM models (preact_*, wide_*), of microsoft/denoised-smoothing (dncnn*,
memnet: give their --sigma), and conv0, bn0, conv1, ..., linear for a small_cnn. Then
use it anywhere a model is asked for: `--target=models/resnet20`.
Seconds on one CPU core. PyTorch files need PyTorch (pip install 'mspd_jax[torch]').
"""

from launch import _main  # isort: skip  # first: it prepares the platform for JAX

import pathlib

import jax
from absl import flags

from mspd_jax import models
from mspd_jax.errors import InputError

FLAGS = flags.FLAGS

flags.DEFINE_string(
    "torch", None, "the file to convert: .pt, .pth, .th or .safetensors", required=True
)
flags.DEFINE_string(
    "arch",
    None,
    f"architecture of the file: {models.ARCHITECTURES}; denoisers: {models.DENOISERS}",
    required=True,
)
flags.DEFINE_string("out", None, "checkpoint folder to write", required=True)
flags.DEFINE_bool("overwrite", False, "replace the checkpoint that is at --out")
flags.DEFINE_string(
    "mean",
    None,
    "mean per channel that the model subtracts from pixels in [0, 1], as in "
    "0.485,0.456,0.406; default: the file's `mean`, else the usual one of --arch "
    "(ImageNet's for resnet* and bagnet*, CIFAR-10's for preact_* and wide_*, 0 for "
    "small_cnn)",
)
flags.DEFINE_string(
    "std", None, "what the model then divides by, per channel; default: see --mean"
)
flags.DEFINE_integer(
    "num_classes", None, "number of classes; default: as in the file", lower_bound=1
)
flags.DEFINE_string(
    "image_shape",
    None,
    "height,width,channels of its images; default: 224,224,3 for networks of ImageNet "
    "(resnet18, 34, 50, 101, 152, bagnet*), 32,32,3 for all others",
)
flags.DEFINE_enum(
    "activation",
    None,
    ["relu", "silu"],
    "activation of the network, where --arch leaves a choice; default: silu for "
    "preact_* and wide_*, relu for small_cnn",
)


flags.DEFINE_float(
    "sigma", None, "noise level that a denoiser was trained on: certify checks it", 0.0
)


def main(_):
    model = models.convert_torch(
        FLAGS.torch,
        architecture=FLAGS.arch,
        activation=FLAGS.activation,
        num_classes=FLAGS.num_classes,
        mean=_numbers("mean", float),
        std=_numbers("std", float),
        image_shape=_numbers("image_shape", int),
        sigma=FLAGS.sigma,
    )
    models.save_model(FLAGS.out, model, overwrite=FLAGS.overwrite)
    spec = model.spec
    size = sum(leaf.size for leaf in jax.tree.leaves(model.variables["params"]))
    print(
        f"wrote {pathlib.Path(FLAGS.out)}: {spec.architecture}, {_kind(spec)}, images "
        f"{'x'.join(map(str, spec.image_shape))}, {size:,} parameters, "
        f"mean {_text(spec.mean)}, std {_text(spec.std)}, "
        f"sha256 {models.model_hash(model)[:16]}"
    )


def _kind(spec: models.ModelSpec) -> str:
    if not models.gives_images(spec):
        return f"{spec.num_classes} classes"
    return f"denoiser for sigma {spec.origin.get('sigma', 'unknown')}"


def _numbers(name, kind):
    """The numbers of a flag like 0.5,0.5,0.5; None where the flag is not given."""
    text = FLAGS[name].value
    if text is None:
        return None
    try:
        return tuple(kind(item) for item in text.split(","))
    except ValueError as error:
        shown = "32,32,3" if kind is int else "0.5,0.5,0.5"
        raise InputError(
            f"--{name}={text}: expected numbers with commas between, like {shown}"
        ) from error


def _text(values):
    return ",".join(f"{value:.5g}" for value in values)


if __name__ == "__main__":
    _main.run(main)
