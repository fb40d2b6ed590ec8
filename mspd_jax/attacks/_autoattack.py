"""AutoAttack on one image (Croce and Hein 2020, arXiv 2003.01690)."""

import jax

from mspd_jax.attacks._compose import average_draws, worst_case
from mspd_jax.attacks._proposal import Predict, Proposal
from mspd_jax.attacks._registry import ATTACKS
from mspd_jax.attacks._resolve import resolve_attack
from mspd_jax.attacks._suites import SUITES

_VERSIONS = {
    "standard": "autoattack",
    "plus": "autoattack-plus",
    "rand": "autoattack-rand",
    "fast": "autoattack-fast",
}


def autoattack(
    key: jax.Array,
    predict: Predict,
    image: jax.Array,
    label: jax.Array,
    *,
    eps: float | jax.Array,
    norm: str = "linf",
    version: str = "standard",
    steps: int = 100,
    queries: int = 5000,
) -> Proposal:
    """The worst of four attacks: APGD-CE, targeted APGD, targeted FAB and Square.

        argmax over the proposals of margin(predict(x), label)

    All of them run, whether one before has succeeded or not (`worst_case`). Over a data
    set, `evaluate.assess(..., attack="autoattack")` drops the images that have fallen
    in between, attempt by attempt, and is several times as fast.

        attack = jax.jit(functools.partial(attacks.autoattack, eps=8 / 255))
        attack(jax.random.key(0), predict, image, label).loss > 0    # misclassified

    Args:
      key: one PRNG key; attack number i draws from fold_in(key, i).
      predict: [H, W, C] -> [K], a callable pytree.
      image: [H, W, C] in [0, 1].
      label: int [].
      eps: radius of the ball in pixels, traced.
      norm: "linf", "l2" or "l1"; static.
      version: "standard"; "plus", six attacks with restarts; "rand", for a
        randomized model: two, 20 draws per gradient; or "fast", `malt` alone. Static.
      steps: of APGD and FAB, static.
      queries: of Square, static.

    Returns:
      A Proposal; `loss` is the margin, above zero where the image is misclassified.
    """
    if version not in _VERSIONS:
        known = ", ".join(_VERSIONS)
        raise ValueError(f"version must be one of {known}; got {version!r}")
    suite = SUITES[_VERSIONS[version]](norm)
    counts: dict[str | None, int] = {"steps": steps, "queries": queries}
    parts = []
    for name, options in suite.attacks.items():
        counted = ATTACKS[name].count
        options = options | {counted: counts[counted]}
        parts.append(resolve_attack(name, eps=eps, norm=norm, **options))
    if suite.draws > 1:
        parts = [average_draws(part, draws=suite.draws) for part in parts]
    return worst_case(tuple(parts))(key, predict, image, label)
