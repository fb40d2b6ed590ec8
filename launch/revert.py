r"""Tries to undo a protection: Preemptive Reversion, the white-box diagnostic.

    python -m launch.revert --source=folder:PROTECTED --surrogate=CKPT --eps=8/255 \
        --labeler=CKPT2 --original=digits:test --out=OUT

takes the output of protect and writes reverted images to OUT/images. The attacker is
given everything but the key. Three rows belong in every report: an unaware attacker;
reversion with the surrogate that protected; reversion with another surrogate.
"""

from launch import _main
from mspd_jax import jobs

if __name__ == "__main__":
    _main.run_job(jobs.Revert)
