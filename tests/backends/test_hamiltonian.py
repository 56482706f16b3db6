"""What `torch.hmc` and `torch.nuts` stand on: dynamics, U-turns and trees, tuning; transitions keep their target."""

from __future__ import annotations

import importlib
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy import special, stats

from bench.measure.runtime import runtime_of
from bench.types import Diverged, Place

pytestmark = pytest.mark.needs("torch", "numpyro")

torch = importlib.import_module("torch")
hamiltonian = importlib.import_module("backends.torch.hamiltonian")
adaptation = importlib.import_module("backends.torch.adaptation")
tree = importlib.import_module("backends.torch.tree")
hmc = importlib.import_module("backends.torch.hmc")
chees = importlib.import_module("backends.torch.chees")
hmc_util = importlib.import_module("numpyro.infer.hmc_util")

gradients = importlib.import_module("backends.torch.gradients")

COVARIANCE = np.array([[1.0, 0.9], [0.9, 2.0]])
PRECISION = torch.tensor(np.linalg.inv(COVARIANCE))


@pytest.fixture(autouse=True)
def started() -> None:
    runtime_of("torch").start(Place())


@pytest.fixture
def generator() -> Any:
    return torch.Generator().manual_seed(1)


def quartic(z: Any) -> Any:
    """exp(−z⁴/4) in every coordinate: no harmonic oscillator, whose dynamics hide mistakes."""
    return -0.25 * z.pow(4).sum(-1)


def normal(z: Any) -> Any:
    return -0.5 * torch.linalg.vecdot(z @ PRECISION, z)


def quartic_draws(size: tuple[int, ...], rng: np.random.Generator) -> Any:
    """|z|⁴/4 is Gamma(1/4, 1)."""
    return torch.tensor(rng.choice([-1.0, 1.0], size) * (4 * rng.gamma(0.25, size=size)) ** 0.25)


def quartic_cdf(x: Any) -> Any:
    return 0.5 + 0.5 * np.sign(x) * special.gammainc(0.25, x**4 / 4)


def target_of(density: Any) -> Any:
    """With its gradient by autograd."""
    return hamiltonian.Target(gradients.by_autograd(density))


def flow(z: Any, p: Any, step: float, steps: int, scale: Any = None) -> tuple[Any, Any, Any]:
    """Positions, momenta and the largest energy error after some leapfrog steps of the quartic target."""
    target, drift = target_of(quartic), torch.full_like(z, step) * (1.0 if scale is None else scale)
    point = target(z)
    start, worst = hamiltonian.log_joint(point.value, p), 0.0
    for _ in range(steps):
        point, p = hamiltonian.leapfrog(target, point, p, 0.5 * drift, drift)
        worst = max(worst, float((hamiltonian.log_joint(point.value, p) - start).abs().max()))
    return point.z, p, worst


def phase(rng: np.random.Generator, chains: int = 5, dim: int = 2) -> tuple[Any, Any]:
    return quartic_draws((chains, dim), rng), torch.tensor(rng.standard_normal((chains, dim)))


def test_leapfrog_is_reversible_and_keeps_volume() -> None:
    rng = np.random.default_rng(0)
    z, p = phase(rng)
    scale = torch.tensor(rng.uniform(0.5, 2.0, z.shape))
    there = flow(z, p, 0.1, 50, scale)
    back = flow(there[0], -there[1], 0.1, 50, scale)
    # A hundred steps, each rounding at 1e-16 and amplified by the flow no more than some thousandfold.
    torch.testing.assert_close(back[0], z, rtol=0, atol=1e-11)
    torch.testing.assert_close(-back[1], p, rtol=0, atol=1e-11)
    columns, h = [], 1e-5
    for i in range(4):
        nudge = h * torch.eye(4, dtype=z.dtype)[i]
        ends = [
            torch.cat(flow(z[:1] + s * nudge[:2], p[:1] + s * nudge[2:], 0.3, 5, scale[:1])[:2], 1) for s in (1, -1)
        ]
        columns.append((ends[0] - ends[1])[0] / (2 * h))
    assert float(torch.linalg.det(torch.stack(columns))) == pytest.approx(1.0, abs=1e-6)  # central differences: h²


