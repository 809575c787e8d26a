"""Copy with several processes: any executor of ``concurrent.futures`` will do.

python 09_many_processes.py [SOURCE DESTINATION]
"""

from __future__ import annotations

import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor

from harborsync import ReplicationRule, Replicator
from harborsync.demo import two_registries


def main(source: str, destination: str) -> None:
    """Plan here, copy in two other processes, and get one report."""
    rule = ReplicationRule(
        name="team", source=source, destinations=destination, where="name like 'team/*'"
    )
    # Workers start afresh: a fork would take locks along that this process's threads hold.
    fresh = multiprocessing.get_context("spawn")
    with (
        ProcessPoolExecutor(max_workers=2, mp_context=fresh) as pool,
        Replicator([rule], executor=pool, workers=2) as replicator,
    ):
        print(replicator.run().raise_for_failures())


if __name__ == "__main__":
    with two_registries(sys.argv[1:]) as (source, destination):
        main(source, destination)
