"""A noise model of a fit's residuals: errors that are correlated in time, and white noise, both estimated.

The correlated part is an Ornstein-Uhlenbeck process: its correlation is exp(-dt / tau) at any time step dt, so uneven
sampling needs no special care. It is estimated by restricted maximum likelihood (REML; Patterson and Thompson 1971), on
the residuals and the slopes: what the fit has absorbed of a slow error is then not taken for absent. The inverse of the
process's covariance is tridiagonal, so the likelihood takes a time proportional to the number of samples.

A short record says little about a long correlation time. All times and shares that agree with the residuals therefore
count, by their likelihood, and not only the most likely ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from scipy.linalg.lapack import dpttrf, dpttrs  # pyright: ignore[reportAttributeAccessIssue]
from scipy.optimize import brentq
from scipy.special import expit
from scipy.stats import norm

from ...data.arrays import Floats, Indices, Mask

MOST_BLOCKS: Final = 2000
"""Blocks of a record, of about equal duration, in which neighbouring samples are averaged; a likelihood then takes less
than 1 ms. A slow process hardly changes in 0.1 s, but the error of the simulation and of a model can, where the current
changes: one jump of 1 mV between two such samples doubled the estimated correlation time of errors of 2 mV over 300 s.
The intervals were 1.4 times as wide as with the known noise; with these blocks (of 10 s), 1.1 times."""

HOLE: Final = 10.0
"""Step above which time is not counted in the duration of a block, as a multiple of the 90 % quantile of all steps:
a pause does not make the blocks of what was measured coarser."""

GRID: Final = 9
"""Points of the grid in each direction: the logarithm of the correlation time, and the logit of the correlated share.
Chosen: the interval of a linear problem changes by less than 1 % with 13."""

MOST_ZOOMS: Final = 5
"""Times that the grid is made anew around its most likely points."""

LIKELY: Final = 5.0
"""Difference of the log-likelihood within which a point of the grid counts: the others together weigh about 1 %."""

ENOUGH_POINTS: Final = 12
"""Points of the grid that count, from which on it is fine enough."""

SHARE_LOGITS: Final = (-9.0, 12.0)
"""Range of the logit of the correlated share of the variance: from white noise, with less than 1e-4 of it correlated,
to none that is white (6e-6: less than a thousandth of the change over a step of 1/300 of the correlation time)."""

LONGEST: Final = 1.0
"""Longest correlation time, as a multiple of the longest stretch. Errors of 3000 s in a record of 5.6 h: 99 % of the
intervals held the truth with 1, all with 3. In a record of 2 h it was 92 % with 1 and 94 % with 3 (linear problem)."""

WHITE_BELIEF: Final = 0.2
"""Belief that the noise is white, before the residuals are seen: a record of a few hours cannot exclude a slow drift of
a tenth of the noise. Without this belief, intervals under white noise would be up to half as wide again. With 0.5 and a
drift of a fifth of the noise, 88 to 90 % of the intervals of a linear problem held the truth; with 0.2, 90 to 92 %."""

LEAST_STEP: Final = 1e-9
"""Least time step as a share of the correlation time: two samples at one time would be the same value."""

SIGNIFICANT: Final = 6.0
"""Difference of the log-likelihood to that of white noise from which a correlation is certain: white noise reaches it
in less than 0.3 % of cases (chi-squared with two degrees of freedom)."""


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Samples of one or more stretches, in time order.

    Args:
        time_second: shape (n,), increasing in each stretch.
        begins: index of the first sample of each stretch, from 0.
    """

    time_second: Floats
    begins: Indices

    @property
    def step_second(self) -> Floats:
        """Time since the sample before, shape (n,); infinite at the first sample of a stretch."""
        step = np.diff(self.time_second, prepend=self.time_second[:1])
        step[self.begins] = np.inf
        return step

    def select(self, chosen: Mask) -> Series:
        """Return some of the samples, in their stretches."""
        stretch = np.searchsorted(self.begins, np.flatnonzero(chosen), side="right")
        return Series(self.time_second[chosen], np.flatnonzero(np.diff(stretch, prepend=-1)))

    @property
    def longest_second(self) -> float:
        """Length of the longest stretch."""
        ends = np.append(self.begins[1:], len(self.time_second)) - 1
        return float(np.max(self.time_second[ends] - self.time_second[self.begins]))


