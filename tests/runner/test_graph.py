"""The Dask graph: layers by stage, edges only to jobs that run, keys that read well."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dask.utils import key_split
from kilocell.runner.run.graph import build_graph
from test_plan import plan


def test_layers_are_stages_and_edges_are_needs(tmp_path: Path) -> None:
    jobs = plan(tmp_path)
    graph = build_graph(jobs, "store")
    assert set(graph.layers) == {job.stage for job in jobs}
    assert graph.dependencies["simulate-SPMe"] == {"clean"}
    assert graph.dependencies["simulate-SPM"] == {"clean", "fit-diffusion"}
    assert graph.dependencies["clean"] == {"split"}
    assert set(graph.keys()) == {job.key for job in jobs}


def test_jobs_that_are_done_are_no_edges(tmp_path: Path) -> None:
    simulations = [replace(job) for job in plan(tmp_path) if job.stage == "simulate-SPMe"]
    graph = build_graph(simulations, "store")
    assert set(graph.layers) == {"simulate-SPMe"}
    assert graph.dependencies["simulate-SPMe"] == set()


def test_dask_groups_keys_by_stage(tmp_path: Path) -> None:
    for job in plan(tmp_path):
        assert key_split(job.key) == job.stage


def test_every_layer_carries_its_stage_and_priority(tmp_path: Path) -> None:
    for stage, layer in build_graph(plan(tmp_path), "store").layers.items():
        assert layer.annotations is not None
        assert layer.annotations["stage"] == stage
        assert "priority" in layer.annotations
