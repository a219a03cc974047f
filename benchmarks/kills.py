"""Kill a small campaign at random moments; does the next run end with the store of an undisturbed one?

    python benchmarks/kills.py [--kills 25] [--cluster local] [--cluster tls] [--seed 16] [--folder FOLDER]

The campaign has all kinds of jobs. A kill (SIGKILL) comes up to a second after a random number of jobs, or up to six
seconds after the start. It meets the client, one worker, all workers or the client's process group; at a scheduler of
its own (tls, tcp) also a nanny, the scheduler, or everything. Rows of all tables of the catalog, values of all Parquet
files and receipts are compared; `kilocell catalog check` must find nothing. A kill and the runs that follow take 10 to
30 s. Prints a table; exit code 1 if anything differs.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "shared"))
import kills

HEAD = """\
| cluster | kill at, s | killed | stage | jobs done before | runs | differences |
|---|---:|---|---|---:|---:|---|"""


def main() -> int:
    """Read the command line, kill, and print a row for each kill."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=25, help="of each cluster")
    parser.add_argument("--cluster", action="append", choices=kills.CLUSTERS)
    parser.add_argument("--seed", type=int, default=16)
    parser.add_argument("--folder", type=Path, help="keep campaign and stores here")
    given = parser.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp())
    print(HEAD, flush=True)
    different = 0
    for cluster in given.cluster or ("local", "tls"):
        kills.write_campaign_to_kill(folder / cluster)
        with kills.Place(folder / cluster, cluster) as place:
            for kill in kills.kills(place, given.kills, given.seed):
                different += bool(kill.differences)
                cells = (f"{kill.moment:.1f}", kill.victim, kill.stage, kill.done_before, kill.runs)
                found = "; ".join(kill.differences) or "none"
                print("|", cluster, *(f"| {cell}" for cell in cells), "|", found, "|", flush=True)
    if given.folder is None:
        shutil.rmtree(folder)
    print(f"\nseed {given.seed}: {different} with a difference")
    return int(different > 0)


if __name__ == "__main__":
    sys.exit(main())
