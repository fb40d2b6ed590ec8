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

from launch import _main
from mspd_jax import jobs, models


def show(made: jobs.Converted) -> int:
    """Prints one line on the checkpoint."""
    spec = made.spec
    kind = f"{spec.num_classes} classes"
    if models.gives_images(spec):
        kind = f"denoiser for sigma {spec.origin.get('sigma', 'unknown')}"
    mean, std = (",".join(f"{x:.5g}" for x in xs) for xs in (spec.mean, spec.std))
    print(
        f"wrote {made.folder}: {spec.architecture}, {kind}, images "
        f"{'x'.join(map(str, spec.image_shape))}, {made.parameters:,} parameters, "
        f"mean {mean}, std {std}, sha256 {made.digest[:16]}"
    )
    return 0


if __name__ == "__main__":
    _main.run_job(jobs.Convert, show=show, out="checkpoint folder to write")
