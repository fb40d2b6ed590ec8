"""PyTorch as fast as it gets: threads, layout of memory, compiled or not, batches."""

import itertools
import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from benchmarks import _measure
from mspd_jax.errors import first_line

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
# As JAX is asked to (JAX_DEFAULT_MATMUL_PRECISION=highest): no float32 of 10 bits.
torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False


class Way(NamedTuple):
    """How PyTorch may be used. images: how many go through the network at once."""

    channels_last: bool
    compiled: bool
    images: int

    def __str__(self) -> str:
        words = "compiled" if self.compiled else "eager"
        words += ", channels last" * self.channels_last
        return f"{words}, {self.images} at once"

    def network(self, network: nn.Module) -> Callable:
        """The network, in this layout, to be called with images."""
        network = network.to(DEVICE, memory_format=self._layout)
        # Shapes are known: as generated for them alone.
        return torch.compile(network, dynamic=False) if self.compiled else network

    def batches(self, images: np.ndarray, *others: np.ndarray) -> list[tuple]:
        """NHWC images, and what goes with them, as tensors of a pass each."""
        x = torch.from_numpy(images).permute(0, 3, 1, 2)
        x = x.to(DEVICE).contiguous(memory_format=self._layout)
        rest = [torch.from_numpy(np.array(other)).to(DEVICE) for other in others]
        parts = [tensor.split(self.images) for tensor in (x, *rest)]
        return list(zip(*parts, strict=True))

    @property
    def _layout(self) -> torch.memory_format:
        return torch.channels_last if self.channels_last else torch.contiguous_format


def fastest(
    make: Callable[[Way], Callable[[], object]],
    *,
    sizes: Sequence[int],
    seconds: float = 2.0,
    compiled: bool = True,
) -> tuple[Way, Callable[[], object]]:
    """The fastest way to do something, and the program that does it so.

    make: what to do, in a way -> a program. sizes: images at once, to be tried. All
    ways are printed, as comments of Markdown, each at its shortest; the number of
    threads is the best of eager PyTorch and stays set. compiled: try that, too; where
    it fails, so much is printed.
    """
    cores = os.cpu_count() or 1
    plain, trials = _waiting(make(Way(False, False, sizes[-1]))), {}
    for threads in sorted({1, max(1, cores // 2), cores}):
        torch.set_num_threads(threads)
        trials[threads] = _shortest(plain, seconds)
    threads = min(trials, key=lambda n: trials[n])
    torch.set_num_threads(threads)
    found = {}
    words = (False, True) if compiled else (False,)
    for way in itertools.starmap(Way, itertools.product((False, True), words, sizes)):
        program = _waiting(make(way))
        try:
            found[way] = _shortest(program, seconds), program
        except Exception as error:
            if not way.compiled:
                raise
            print(f"<!-- PyTorch, {way}: fails, {first_line(error)} -->")
            continue
        milliseconds = 1e3 * found[way][0]
        print(f"<!-- PyTorch, {way}: {milliseconds:.1f} ms, {threads} threads -->")
    best = min(found, key=lambda way: found[way][0])
    return best, found[best][1]


def _waiting(program):
    """The program, back when the device has done all of it."""
    if DEVICE == "cpu":
        return program

    def done():
        result = program()
        torch.cuda.synchronize()
        return result

    return done


def _shortest(program, seconds):
    program()  # compiles
    return _measure.time_alone(program, seconds=seconds).shortest
