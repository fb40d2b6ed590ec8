"""Measuring a model on images, as they are and under attack, with checks."""

import dataclasses
import pathlib
from typing import ClassVar

from mspd_jax import attacks, defenses, drive
from mspd_jax.jobs._foreign import MODEL_NAMES
from mspd_jax.jobs._images import Shardable
from mspd_jax.jobs._machine import Machine
from mspd_jax.jobs._measure import load_inputs, measured
from mspd_jax.jobs._measure_programs import evaluation_programs, run_checks
from mspd_jax.jobs._option import option
from mspd_jax.jobs._precise import precision_option
from mspd_jax.jobs._result import Result
from mspd_jax.jobs._values import ModelInput, Radius, SourceInput


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluation(Shardable):
    """The fields that one evaluation and a grid of them share."""

    MACHINE: ClassVar[Machine] = Machine()

    surrogate: ModelInput | None = option(
        None, help="the model whose gradients the attacks named transfer:NAME follow"
    )
    norm: str = option(
        "linf", help="norm of the perturbation ball", choices=tuple(attacks.NORMS)
    )
    attack: str = option(
        "pgd-20",
        help=f"none, an attack or a list: {attacks.known_attacks()}; pgd-20x5 means "
        "20 steps and 5 restarts; with transfer: in front, as in transfer:pgd-20, an "
        "attack is run against the surrogate; with the name of another view (see "
        "adaptive) against that",
    )
    defense: str | None = option(
        None,
        help="what stands in front of the target, from left to right as the image "
        f"meets it: {defenses.known_defenses()}",
    )
    adaptive: bool = option(
        True,
        help="with a defense, attack it as somebody who knows of it does: every attack "
        "on the model without it (static:), through it, and through it with the "
        "gradient of the identity (bpda:; unmasked: for those defenses alone that hide "
        "theirs), of a constant gradient map (detached:) or of the mean over draws "
        "(eot:), with scores alone, and from the surrogate (transfer:); without it, as "
        "the attacks are named",
    )
    each_alone: bool = option(
        False,
        help="let every attack meet every image that was right, not only what the "
        "attacks before it left: slower, but each attack's accuracy is then its own",
    )
    eight_bit: bool = option(
        False, help="decide about attacked images as 8-bit files would hold them"
    )
    precision: str = precision_option()
    adversarial: SourceInput | None = option(
        None,
        help="a source of images attacked elsewhere, by index: they are projected into "
        "the ball and decided like any attack, under the name 'given'",
    )
    check_images: int = option(
        32,
        help="images that the reliability checks look at, 0 for no checks",
        lower=0,
    )
    clean_gate: float = option(
        0.5,
        help="clean accuracy that the model is known to reach: below it, the numbers "
        "are marked as unreliable",
        lower=0.0,
        upper=1.0,
    )
    save_images: bool = option(
        False, help="write the attacked images to OUT/adversarial"
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluate(Evaluation):
    """Clean and robust accuracy of a model on a source, and checks of the numbers.

    Example:
      result = jobs.Evaluate(
          target="CKPT", source="digits:test", attack="autoattack", eps=0.1
      ).run("OUT")
      print(result.summary.robust_accuracy, result.summary.robust_interval)

    `target` may be any function from one image [H, W, C] to its logits, and `source` a
    `data.Source`.
    """

    target: ModelInput = option(help=f"the model that is measured: {MODEL_NAMES}")
    eps: Radius | None = option(
        None,
        help="radius of the perturbation ball for pixels in [0, 1]: 8/255 or 0.031",
    )
    purify: str | None = option(
        None, help="a defense to put in front of everything else"
    )

    def run(
        self, out: str | pathlib.PurePath, machine: Machine | None = None
    ) -> Result:
        """Attacks every image; the same call goes on where it was interrupted.

        Returns:
          A `Result` of `EvaluateSummary` and `EvaluateRecord`s.
        """
        inputs = load_inputs(self)
        return measured(self, out, machine or self.MACHINE, inputs)[0]

    def programs(self, machine: Machine | None = None) -> list[drive.Program]:
        """The programs of the attacks that `run` has compiled."""
        machine = machine or self.MACHINE
        return evaluation_programs(self, machine, load_inputs(self))

    def check(self) -> bool:
        """Runs the reliability checks alone; whether there are any."""
        return run_checks(self, load_inputs(self))
