"""The noise model of a fit's residuals: exact in small cases, and as the noise was made in larger ones."""

from __future__ import annotations

import numpy as np
import pytest
from kilocell.jobs.fitting.noise_model import (
    Likelihood,
    Series,
    assign_blocks,
    correlate,
    estimate_noise,
    mixture_error,
    sum_blocks,
    whiten,
)
from numpy.typing import NDArray
from scipy.stats import norm

Floats = NDArray[np.float64]


def uneven_series(rng: np.random.Generator, count: int = 60) -> Series:
    """Two stretches, sampled from 0.1 to 100 s, with a hole in the second."""
    step = 10.0 ** rng.uniform(-1.0, 2.0, count)
    step[int(0.8 * count)] = 5000.0
    return Series(np.cumsum(step), np.array([0, count // 2]))


def dense_correlation(series: Series, second: float) -> Floats:
    """The matrix itself: exp(-dt / tau) within a stretch, 0 between two."""
    stretch = np.searchsorted(series.begins, np.arange(len(series.time_second)), side="right")
    distance = np.abs(series.time_second[:, None] - series.time_second)
    return np.where(stretch[:, None] == stretch, np.exp(-distance / second), 0.0)


def draw_noise(series: Series, second: float, rng: np.random.Generator) -> Floats:
    """Noise with variance 1 and this correlation time."""
    keeps = np.exp(-series.step_second / second)
    error = np.zeros(len(keeps))
    for k, white in enumerate(rng.standard_normal(len(keeps))):
        error[k] = keeps[k] * error[k - 1] + np.sqrt(1.0 - keeps[k] ** 2) * white
    return error


def smooth_slopes(series: Series) -> Floats:
    """What a fit of a few parameters can absorb, shape (n, 3)."""
    share = series.time_second / series.time_second[-1]
    return 50.0 * np.column_stack([np.sqrt(share), share**2, np.sin(9.0 * share)])


@pytest.mark.parametrize("share", [0.0, 1e-4, 0.3, 0.999, 1.0])
@pytest.mark.parametrize("second", [0.5, 40.0, 1e5])
def test_products_are_those_of_the_dense_matrix(second: float, share: float) -> None:
    rng = np.random.default_rng(1)
    series = uneven_series(rng)
    count = rng.integers(1, 9, len(series.time_second)).astype(float)
    columns = rng.standard_normal((len(count), 4))
    covariance = share * dense_correlation(series, second) + (1.0 - share) * np.diag(1.0 / count)
    products, log_determinant = whiten(columns, count, series.step_second, second, share)
    np.testing.assert_allclose(products, columns.T @ np.linalg.solve(covariance, columns), rtol=1e-6, atol=1e-6)
    assert log_determinant == pytest.approx(np.linalg.slogdet(covariance)[1], rel=1e-6)
    expected = dense_correlation(series, second) @ columns
    np.testing.assert_allclose(correlate(columns, series.step_second, second), expected, atol=1e-9)


def test_the_likelihood_is_the_restricted_one() -> None:
    """By its definition: the likelihood of the residuals' part that no slope can absorb."""
    rng = np.random.default_rng(2)
    series = uneven_series(rng)
    slopes = np.linalg.qr(rng.standard_normal((60, 3)))[0]
    free = np.linalg.svd(slopes.T)[2][3:]  # combinations of samples that the slopes do not change
    error = rng.standard_normal(60)
    likelihood = Likelihood(error, slopes, np.ones(60), series)

    def by_definition(second: float, share: float) -> tuple[float, float]:
        covariance = free @ (share * dense_correlation(series, second) + (1.0 - share) * np.eye(60)) @ free.T
        part = free @ error
        scale = float(part @ np.linalg.solve(covariance, part)) / 57
        return -0.5 * (float(np.linalg.slogdet(covariance)[1]) + 57 * np.log(57 * scale)), scale

    points = [(30.0, 0.5), (900.0, 0.2), (2.0, 0.9), (300.0, 0.0)]
    found = np.array([likelihood(*point) for point in points])
    expected = np.array([by_definition(*point) for point in points])
    np.testing.assert_allclose(found[:, 0] - found[0, 0], expected[:, 0] - expected[0, 0], atol=1e-8)
    np.testing.assert_allclose(found[:, 1], expected[:, 1], rtol=1e-9)


@pytest.mark.parametrize(("second", "share"), [(60.0, 1.0), (60.0, 0.5), (600.0, 0.8)])
def test_the_noise_is_found_as_it_was_made(second: float, share: float) -> None:
    rng = np.random.default_rng(3)
    step = np.where(np.arange(3000) % 100 < 50, 1.0, 20.0)
    series = Series(np.cumsum(step), np.array([0, 1200]))
    error = 3.0 * (np.sqrt(share) * draw_noise(series, second, rng) + np.sqrt(1 - share) * rng.standard_normal(3000))
    noise = estimate_noise(error, smooth_slopes(series), series)
    assert noise.is_correlated
    assert noise.correlation_second == pytest.approx(second, rel=0.4)
    assert noise.correlated_mv == pytest.approx(3.0 * np.sqrt(share), rel=0.25)
    assert noise.likelihood @ noise.white_mv2 == pytest.approx(9.0 * (1.0 - share), rel=0.1, abs=0.05)


def test_white_noise_is_not_taken_for_correlated() -> None:
    rng = np.random.default_rng(4)
    series = uneven_series(rng, 400)
    found = [estimate_noise(rng.standard_normal(400), smooth_slopes(series), series) for _ in range(20)]
    assert not any(noise.is_correlated for noise in found)
    assert np.median([noise.correlation_samples() for noise in found]) < 2.0


@pytest.mark.slow
def test_what_the_fit_absorbed_counts() -> None:
    """Half of a slow error is absorbed by slow slopes: the residuals alone look smaller, and quick."""
    rng = np.random.default_rng(5)
    series = Series(10.0 * np.arange(2000.0), np.array([0]))
    slopes = np.vander(np.linspace(-1.0, 1.0, 2000), 6)
    ratio = []
    for _ in range(12):
        error = draw_noise(series, 2000.0, rng)
        left = error - slopes @ np.linalg.lstsq(slopes, error)[0]
        noise = estimate_noise(left, slopes, series)
        ratio.append(noise.likelihood @ noise.correlated_mv2 / left.var())
    assert np.median(ratio) > 1.5


@pytest.mark.parametrize("holes", [False, True])
def test_blocks_are_of_neighbours_in_one_stretch(holes: bool) -> None:
    time = np.arange(12_000.0) + 50_000.0 * holes * (np.arange(12_000) > 7000)
    block = assign_blocks(Series(time, np.array([0, 4000])), 500)
    assert block[0] == 0
    assert set(np.diff(block)) <= {0, 1}
    assert block[4000] == block[3999] + 1
    assert 300 < block[-1] < 502 or holes
    assert block[7001] == block[7000] + 1 or not holes


def test_a_pause_does_not_make_blocks_coarser() -> None:
    time = np.arange(300.0) + 400_000.0 * (np.arange(300) >= 120)
    np.testing.assert_array_equal(assign_blocks(Series(time, np.array([0])), 2000), np.arange(300))
    assert assign_blocks(Series(np.zeros(1), np.array([0])), 2000).tolist() == [0]
    assert assign_blocks(Series(np.zeros(2), np.array([0, 1])), 2000).tolist() == [0, 1]


def test_a_jump_where_the_current_changes_is_not_taken_for_a_quick_process() -> None:
    """The simulation is off by 1 mV after a step, where samples are 0.1 s apart: 20 times what the process changes."""
    rng = np.random.default_rng(7)
    time = np.concatenate([np.arange(0.0, 20_000.0, 20.0), 2000.1 + 1800.0 * np.arange(10)])
    series = Series(np.sort(time), np.array([0]))
    slopes = smooth_slopes(series)
    after = series.time_second - 9200.1
    jump = np.where(after >= 0.0, np.exp(-np.maximum(after, 0.0) / 3.0), 0.0)
    ratio = []
    for _ in range(8):
        error = 2.0 * draw_noise(series, 300.0, rng)
        noises = [estimate_noise(one, slopes, series) for one in (error, error - jump)]
        ratio.append(noises[1].effective_mv2 / noises[0].effective_mv2)
    assert np.median(ratio) == pytest.approx(1.0, abs=0.1)


def test_a_record_that_is_averaged_gives_the_same_scatter(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(6)
    series = Series(np.arange(3000.0), np.array([0, 1000]))
    error = draw_noise(series, 100.0, rng) + 0.5 * rng.standard_normal(3000)
    slopes = smooth_slopes(series)

    def errors() -> Floats:
        noise = estimate_noise(error, slopes, series)
        return np.sqrt(np.diag(np.einsum("k,kij->ij", noise.likelihood, noise.scatter(slopes))))

    whole = errors()
    monkeypatch.setattr("kilocell.jobs.fitting.noise_model.MOST_BLOCKS", 500)
    assert errors() == pytest.approx(whole, rel=0.1)


def test_sums_of_blocks() -> None:
    block = np.array([0, 0, 1, 2, 2, 2])
    columns = np.arange(12.0).reshape(6, 2)
    np.testing.assert_array_equal(sum_blocks(columns, block), [[2, 4], [4, 5], [24, 27]])


def test_series_keep_their_stretches() -> None:
    series = Series(np.array([0.0, 1.0, 5.0, 7.0, 8.0]), np.array([0, 2, 4]))
    np.testing.assert_array_equal(series.step_second, [np.inf, 1.0, np.inf, 2.0, np.inf])
    assert series.longest_second == 2.0
    chosen = series.select(np.array([False, True, False, False, True]))
    np.testing.assert_array_equal(chosen.begins, [0, 1])
    np.testing.assert_array_equal(chosen.time_second, [1.0, 8.0])


def test_the_error_of_a_mixture_gives_its_interval() -> None:
    assert mixture_error(np.full(3, 4.0), np.full(3, 1 / 3)) == pytest.approx(2.0)
    assert mixture_error(np.zeros(2), np.full(2, 0.5)) == 0.0
    variance, likelihood = np.array([1.0, 25.0]), np.array([0.7, 0.3])
    half_width = 1.959964 * mixture_error(variance, likelihood)
    inside = likelihood @ (2.0 * norm.cdf(half_width / np.sqrt(variance)) - 1.0)
    assert inside == pytest.approx(0.95, abs=1e-4)
