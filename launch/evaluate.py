r"""Measures models on images, as they are and under attack, and checks the numbers.

    python -m launch.evaluate --source=folder:PROTECTED --target=CKPT \
        --attack=autoattack --eps=8/255 --out=OUT

The images may be the output of protect: they are read back from disk, and attacks
start from them. summary.json holds the worst case over the attacks first, and what each
reliability check measured; a defense has survived these attacks and no others.
AutoAttack on 256 CIFAR-10 images and a ResNet-20 takes minutes on two CPU cores.

With --defense the target stands behind one, and meets attackers who know of it:
claimed_accuracy is what attacks leave in the way that the defense was published,
robust_accuracy what all of them leave. --purify=none,jpeg:75,bits:5 compares purifiers.
"""

from launch import _main, _show
from mspd_jax import jobs

if __name__ == "__main__":
    _main.run_job(jobs.EvaluateGrid, show=_show.cells, method="cells")