def test_the_energy_error_falls_with_the_square_of_the_step() -> None:
    z, p = phase(np.random.default_rng(1))
    errors = [flow(z, p, 2.0 / n, n)[2] for n in (40, 80, 160)]
    for coarse, fine in pairwise(errors):
        assert coarse / fine == pytest.approx(4.0, rel=0.1)  # the next order is (step)⁴, at most 0.05² of the first


def test_a_circle_turns_after_half_its_period() -> None:
    """Momenta at equal distances on a circle: their sum points to the middle, so a stretch turns beyond π exactly."""
    for angle, expected in ((0.1, False), (3.1, False), (np.pi - 1e-9, False), (np.pi + 1e-9, True), (3.2, True)):
        at = torch.linspace(0.0, angle, 9, dtype=torch.float64)
        p = torch.stack((-torch.sin(at), torch.cos(at)), 1).unsqueeze(1)
        assert bool(tree.turning([(p[0], p[-1], p.sum(0))])) is expected


def criterion(p: list[Any]) -> bool:
    """Whether no U-turn is in a stretch of 2^k leaves, by recursion: Betancourt's criterion and those at the seam."""
    if len(p) == 1:
        return True
    half = len(p) // 2
    total, left, right = sum(p), sum(p[:half]), sum(p[half:])

    def straight(first: Any, last: Any, total: Any) -> bool:
        return bool(first @ total > 0 and last @ total > 0)

    return (
        straight(p[0], p[-1], total)
        and straight(p[0], p[half], left + p[half])
        and straight(p[half - 1], p[-1], right + p[half - 1])
    )


