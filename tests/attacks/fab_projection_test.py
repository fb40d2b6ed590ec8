"""The nearest point of a plane in the box, against SciPy's solvers."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from scipy import optimize

from mspd_jax.attacks._boundary import Plane
from mspd_jax.attacks._fab_projection import step_to_plane

SHAPE = (2, 2, 2)
CASES = 40
ORDER = {"linf": np.inf, "l2": 2, "l1": 1}


def problems(seed=0):
    """Points, some pixels black or white; normals, some entries zero or equal."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-0.2, 1.2, (CASES, 8)).clip(0, 1)
    normal = rng.normal(size=(CASES, 8)) * 10.0 ** rng.uniform(-2, 0, (CASES, 8))
    normal[rng.uniform(size=normal.shape) < 0.15] = 0.0
    normal[:10, :4] = np.sign(normal[:10, :4]) * 0.5
    normal /= np.abs(normal).max(axis=1, keepdims=True)
    # Between a little and all of what can be gained; a third of them more than that.
    sign = rng.choice([-1.0, 1.0], CASES)
    all_of_it = np.sum(np.abs(normal) * room_of(x, normal, sign), axis=1)
    value = sign * all_of_it * rng.uniform(0.01, 1.5, CASES)
    return [a.astype(np.float32) for a in (x, value, normal)]


def room_of(x, normal, value):
    up = normal * np.sign(value)[:, None] < 0
    return np.where(normal == 0, 0.0, np.where(up, 1 - x, x))


def solve(norm, x, value, normal):
    """The norm of the smallest change, in float64."""
    ones = np.ones(8)
    if norm == "l2":
        got = optimize.minimize(
            lambda d: d @ d,
            0 * x,
            jac=lambda d: 2 * d,
            bounds=np.stack([-x, 1 - x], axis=1),
            constraints={"type": "eq", "fun": lambda d: value + normal @ d},
            method="SLSQP",
            options={"ftol": 1e-10, "maxiter": 500},
        )
        assert got.success, got.message
        return np.sqrt(got.fun)
    if norm == "linf":  # variables d, t
        got = optimize.linprog(
            np.append(0 * x, 1.0),
            A_ub=np.block([[np.eye(8), -ones[:, None]], [-np.eye(8), -ones[:, None]]]),
            b_ub=np.zeros(16),
            A_eq=np.append(normal, 0.0)[None],
            b_eq=[-value],
            bounds=[*zip(-x, 1 - x, strict=True), (0, None)],
        )
    else:  # variables up, down
        got = optimize.linprog(
            np.append(ones, ones),
            A_eq=np.append(normal, -normal)[None],
            b_eq=[-value],
            bounds=[(0, b) for b in np.append(1 - x, x)],
        )
    assert got.status == 0, got.message
    return got.fun


def run(norm, x, value, normal):
    def one(x, value, normal):
        return step_to_plane(x, Plane(value, normal), norm=norm)

    images = (x.reshape(-1, *SHAPE), value, normal.reshape(-1, *SHAPE))
    return np.asarray(jax.jit(jax.vmap(one))(*images), np.float64).reshape(len(x), -1)


class AgainstScipyTest(parameterized.TestCase):
    @parameterized.parameters(*ORDER)
    def test_smallest_change_or_as_near_as_the_box_allows(self, norm):
        x, value, normal = problems()
        change = run(norm, x, value, normal)
        x, value, normal = (a.astype(np.float64) for a in (x, value, normal))
        room = room_of(x, normal, value)
        feasible = np.abs(value) <= np.sum(np.abs(normal) * room, axis=1)
        self.assertBetween(np.sum(feasible), CASES // 2, CASES - 5)
        left = value + np.sum(normal * change, axis=1)
        np.testing.assert_allclose(left[feasible], 0.0, atol=2e-6)
        # Never past the plane.
        self.assertGreater(np.min(left * np.sign(value)), -1e-6)
        self.assertGreater(np.min(x + change), -1e-7)
        self.assertLess(np.max(x + change), 1.0 + 1e-7)
        for case in np.flatnonzero(feasible):
            want = solve(norm, x[case], value[case], normal[case])
            got = np.linalg.norm(change[case], ORDER[norm])
            np.testing.assert_allclose(got, want, rtol=2e-5, atol=2e-6)
        # Out of reach: every pixel with a say at its end of the box.
        end = -np.sign(normal * value[:, None]) * room
        np.testing.assert_allclose(change[~feasible], end[~feasible], atol=1e-7)

    @parameterized.parameters(*ORDER)
    def test_large_images_with_weights_over_six_decades(self, norm):
        # The optimality conditions in float64, since 3072 pixels are slow for SciPy.
        rng = np.random.default_rng(1)
        size = 3072
        x = rng.uniform(size=(4, size)).astype(np.float32)
        normal = rng.choice([-1, 1], (4, size)) * 10.0 ** rng.uniform(-6, 0, (4, size))
        normal = normal.astype(np.float32)
        room = room_of(x, normal, np.ones(4))
        weight = np.abs(normal).astype(np.float64)
        share = np.array([0.001, 0.3, 0.9, 0.999])
        value = share * np.sum(weight * room, axis=1)
        images = (x.reshape(4, 32, 32, 3), value.astype(np.float32))
        got = jax.vmap(lambda x, v, n: step_to_plane(x, Plane(v, n), norm=norm))(
            *images, normal.reshape(4, 32, 32, 3)
        )
        move = np.abs(np.asarray(got, np.float64)).reshape(4, size)
        gained = np.sum(weight * move, axis=1)
        np.testing.assert_allclose(gained, value, rtol=3e-6)
        for row in range(4):
            free = move[row] < room[row] * (1 - 1e-6)
            if norm == "l1":  # those that are not full weigh no more than those moved
                moved = move[row] > 0
                self.assertLessEqual(weight[row][free].max(), weight[row][moved].min())
                continue
            rate = move[row] / (weight[row] if norm == "l2" else 1.0)
            limit = rate[free].max()  # one multiplier for all that are not full
            np.testing.assert_allclose(rate[free], limit, rtol=1e-5)
            self.assertLessEqual(np.max(rate[~free], initial=0.0), limit * (1 + 1e-5))

    @parameterized.parameters(*ORDER)
    def test_flat_plane_and_plane_through_the_point(self, norm):
        x = np.full(SHAPE, 0.3, np.float32)
        flat = step_to_plane(x, Plane(jnp.float32(-1.0), jnp.zeros(SHAPE)), norm=norm)
        there = step_to_plane(x, Plane(jnp.float32(0.0), jnp.ones(SHAPE)), norm=norm)
        np.testing.assert_array_equal(flat, 0.0)
        np.testing.assert_array_equal(there, 0.0)

    def test_unknown_norm(self):
        plane = Plane(jnp.float32(0.0), jnp.ones(SHAPE))
        with self.assertRaisesRegex(ValueError, "norm must be one of"):
            step_to_plane(jnp.ones(SHAPE), plane, norm="l0")
