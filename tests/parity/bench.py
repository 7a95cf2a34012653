"""`python -m tests.parity.bench [--dtype float32|bfloat16] [--batch N] [--rounds N] [--reference]`: cost of a frame.

Weights are drawn from a seed: the cost does not depend on them.
"""

# ruff: noqa: T201 - a report on stdout is what this module is for

from __future__ import annotations

import argparse
import json
import resource

import torch

from styleheat_cli.commands.allocator import keep_freed_memory
from styleheat_cli.engine.published import Animator
from styleheat_cli.engine.published_bench import (
    frame_costs,
    reference_cost,
    seeded_method,
    seeded_source,
    seeded_windows,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dtype", default="float32", choices=("float32", "bfloat16", "float16"))
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--reference", action="store_true", help="measure the step-by-step method too")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    kept = keep_freed_memory()
    method = seeded_method()
    source, windows = seeded_source(method), seeded_windows(given.batch)
    if given.reference:
        print(json.dumps(reference_cost(method, source, windows[:1]).row()))
    animator = Animator(method, source, getattr(torch, given.dtype))
    for cost in frame_costs(animator, windows, given.rounds):
        print(json.dumps(cost.row()))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    about = {"dtype": given.dtype, "batch": given.batch, "threads": given.threads, "rounds": given.rounds}
    print(json.dumps({**about, "freed memory kept": kept, "peak_gib": round(peak, 2)}))


if __name__ == "__main__":
    main()
