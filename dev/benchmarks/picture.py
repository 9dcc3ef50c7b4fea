"""The picture: time and memory against the frame's size, a line for each peer, the floor dashed.

Runs in the peers' environment, which has matplotlib.
"""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import Any

_LINES: dict[str, dict[str, Any]] = {
    "ours": {"label": "S3XComBackend", "color": "#0b7285", "marker": "o", "linewidth": 2.4},
    "floor": {"label": "floor: the libraries alone", "color": "#868e96", "linestyle": "--"},
    "common_io": {"label": "Airflow's common-io", "color": "#e8590c", "marker": "s"},
    "tutorial": {"label": "tutorial: CSV, S3Hook", "color": "#862e9c", "marker": "^"},
}


def draw(figures: str, picture: str) -> None:
    """Draw `figures`, a JSON file of what `frames` and `growth` found, into `picture`, an SVG."""
    import matplotlib as mpl

    mpl.use("svg")
    # The same bytes for the same figures, and text that stays text.
    mpl.rcParams |= {"svg.hashsalt": "benchmark", "svg.fonttype": "none", "font.size": 10}
    import matplotlib.pyplot as plt

    points = _points(json.loads(Path(figures).read_text()))
    page, (time, memory) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for peer, look in _LINES.items():
        sizes = sorted(points[peer])
        time.plot(sizes, [points[peer][size][0] for size in sizes], **look)
        memory.plot(sizes, [points[peer][size][1] for size in sizes], **look)
    _axis(time, "push + pull, seconds")
    _axis(memory, "memory that push or pull took, MB")
    time.legend(frameon=False)
    page.savefig(
        picture, metadata={"Date": None, "Title": "Time and memory against a frame's size"}
    )


def _axis(axis: Any, label: str) -> None:
    axis.set(xscale="log", yscale="log", xlabel="frame in memory, MB", ylabel=label)
    axis.grid(visible=True, which="major", color="#dee2e6")
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    for one in (axis.xaxis, axis.yaxis):
        one.set_major_formatter(lambda value, _position: f"{value:,g}")


def _points(figures: list[dict[str, Any]]) -> dict[str, dict[float, tuple[float, float]]]:
    """By peer and megabytes: seconds and megabytes."""
    points: dict[str, dict[float, tuple[float, float]]] = {peer: {} for peer in _LINES}
    for one in figures:
        if "bytes" in one:  # of growth
            size, seconds, peak = one["bytes"], one["seconds"], max(one["push"], one["pull"])
        else:
            size, seconds = one["frame_bytes"], median(one["seconds"])
            peak = max(one["push_peak"], one["pull_peak"]) * size
        points[one["peer"]][size / 1e6] = (seconds, peak / 1e6)
    return points


_COLOURS = ("#ced4da", "#adb5bd", "#868e96", "#0b7285", "#e9ecef", "#15aabf", "#ced4da")
"""Of a task's phases: pull and push are ours."""


def draw_task(phases: list[str], milliseconds: dict[str, list[float]], picture: str) -> None:
    """Draw where the time of tasks goes, a bar for each task, into `picture`, an SVG."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams |= {"svg.hashsalt": "benchmark", "svg.fonttype": "none", "font.size": 10}
    import matplotlib.pyplot as plt

    page, axis = plt.subplots(figsize=(10, 2.8), layout="constrained")
    left = dict.fromkeys(milliseconds, 0.0)
    for number, phase in enumerate(phases):
        widths = [each[number] for each in milliseconds.values()]
        axis.barh(
            [*milliseconds],
            widths,
            left=[*left.values()],
            color=_COLOURS[number],
            edgecolor="white",
            label=phase,
        )
        left = {name: left[name] + each[number] for name, each in milliseconds.items()}
    axis.invert_yaxis()
    axis.set(xlabel="ms, medians of runs in a real Airflow")
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)
    page.legend(loc="outside upper center", ncols=3, frameon=False)
    page.savefig(picture, metadata={"Date": None, "Title": "Where the time of a task goes"})
