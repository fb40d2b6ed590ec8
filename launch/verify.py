r"""Attacks pictures and their originals, and says in words what changed.

    python -m launch.verify --source=OUT
    python -m launch.verify --source=protected.png --original=photo.jpg
    python -m launch.verify --source=OUT --survive=jpeg:85,resize:0.5,crop:0.9

An attacker who may change each pixel by --eps (8/255) tries to make a model see
something else, in the whole picture and in a box at each corner. Without --original
there is no before. Nothing is written.
"""

from launch import _main, _show
from mspd_jax import jobs

if __name__ == "__main__":
    _main.run_job(jobs.Verify, show=_show.verified, default_out="")