@dataclass(frozen=True, slots=True, eq=False)
class NoiseModel:
    """Noise models that agree with the residuals, by their likelihood, shape (points,) each.

    Args:
        series: the blocks of samples.
        block: block of each sample, shape (samples,).
        likelihood: share of each point; their sum is 1.
        second: correlation time.
        correlated_mv2: variance of the correlated part.
        white_mv2: variance of the white part of a sample.
        gain: of the log-likelihood, from white noise to the most likely point.
        degrees_of_freedom: of the variances.
    """

    series: Series
    block: Indices
    likelihood: Floats
    second: Floats
    correlated_mv2: Floats
    white_mv2: Floats
    gain: float
    degrees_of_freedom: float

    @property
    def is_correlated(self) -> bool:
        """Whether the residuals are certainly not white."""
        return self.gain > SIGNIFICANT

    @property
    def correlation_second(self) -> float:
        """Most likely correlation time."""
        return float(self.second[np.argmax(self.likelihood)])

    @property
    def correlated_mv(self) -> float:
        """Standard deviation of the correlated part, by the most likely point."""
        return float(np.sqrt(self.correlated_mv2[np.argmax(self.likelihood)]))

    def scatter(self, rows: Floats) -> Floats:
        """Compute the covariance of a sum over all samples, each error times its row, by each point.

        Args:
            rows: shape (samples, parameters).

        Returns:
            mV2, shape (points, parameters, parameters).
        """
        white = rows.T @ rows
        correlated = np.zeros((len(self.second), *white.shape))
        for second in np.unique(self.second):
            correlated[self.second == second] = self.scatter_correlated(rows, float(second))
        return self.white_mv2[:, None, None] * white + self.correlated_mv2[:, None, None] * correlated

    def mean_scatter(self, rows: Floats) -> Floats:
        """Compute the same covariance, on average over the points, shape (parameters, parameters)."""
        mean: Floats = np.einsum("k,kij->ij", self.likelihood, self.scatter(rows))
        return mean

    @property
    def effective_mv2(self) -> float:
        """Variance of a sample, times the number of samples that count as one."""
        return float(self.likelihood @ (self.white_mv2 + self.correlated_mv2)) * self.correlation_samples()

    def scatter_correlated(self, rows: Floats, second: float) -> Floats:
        """Compute the covariance of such a sum for errors with variance 1 and this correlation time.

        Args:
            rows: shape (samples, parameters).

        Returns:
            Shape (parameters, parameters).
        """
        sums = sum_blocks(rows, self.block)
        product: Floats = sums.T @ correlate(sums, self.series.step_second, second)
        return product

    def correlation_samples(self) -> float:
        """Number of samples that count as one for a mean over all of them; 1 = white noise."""
        scatter = self.scatter(np.ones((len(self.block), 1)))[:, 0, 0]
        white = len(self.block) * (self.white_mv2 + self.correlated_mv2)
        return float(max(1.0, np.sum(self.likelihood * scatter) / max(np.sum(self.likelihood * white), TINY)))


TINY: Final = float(np.finfo(float).tiny)


