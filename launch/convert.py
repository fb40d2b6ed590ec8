r"""Turns a PyTorch checkpoint into one that every job here can read.

    python -m launch.convert --list --dataset=cifar10 --threat=Linf
    python -m launch.convert --torch=FILE --model=Carmon2019Unlabeled --out=CKPT
    python -m launch.convert --torch=M0,M1,M2 --model=Chen2020Adversarial --out=CKPT
    python -m launch.convert --torch=resnet20.th --arch=resnet20 --out=models/resnet20

A file, of PyTorch or safetensors, holds a state dict, with or without `state_dict`,
`model` or `net` around it and `module.` before the names. Nothing in it is executed.
The table of published models (--list) says all that a file does not; for any other,
--arch names the architecture (docs/models.md). Then use it anywhere a model is asked
for: `--target=models/resnet20`.
Seconds on one CPU core. PyTorch files need PyTorch (pip install 'mspd_jax[torch]').
"""

import sys

from launch import _main, _show
from mspd_jax import jobs

_OUT = "checkpoint folder to write"
_LIST = "print the published models, and write nothing (--list --help says of which)"

if __name__ == "__main__":
    switches = {"list": _LIST}
    if "--list" in sys.argv:
        show = _show.published
        _main.run_job(jobs.ListPublished, show=show, default_out="", switches=switches)
    else:
        _main.run_job(jobs.Convert, show=_show.checkpoint, out=_OUT, switches=switches)
