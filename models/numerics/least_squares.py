"""Many small non-linear least-squares problems at once: Levenberg-Marquardt with an analytic gradient and a positive definite curvature.

Each start has its own damping (Marquardt's: in proportion to the curvature's diagonal) and leaves the batch when it has converged. One whose
value is not finite stays where it is and is reported as not converged. Where a start ends does not depend on its companions: what is done to it
depends on its own numbers alone, and every batch has a multiple of TILE rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol, Self

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

TILE = 16
"""Matrix products with a matrix that all rows share take rows in tiles, and may sum what is left over in another order; full tiles make the result
of a row independent of how many rows there are, to the last bit (MKL on x86; a test checks it on the machine at hand)."""
BLOCK = {"cpu": 512}
"""Starts at a time by type of device: on a CPU so many that their data stay in its cache."""
BLOCK_ELSEWHERE = 32_768
QUICK = 7
"""Steps in which nine of ten starts converge."""
DAMPING = 1e-2
"""Of the first step."""
HOPELESS = 1e6
"""Damping at which steps are so short that nothing better is in reach of this precision."""
SHRINK = 0.8
"""The batch is made smaller when fewer than this share of it are still moving: making it smaller copies the data of the rest."""


class Problem(Protocol):
    """n functions of p variables each."""

    def __len__(self) -> int:
        """n."""
        ...

    def terms(self, variables: Float[Tensor, "n p"]) -> tuple[Float[Tensor, " n"], Float[Tensor, "n p"], Float[Tensor, "n p p"]]:
        """Value, gradient, and a positive definite approximation of the second derivatives."""
        ...

    def take(self, index: Any) -> Self:
        """Some of the n: at an index tensor or a slice."""
        ...


@dataclass(frozen=True, eq=False)
class Minimum:
    """Where each start is: variables; value, gradient and curvature there; damping of its next step; steps so far; whether the stopping rule was met.

    ``value`` is infinite where it never was finite.
    """

    variables: Float[Tensor, "n p"]
    value: Float[Tensor, " n"]
    gradient: Float[Tensor, "n p"]
    curvature: Float[Tensor, "n p p"]
    damping: Float[Tensor, " n"]
    iterations: Int[Tensor, " n"]
    converged: Bool[Tensor, " n"]

    @classmethod
    def at(cls, start: Float[Tensor, "n p"]) -> Self:
        """Before anything is known: every value is infinite."""
        n, p = start.shape
        value = start.new_full((n,), torch.inf)
        return cls(
            start.clone(), value, start.new_zeros(n, p), start.new_zeros(n, p, p), torch.full_like(value, DAMPING),
            torch.zeros(n, dtype=torch.int64, device=start.device), torch.zeros(n, dtype=torch.bool, device=start.device),
        )  # fmt: skip

    @classmethod
    def of(cls, problem: Problem, start: Float[Tensor, "n p"]) -> Self:
        """Before the first step."""
        blank = cls.at(start)
        value, gradient, curvature = problem.terms(start)
        value = torch.where(torch.isfinite(value), value, torch.inf)
        return cls(blank.variables, value, gradient, curvature, blank.damping, blank.iterations, blank.converged)

    @property
    def moving(self) -> Bool[Tensor, " n"]:
        """Which may still get better."""
        return torch.isfinite(self.value) & ~self.converged & (self.damping <= HOPELESS)

    def take(self, index: Any) -> Self:
        """Some of the rows."""
        return type(self)(*(getattr(self, each.name)[index] for each in fields(self)))

    def put(self, at: Any, those: "Minimum") -> None:
        """Set the rows ``at``."""
        for each in fields(self):
            getattr(self, each.name)[at] = getattr(those, each.name)

    def grouped(self, k: int) -> Self:
        """Rows in groups of k: every field has the shape (n / k, k, ...)."""
        return type(self)(*(getattr(self, each.name).unflatten(0, (len(self.value) // k, k)) for each in fields(self)))

    def flattened(self) -> Self:
        """Groups one after the other: the opposite of ``grouped``."""
        return type(self)(*(getattr(self, each.name).flatten(0, 1) for each in fields(self)))

    def to(self, *, device: torch.device | None = None, dtype: torch.dtype | None = None) -> Self:
        """The same on another device or with real numbers in another precision."""
        tensors = (getattr(self, each.name) for each in fields(self))
        return type(self)(*(each.to(device=device, dtype=dtype if each.is_floating_point() else None) for each in tensors))


def tiles(index: Int[Tensor, " n"]) -> Int[Tensor, " m"]:
    """The same rows, the first repeated until they are a multiple of TILE."""
    return torch.cat([index, index[:1].expand(-len(index) % TILE)])


@torch.no_grad()
def batched_least_squares(
    problem: Problem,
    start: Float[Tensor, "m p"] | Minimum,
    *,
    of: Int[Tensor, " m"] | None = None,
    largest_step: Sequence[float],
    tolerance: float = 1e-3,
    iterations: int = 60,
    leap: bool = False,
) -> Minimum:
    """Minimise functions from their starts, or from where an earlier call left them; ``of`` says which of the problem's functions each start belongs
    to (left out: one start each). The rest is as in ``descend``.

    Starts are worked on in blocks, QUICK steps each; the few that need more then go on together.
    """
    fresh = isinstance(start, Tensor)
    found = Minimum.at(start) if isinstance(start, Tensor) else start.take(torch.arange(len(start.value), device=start.value.device))
    count = len(found.value)
    rows = torch.arange(count, device=found.value.device)
    if not fresh:
        rows = rows[found.moving]
    for steps in (min(QUICK, iterations), iterations - QUICK):
        if steps <= 0 or len(rows) == 0:
            break
        for block in rows.split(BLOCK.get(rows.device.type, BLOCK_ELSEWHERE)):
            in_order = of is None and len(rows) == count and len(block) % TILE == 0  # a slice copies nothing
            filled = block if in_order else tiles(block)
            part = problem.take(slice(int(block[0]), int(block[-1]) + 1) if in_order else filled if of is None else of[filled])
            state = Minimum.of(part, found.variables[filled]) if fresh else found.take(filled)
            ended = descend(part, state, largest_step=largest_step, tolerance=tolerance, iterations=steps, leap=leap)
            found.put(block, ended.take(slice(len(block))))
        rows, fresh = torch.nonzero(found.moving)[:, 0], False
    return found


@torch.no_grad()
def descend(
    problem: Problem,
    state: Minimum,
    *,
    largest_step: Sequence[float],
    tolerance: float = 1e-3,
    iterations: int = 60,
    leap: bool = False,
    leave: bool = True,
) -> Minimum:
    """So many steps at most, one row a function, all in one batch of full tiles.

    ``largest_step`` bounds each variable's change in one step (numbers beyond the last variable are not used). A row has converged when the decrease that its quadratic model promises
    without damping is below ``tolerance``, or the decrease of an accepted step is and the promise was below ten times that. With ``leap`` it takes the
    last promised step without a look at where it leads. Without ``leave`` all rows stay in the batch until the end: for a few steps of problems whose ``take`` is costly.
    """
    limit = state.variables.new_tensor(largest_step[: state.variables.shape[1]])
    found, at, moving = state, torch.arange(len(state.value), device=state.value.device), state.moving
    for _ in range(iterations):
        damped = state.curvature.clone()
        diagonal = torch.diagonal(damped, dim1=1, dim2=2)
        diagonal *= 1 + state.damping[:, None]
        step, whole = (-torch.linalg.solve_ex(each, state.gradient[..., None])[0][..., 0] for each in (damped, state.curvature))
        usable = torch.isfinite(step).all(1)
        step = torch.where(usable[:, None], step / (step.abs() / limit).amax(1, keepdim=True).clamp(min=1.0), 0.0)
        promised = -((state.gradient + 0.5 * torch.bmm(state.curvature, step[..., None])[..., 0]) * step).sum(1)
        left = -0.5 * (state.gradient * whole).sum(1)  # what no damping would promise: a short step through a curved valley promises little
        arrived = moving & (left < tolerance)
        here, value, tried, converged = state.variables, state.value, state.iterations, state.converged | arrived
        if leap:
            here = torch.where(arrived[:, None], here + whole, here)
            value = torch.where(arrived, value - left, value)
            tried = tried + arrived
        state = Minimum(here, value, state.gradient, state.curvature, state.damping, tried, converged)
        moving = moving & ~arrived
        count = int(moving.sum())
        if count == 0:
            break
        room = count + -count % TILE  # those that have stopped fill the last tile
        if leave and room <= SHRINK * len(at):
            found = _placed(found, at, state)
            keep = torch.argsort(~moving, stable=True)[:room]
            at, moving, step, promised, left = (each.index_select(0, keep) for each in (at, moving, step, promised, left))
            state, problem = state.take(keep), problem.take(keep)
        there = state.variables + step
        value, gradient, curvature = problem.terms(there)
        better = moving & (value < state.value)
        decrease = state.value - value
        ratio = decrease / promised.clamp(min=1e-12)
        eased = torch.where(ratio > 0.7, state.damping / 6, torch.where(ratio < 0.3, 2 * state.damping, state.damping))
        damping = torch.where(better, eased, state.damping * 5).clamp(1e-7, 1e8)
        state = Minimum(
            torch.where(better[:, None], there, state.variables),
            torch.where(better, value, state.value),
            torch.where(better[:, None], gradient, state.gradient),
            torch.where(better[:, None, None], curvature, state.curvature),
            torch.where(moving, damping, state.damping),
            state.iterations + moving,
            state.converged | (better & (decrease < tolerance) & (left < 10 * tolerance)),
        )
        moving = moving & state.moving
    return _placed(found, at, state)


def _placed(found: Minimum, at: Int[Tensor, " m"], state: Minimum) -> Minimum:
    """``found`` with the rows ``at`` as in ``state``; the whole of it where these are all rows."""
    if len(at) == len(found.value):
        return state
    found.put(at, state)
    return found
