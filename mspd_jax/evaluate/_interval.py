"""How far a measured share may be from the true one."""

from statistics import NormalDist

import numpy as np


def wilson_interval(successes, n, *, confidence=0.95) -> tuple[np.ndarray, np.ndarray]:
    """Two-sided interval for the probability behind `successes` out of `n`.

    The true probability p is inside in about `confidence` of all repetitions:
        |p - s/n| <= z sqrt(p (1 - p) / n),    z = Phi^-1((1 + confidence) / 2),
    solved for p. Unlike s/n +- z * error it stays in [0, 1] and has a width at s = 0
    and s = n. It is approximate: for tables, never for certificates.

    successes, n: counts, int or arrays that broadcast. Computed on the host in float64;
    n = 0 says nothing and gives (0, 1). Returns (low, high). Wilson 1927.
    """
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence must be between 0 and 1; got {confidence}")
    successes, n = np.asarray(successes, np.float64), np.asarray(n, np.float64)
    if np.any(successes < 0) or np.any(successes > n):
        raise ValueError(f"successes must be in 0..n; got {successes} of {n}")
    z = NormalDist().inv_cdf((1.0 + confidence) / 2.0)
    total = np.maximum(n, 1.0)
    share = successes / total
    center = (share + z**2 / (2 * total)) / (1 + z**2 / total)
    spread = np.sqrt(share * (1 - share) / total + (z / (2 * total)) ** 2)
    half = z * spread / (1 + z**2 / total)
    # Exact ends: rounding may leave 1e-17 where the algebra gives 0 or 1.
    low = np.where(successes == 0, 0.0, center - half)
    high = np.where(successes == n, 1.0, center + half)
    return np.where(n == 0, 0.0, low), np.where(n == 0, 1.0, high)


def rounded_interval(successes: int, n: int) -> list[float] | None:
    """As summaries hold the 95 % interval of a share: four digits; None of nothing."""
    if n == 0:
        return None
    return [round(float(end), 4) for end in wilson_interval(successes, n)]
