"""`python -m tests.parity [GROUP …]`: every golden entry with its margins; ends with 1 when one fails or is missing."""

# ruff: noqa: T201 - a report on stdout is what this module is for

from __future__ import annotations

import resource
import sys
import time

import torch

from .cases import GROUPS
from .fixture import Fixture
from .golden import Golden, golden_file, parity_folder


@torch.no_grad()
def main(names: list[str]) -> int:
    path, folder = golden_file(), parity_folder()
    if path is None or folder is None:
        print("no parity fixtures: set STYLEHEAT_SHARED, or lay them beside the repository", file=sys.stderr)
        return 1
    torch.set_num_threads(min(2, torch.get_num_threads()))
    golden = Golden(path)
    fixture = Fixture(folder, golden.seed)
    begin, seen, failed = time.perf_counter(), set(), 0
    chosen = [group for group in GROUPS.values() if not names or any(group.name.startswith(n) for n in names)]
    for group in chosen:
        start = time.perf_counter()
        for name, array in group.run(fixture, golden):
            for margin in golden.margins(f"{group.name}/{name}".rstrip("/"), array):
                print(margin)
                seen.add(margin.entry)
                failed += not margin.passes
        print(f"     {group.name}: {time.perf_counter() - start:.1f} s", file=sys.stderr)
    missing = [] if names else sorted(set(golden.index) - seen)
    for entry in missing:
        print(f"MISSING {entry}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{len(seen)} of {len(golden.index)} entries compared with {path.name} (seed {golden.seed}), {failed} failed, "
        f"{len(missing)} missing; {time.perf_counter() - begin:.0f} s, peak memory {peak:.1f} GiB"
    )
    return 1 if failed or missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