def recursive(p: list[Any], first: int, size: int) -> tuple[bool, int]:
    """Whether the subtree is whole, and how many of its leaves it took to know."""
    if size == 1:
        return True, 1
    whole, taken = recursive(p, first, size // 2)
    if not whole:
        return False, taken
    whole, more = recursive(p, first + size // 2, size // 2)
    if not whole:
        return False, taken + more
    return criterion(p[first : first + size]), size


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_a_doubling_stops_where_recursion_stops(depth: int) -> None:
    """Of many chains at once, against a subtree built recursively from one chain's own leaves."""
    chains = 60
    z, p = phase(np.random.default_rng(2), chains)
    target, kick = target_of(quartic), torch.full_like(z, 0.5 * 0.35)
    point = target(z)
    begin, start = torch.stack((z, point.slope, p), 1), hamiltonian.log_joint(point.value, p)
    grown = tree.grow(target, begin, start, kick, depth=depth, alive=torch.ones(chains, dtype=torch.bool))
    momenta = [one.numpy() for one in grown.p]
    momenta += [momenta[-1]] * (2**depth - len(momenta))  # never looked at: all chains have stopped by then
    expected = [recursive([p[i] for p in momenta], 0, 2**depth) for i in range(chains)]
    assert grown.alive[-1].tolist() == [whole for whole, _ in expected]
    assert torch.stack(grown.alive[:-1]).sum(0).tolist() == [taken for _, taken in expected]
    assert 0 < sum(whole for whole, _ in expected) + (depth == 5) < chains + (depth == 1)  # both kinds are there


class Recording(hamiltonian.Target):
    """A target that remembers where it was evaluated."""

    def __init__(self, density: Any) -> None:
        super().__init__(density)
        self.seen: list[Any] = []

    def __call__(self, z: Any) -> Any:
        self.seen.append(z)
        return super().__call__(z)


def visited(p: dict[int, Any], forward: list[bool]) -> list[int]:
    """The leaves of one chain's trajectory in the order they are reached, 0 its start, by Stan's recursion."""
    low = high = 0
    order: list[int] = []
    for depth, ahead in enumerate(forward):
        size = 2**depth
        new = list(range(high + 1, high + size + 1) if ahead else range(low - 1, low - size - 1, -1))
        whole, taken = recursive([p[i] for i in new], 0, size)
        order += new[:taken]
        if not whole:
            break
        old = list(range(low, high + 1) if ahead else range(high, low - 1, -1))
        low, high = min(low, *new), max(high, *new)
        if not criterion([p[i] for i in old + new]):
            break
    return order


def test_a_trajectory_is_the_one_of_recursion() -> None:
    """Leaf by leaf, for chains of their own seeds, on a stretch of the flow integrated beforehand both ways."""
    target, reach, lengths = Recording(gradients.by_autograd(quartic)), 2**6, []
    scale = torch.tensor([[1.0, 0.5, 0.2]], dtype=torch.float64)
    for seed in range(24):
        step = 0.2 + 0.15 * (seed % 4)
        z, _ = phase(np.random.default_rng(seed), chains=1, dim=3)
        generator = torch.Generator().manual_seed(seed)
        p = torch.randn(z.shape, generator=generator, dtype=z.dtype)
        forward = (torch.rand((2, 6, 1), generator=generator, dtype=z.dtype)[0] < 0.5)[:, 0].tolist()
        at, momenta = {0: z}, {0: p[0]}
        for sign in (1, -1):
            for i in range(sign, sign * reach, sign):
                at[i], there, _ = flow(at[i - sign], momenta[i - sign][None], sign * step, 1, scale)
                momenta[i] = there[0]
        order = visited(momenta, forward)
        tuning = hamiltonian.Tuning(torch.tensor([step], dtype=z.dtype), scale, True)
        point, target.seen = target(z), []
        found = tree.transition(target, point, tuning, max_depth=6, generator=torch.Generator().manual_seed(seed))
        torch.testing.assert_close(torch.cat(target.seen), torch.cat([at[i] for i in order]), rtol=0, atol=1e-9)
        assert int(found.steps) == len(order)
        assert any(torch.allclose(found.point.z, at[i], rtol=0, atol=1e-9) for i in [0, *order])
        lengths.append(len(order))
    whole = [2**k - 1 for k in range(1, 7)]
    assert 2 < sum(length in whole for length in lengths) < 22  # some stop within a doubling, some at its end


def test_a_fixed_trajectory_is_the_flow_of_its_length() -> None:
    z, _ = phase(np.random.default_rng(5), chains=30)
    step = torch.linspace(0.05, 0.3, 30, dtype=z.dtype)
    generator = torch.Generator().manual_seed(5)
    p = torch.randn(z.shape, generator=generator, dtype=z.dtype)
    length = 2.0 * (0.5 + float(torch.rand(31, generator=generator, dtype=z.dtype)[0]))
    found = hmc._move(
        hmc.Options(trajectory=2.0, max_steps=20), target_of(quartic), target_of(quartic)(z),
        hamiltonian.Tuning(step, torch.ones_like(z), True), torch.Generator().manual_seed(5),
    )  # fmt: skip
    expected = [min(20, round(length / float(one))) for one in step]
    assert found.steps.tolist() == expected and max(expected) == 20 and len(set(expected)) > 5
    moved = (found.point.z != z).any(1)
    assert int(moved.sum()) > 20
    for i in np.flatnonzero(moved.numpy()):
        end, _, _ = flow(z[i : i + 1], p[i : i + 1], float(step[i]), expected[i])
        torch.testing.assert_close(found.point.z[i : i + 1], end, rtol=0, atol=1e-10)


def test_leaves_are_picked_in_proportion_to_their_weights(generator: Any) -> None:
    weights = torch.tensor([-1.0, 0.5, -3.0, 0.0], dtype=torch.float64)
    chains = 40_000
    points = [hamiltonian.Point(torch.full((chains, 1), float(i)), torch.zeros(chains), torch.zeros(chains, 1))
              for i in range(4)]  # fmt: skip
    picked = tree.pick(tree.Subtree(points, [], [], [], []), weights[:, None].expand(4, chains), generator)
    counts = np.bincount(picked[0][:, 0, 0].long().numpy(), minlength=4)
    assert stats.chisquare(counts, chains * torch.softmax(weights, 0).numpy()).pvalue > 1e-4
    torch.testing.assert_close(picked[2], weights[picked[0][:, 0, 0].long()])


MOVES = {
    "nuts": partial(tree.transition, max_depth=10),
    "nuts, cut off": partial(tree.transition, max_depth=2),
    "hmc": lambda target, point, tuning, generator: hmc._move(hmc.Options(), target, point, tuning, generator),
    "chees": lambda target, point, tuning, generator: chees._move(
        20, target, point, chees.Tuned(float(tuning.step.mean()), 1.7, tuning.scale[0], turn=2), generator
    ),
}


@pytest.mark.parametrize("step", [0.3, 1.1])
@pytest.mark.parametrize("name", MOVES)
def test_a_transition_keeps_its_target(name: str, step: float, generator: Any) -> None:
    """Chains begun at exact draws are exact draws ever after, also where steps are coarse and differ between chains."""
    rng, chains = np.random.default_rng(3), 20_000 if step > 1 else 5000
    target = target_of(quartic)
    point = target(quartic_draws((chains, 2), rng))
    sizes = torch.tensor(step * rng.uniform(0.7, 1.3, chains))
    tuning = hamiltonian.Tuning(sizes, torch.tensor([1.0, 0.6]).expand(chains, 2), True)
    for _ in range(4):
        found = MOVES[name](target, point, tuning, generator=generator)
        point = found.point
    for i in range(2):
        assert stats.kstest(point.z[:, i].numpy(), quartic_cdf).pvalue > 1e-4  # 24 of them, seeds fixed
    assert stats.kstest(-point.value.numpy(), stats.gamma(0.5).cdf).pvalue > 1e-4  # two of Gamma(1/4, 1)
    expected = target(point.z)
    torch.testing.assert_close(point.value, expected.value)
    torch.testing.assert_close(point.slope, expected.slope)
    assert bool((found.accept >= 0).all() and (found.accept <= 1).all() and (found.steps >= 1).all())
    # Energies at the draw: −log density plus |p|²/2 of two coordinates, whose mean is 1 and sd 1.
    kinetic = found.energy + point.value
    assert float(kinetic.min()) >= -1e-12 and float(kinetic.mean()) == pytest.approx(1.0, abs=5 / np.sqrt(chains))


def test_what_the_walls_of_a_target_do(generator: Any) -> None:
    """Beyond 1 the density is NaN, below −1 it falls by 10⁴ a unit: both are divergences, and no draw lies there."""

    def walled(z: Any) -> Any:
        steep = 1e5 * torch.relu(-1.0 - z).sum(-1)
        return torch.log(1.0 - z).sum(-1) - steep - 0.1 * z.square().sum(-1)

    for move in MOVES.values():
        target = target_of(walled)
        point = target(torch.zeros(200, 1, dtype=torch.float64))
        tuning = hamiltonian.Tuning(point.value.new_full((200,), 0.7), torch.ones_like(point.z), True)
        diverged = 0
        for _ in range(10):
            found = move(target, point, tuning, generator=generator)
            point, diverged = found.point, diverged + int(found.diverging.sum())
            assert bool((point.z < 1).all() and (point.z > -1.1).all())
            assert bool(torch.isfinite(found.accept).all() and torch.isfinite(found.energy).all())
        assert 200 < diverged < 2000


def test_a_trajectory_of_a_whole_period_does_not_come_back(generator: Any) -> None:
    """2π brings a standard normal back to its start; the jitter of U(0.5, 1.5) does not."""
    target = target_of(lambda z: -0.5 * z.square().sum(-1))
    first = torch.randn((2000, 1), generator=generator, dtype=torch.float64)
    point = target(first)
    tuning = hamiltonian.Tuning(torch.full((2000,), 0.1, dtype=torch.float64), torch.ones_like(first), True)
    for _ in range(8):
        point = hmc._move(hmc.Options(trajectory=2 * np.pi), target, point, tuning, generator).point
    # The correlation is a product of eight cosines of U(π, 3π), 2^(−4) in root mean square; chance adds 1/√2000.
    assert abs(np.corrcoef(first[:, 0], point.z[:, 0])[0, 1]) < 0.35


def test_starts_are_drawn_anew_where_the_density_is_not_finite() -> None:
    target = target_of(lambda z: torch.log(z).sum(-1))  # NaN below 0: a quarter of the starts is good
    like = torch.zeros((), dtype=torch.float64)
    point, needed = hamiltonian.starts(target, 50, 2, like, 1)
    assert bool((point.z > 0).all() and (point.z < 2).all()) and bool(torch.isfinite(point.value).all())
    assert 50 < needed <= target.executed
    with pytest.raises(Diverged, match="no start"):
        hamiltonian.starts(target_of(lambda z: torch.log(-1 - z.square()).sum(-1)), 2, 2, like, 1)


@pytest.mark.parametrize("warmup", [0, 10, 19, 20, 50, 100, 149, 150, 151, 500, 777, 1000, 5000])
def test_windows_are_those_of_numpyro_and_stan(warmup: int) -> None:
    edges = adaptation.windows(warmup)
    schedule = hmc_util.build_adaptation_schedule(warmup)
    assert edges == ([] if warmup < 20 else [first for first, _ in schedule[1:]])
    if warmup == 1000:
        assert np.diff([0, *edges, 1000]).tolist() == [75, 25, 50, 100, 200, 500, 50]  # Stan's manual


def test_dual_averaging_is_numpyros_and_reaches_its_target() -> None:
    rng = np.random.default_rng(0)
    first = torch.tensor([0.5, 2.0], dtype=torch.float64)
    mine = adaptation.DualAveraging(0.8, first.log())
    init, update = hmc_util.dual_averaging()
    states = [init(np.log(10 * float(x))) for x in first]
    for accept in rng.uniform(size=(30, 2)):
        tried = mine.update(torch.tensor(accept)).exp()
        states = [update(0.8 - a, state) for a, state in zip(accept, states, strict=True)]
    np.testing.assert_allclose(tried, np.exp([float(s[0]) for s in states]), rtol=1e-4)  # NumPyro's may be float32
    np.testing.assert_allclose(mine.settled().exp(), np.exp([float(s[1]) for s in states]), rtol=1e-4)
    mine.restart(first.log())
    step = first
    for _ in range(1000):
        step = mine.update(torch.exp(-step)).exp()
    # Weights k^−0.75 remember the first steps: 1000^−0.25 of a log step that began at log 10 or 20 from the answer's.
    np.testing.assert_allclose(mine.settled().exp(), -np.log(0.8), rtol=0.05)


def test_first_step_sizes_follow_the_scale_of_each_chain(generator: Any) -> None:
    sds = torch.tensor([1e-3, 1.0, 1e3], dtype=torch.float64)
    target = target_of(lambda z: -0.5 * (z / sds[:, None]).square().sum(-1))
    point = target(sds[:, None] * torch.tensor([[0.3, -0.5, 1.0]]).expand(3, 3))
    one = torch.ones(3, dtype=torch.float64)
    step, needed = adaptation.reasonable(target, point, one, torch.ones(3, 3, dtype=torch.float64), generator)
    # One step from 1.1 sd in three coordinates is accepted at 0.8 around a step of one sd; doubling finds it to 4.
    assert bool((step / sds > 0.2).all() and (step / sds < 5).all())
    assert needed < target.executed  # the chain of sd 1 was done at once


def test_the_variance_of_a_window_is_shrunk_as_in_stan() -> None:
    draws = np.random.default_rng(0).standard_normal((20, 3, 2))
    expected = 20 / 25 * draws.var(0, ddof=1) + 5 / 25 * 1e-3
    np.testing.assert_allclose(adaptation.variance([torch.tensor(x) for x in draws]), expected, rtol=1e-12)
