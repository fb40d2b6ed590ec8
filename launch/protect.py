r"""Protects images before they are released (MSPD, arXiv 2407.15524).

    python -m launch.protect --source=folder:PHOTOS --surrogate=CKPT --eps=8/255 \
        --labeler=CKPT2 --out=OUT

writes every protected image as an 8-bit PNG into OUT/images, under its own name, and
OUT/records.jsonl with the distances measured on the written files. The surrogate must
be adversarially trained, or nothing transfers; the labeler should be accurate.
Interrupted, the same command goes on where it stopped.
"""

from launch import _main
from mspd_jax import jobs

if __name__ == "__main__":
    _main.run_job(jobs.Protect)