def estimate_noise(error_mv: Floats, slopes: Floats, series: Series) -> NoiseModel:
    """Estimate the noise model of residuals after a fit.

    Args:
        error_mv: residuals, shape (samples,).
        slopes: of the residuals by the fitted parameters in any unit, shape (samples, parameters), of full rank.
        series: their times.
    """
    block = assign_blocks(series, MOST_BLOCKS)
    count = np.bincount(block).astype(float)
    columns = np.column_stack([error_mv, np.linalg.qr(slopes)[0]])
    means = sum_blocks(columns, block) / count[:, np.newaxis]
    blocks = Series(sum_blocks(series.time_second[:, np.newaxis], block)[:, 0] / count, block[series.begins])
    likelihood = Likelihood(means[:, 0], means[:, 1:], count, blocks)
    points = _explore(likelihood, blocks)
    share = np.append(expit(points.logits), 0.0)
    white_value, white_scale = likelihood(1.0, 0.0)
    values = np.append(points.values, white_value)
    scales = np.append(points.scales, white_scale)
    belief = np.append(np.full(len(points.values), (1.0 - WHITE_BELIEF) * points.cell), WHITE_BELIEF)
    weight = belief * np.exp(values - values.max())
    return NoiseModel(
        series=blocks,
        block=block,
        likelihood=weight / weight.sum(),
        second=np.exp(np.append(points.logs, 0.0)),
        correlated_mv2=share * scales,
        white_mv2=(1.0 - share) * scales,
        gain=float(values.max() - white_value),
        degrees_of_freedom=float(max(len(count) - slopes.shape[1], 1)),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Points:
    """Points of a grid, shape (points,) each.

    Args:
        logs: logarithm of the correlation time in s.
        logits: logit of the correlated share of the variance.
        values: log-likelihood.
        scales: variance of a sample in mV2.
        cell: what a point represents, as a share of the whole range.
    """

    logs: Floats
    logits: Floats
    values: Floats
    scales: Floats
    cell: float


def _explore(likelihood: Likelihood, blocks: Series) -> _Points:
    """Find the points of a grid that agree with the residuals."""
    steps = blocks.step_second
    steps = steps[np.isfinite(steps)]
    longest = max(blocks.longest_second, 1e-3)
    shortest = 0.5 * float(np.median(steps)) if len(steps) else longest
    limits = np.array([[np.log(min(shortest, 0.1 * longest)), np.log(LONGEST * longest)], SHARE_LOGITS])
    ranges = limits.copy()
    points = _evaluate_grid(likelihood, ranges, limits)
    for _ in range(MOST_ZOOMS):
        if len(points.values) >= ENOUGH_POINTS:
            break
        spacing = np.ptp(ranges, axis=1) / (GRID - 1)
        for place, at in enumerate((points.logs, points.logits)):
            ranges[place] = np.clip([at.min() - spacing[place], at.max() + spacing[place]], *limits[place])
        points = _evaluate_grid(likelihood, ranges, limits)
    return points


def _evaluate_grid(likelihood: Likelihood, ranges: Floats, limits: Floats) -> _Points:
    """Return the likely points of a grid.

    Args:
        ranges: ends of the grid: of the logarithm of the correlation time, and of the logit of the share, shape (2, 2).
        limits: of the whole range, shape (2, 2).
    """
    axes = [np.linspace(float(ends[0]), float(ends[1]), GRID) for ends in ranges]
    logs, logits = (grid.ravel() for grid in np.meshgrid(*axes, indexing="ij"))
    found = np.array([likelihood(np.exp(a), b) for a, b in zip(logs, expit(logits), strict=True)])
    likely = found[:, 0] > found[:, 0].max() - LIKELY
    cell = float(np.prod(np.ptp(ranges, axis=1) / np.ptp(limits, axis=1))) / (GRID - 1) ** 2
    return _Points(logs[likely], logits[likely], found[likely, 0], found[likely, 1], cell)


@dataclass(frozen=True, slots=True, eq=False)
class Likelihood:
    """Restricted log-likelihood of a correlation time and a correlated share, with the scale at its best.

    Args:
        error: mean of each block, shape (blocks,).
        slopes: likewise, shape (blocks, parameters).
        count: samples of each block, shape (blocks,).
        series: the times of the blocks.
    """

    error: Floats
    slopes: Floats
    count: Floats
    series: Series

    def __call__(self, second: float, share: float) -> tuple[float, float]:
        """Compute the log-likelihood, but for a constant, and the variance of a sample in mV2.

        Args:
            second: correlation time.
            share: of the correlated part of the variance, 0 to 1.
        """
        columns = np.column_stack([self.error, self.slopes])
        products, log_determinant = whiten(columns, self.count, self.series.step_second, second, share)
        freedom = max(len(self.error) - self.slopes.shape[1], 1)
        within = products[1:, 1:]
        across = products[1:, 0]
        rest = products[0, 0]
        log_within = 0.0
        if len(within):
            rest -= across @ np.linalg.lstsq(within, across, rcond=1e-12)[0]
            log_within = np.linalg.slogdet(within)[1]
        rest = max(float(rest), TINY)
        value = -0.5 * (log_determinant + log_within + freedom * np.log(rest))
        return float(value), rest / freedom


def whiten(columns: Floats, count: Floats, step_second: Floats, second: float, share: float) -> tuple[Floats, float]:
    """Compute C' S^-1 C and log |S| of a process with variance 1, S = share K + (1 - share) / count.

    With P = K^-1 / share + count / (1 - share), the smoothed columns are P^-1 count / (1 - share) C. Both parts of the
    product are sums of squares, so nothing cancels, whatever the share.

    Args:
        columns: C, shape (n, columns).
        count: samples of each row, shape (n,).
        step_second: as :attr:`Series.step_second`.
        second: correlation time, of K.
        share: of the correlated part of the variance, 0 to 1.
    """
    if share < TINY:
        return (columns * count[:, np.newaxis]).T @ columns, -float(np.log(count).sum())
    white = max(1.0 - share, 1e-12)
    keeps, precision = transition(step_second, second)
    diagonal, below = tridiagonal(keeps, precision / share)
    diagonal = diagonal + count / white
    factor, smooth = solve_tridiagonal(diagonal, below, count[:, np.newaxis] / white * columns)
    rough = columns - smooth
    change = smooth.copy()
    change[1:] -= keeps[1:, np.newaxis] * smooth[:-1]
    products = (rough * (count / white)[:, np.newaxis]).T @ rough
    products += (change * (precision / share)[:, np.newaxis]).T @ change
    log_determinant = np.log(factor).sum() + np.log(white / count).sum() - np.log(precision / share).sum()
    return products, float(log_determinant)


def correlate(columns: Floats, step_second: Floats, second: float) -> Floats:
    """Multiply columns, shape (n, columns), by the correlation matrix of the process."""
    return solve_tridiagonal(*tridiagonal(*transition(step_second, second)), columns)[1]


def solve_tridiagonal(diagonal: Floats, below: Floats, columns: Floats) -> tuple[Floats, Floats]:
    """Factorise a symmetric matrix and solve with it.

    Args:
        diagonal: shape (n,).
        below: shape (n - 1,).
        columns: right-hand sides, shape (n, columns).

    Returns:
        The diagonal factor, whose product is the determinant, shape (n,); and the solutions.
    """
    if len(diagonal) == 1:  # LAPACK's interface wants an element beside it
        return diagonal, columns / diagonal[:, np.newaxis]
    factor, sub, _ = dpttrf(diagonal, below)
    return factor, dpttrs(factor, sub, columns)[0]


def transition(step_second: Floats, second: float) -> tuple[Floats, Floats]:
    """Return how much of its value the process keeps over each step, and 1 / variance of the rest, shape (n,)."""
    relative = np.maximum(step_second / second, LEAST_STEP)
    return np.exp(-relative), -1.0 / np.expm1(-2.0 * relative)


def tridiagonal(keeps: Floats, precision: Floats) -> tuple[Floats, Floats]:
    """Return the diagonal, shape (n,), and the one beside it, shape (n - 1,), of the inverse covariance."""
    diagonal = precision.copy()
    diagonal[:-1] += keeps[1:] ** 2 * precision[1:]
    return diagonal, -keeps[1:] * precision[1:]


def assign_blocks(series: Series, most: int) -> Indices:
    """Assign neighbouring samples to blocks that are averaged, of about equal duration, within the stretches.

    Args:
        most: number of blocks, unless there are more stretches.

    Returns:
        Block of each sample, from 0, shape (samples,).
    """
    step = series.step_second
    within = step[np.isfinite(step)]
    if not len(within):
        return np.arange(len(step))
    longest = HOLE * float(np.sort(within)[int(0.9 * (len(within) - 1))])
    duration = max(float(np.minimum(within, longest).sum()), 1e-9) / most
    starts = np.isinf(step)
    stretch = np.cumsum(starts) - 1
    elapsed = series.time_second - series.time_second[series.begins][stretch]
    while True:
        cell = np.floor(elapsed / duration)
        block = np.cumsum(np.concatenate([[0], (np.diff(cell) != 0) | starts[1:]]))
        if block[-1] < most + len(series.begins):
            # Holes begin blocks of their own: longer ones fit.
            return block
        duration *= 1.5


def sum_blocks(columns: Floats, block: Indices) -> Floats:
    """Sum the rows of each block, shape (blocks, columns)."""
    if len(columns) == block[-1] + 1:
        return columns
    begins = np.flatnonzero(np.diff(block, prepend=-1))
    return np.add.reduceat(columns, begins, axis=0)


def mixture_error(variance: Floats, likelihood: Floats) -> float:
    """Compute the standard error where the variance itself is known by its likelihood only.

    Args:
        variance: of each point, shape (points,).
        likelihood: of each point, sum 1.

    Returns:
        Half the width of the mixture's 95 % interval, divided by that of a normal distribution with variance 1.
    """
    error = np.sqrt(np.maximum(variance, 0.0))
    smallest = float(error.min())
    largest = float(error.max())
    if largest - smallest <= 1e-6 * largest:
        return largest

    def excess(one: float) -> float:
        return float(likelihood @ norm.cdf(norm.ppf(0.975) * one / np.maximum(error, TINY))) - 0.975

    # It lies between the errors of the smallest and of the largest variance.
    error_of_all: Any = brentq(excess, smallest, largest, xtol=1e-6 * largest)
    return float(error_of_all)
