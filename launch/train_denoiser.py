r"""Trains a denoiser for denoised smoothing, which goes in front of a fixed classifier.

    python -m launch.train_denoiser --source=tfds:cifar10:train --sigma=0.25 \
        --objective=mse --eval_source=tfds:cifar10:test --out=MSE
    python -m launch.train_denoiser ... --objective=stab --classifier=CKPT --init=MSE

mse needs images alone; stab makes the prediction on the restored image that on the
clean one (several classifiers, separated by commas, stand in for a black box); clf uses
true labels. diffusion trains a diffusion model (--arch=ddpm), which is a denoiser for
every sigma; --sigma is what it is measured on. Writes OUT/model (for certify
--denoiser; a denoiser knows its sigma), OUT/metrics.jsonl and OUT/summary.json. All
devices share a batch. Interrupted, the same command goes on and ends with the same
weights.
"""

from launch import _main
from mspd_jax import jobs

if __name__ == "__main__":
    _main.run_job(jobs.TrainDenoiser)
