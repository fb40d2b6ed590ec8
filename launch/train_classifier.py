r"""Trains a classifier: plainly, on noise, or adversarially.

    python -m launch.train_classifier --source=digits:train --eval_source=digits:test \
        --arch=small_cnn --adversarial=fgsm --eps=0.15 --out=OUT

writes OUT/model (a checkpoint for --surrogate and --target), OUT/metrics.jsonl (a line
per epoch) and OUT/summary.json. --init=CKPT goes on from a checkpoint. All devices
share a batch. Interrupted, the same command goes on and ends with the same weights.
"""

from launch import _main
from mspd_jax import jobs

if __name__ == "__main__":
    _main.run_job(jobs.TrainClassifier)
