r"""Certifies a classifier: under noise, against all small changes; or against a patch.

    python -m launch.certify --source=tfds:cifar10:test --every=20 --target=CKPT \
        --method=denoised --denoiser=DENOISER --sigma=0.25 --out=OUT
    python -m launch.certify ... --query=https://host/path --num_classes=10 --out=OUT
    python -m launch.certify --source=SOURCE --target=CKPT --method=scalecert \
        --patch=5 --out=OUT

With noise (smoothing, denoised), each image gets a class and an l2 radius, wrong with
probability at most --alpha, or an abstention; records.jsonl holds its votes,
summary.json the share certified at radii .25 to 1.5. With --query the classifier is
asked over a network, as a program or as a Python function; OUT/queries.jsonl then holds
its answers, and --offline --query_log=OUT with another --out certifies from them
without asking.

Against a square patch of any content at any place (scalecert, minority), each image
gets a class, perhaps an alert, and is certified if no patch can bring about another
class without an alert; patchcleanser recovers the class without alerts. records.jsonl
holds the windows that were asked and what they said. Networks for it are trained with
train_classifier --occlude. Interrupted, the same command goes on, and asks nothing
twice.
"""

from launch import _main
from mspd_jax import jobs

if __name__ == "__main__":
    _main.run_job(jobs.Certify)
