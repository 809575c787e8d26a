"""Copy one image with all its platforms, signatures and SBOMs: no rule, no plan.

python 02_copy_one_image.py [SOURCE DESTINATION]
"""

from __future__ import annotations

import sys

from harborsync import copy
from harborsync.demo import two_registries

if __name__ == "__main__":
    with two_registries(sys.argv[1:]) as (source, destination):
        result = copy(f"{source}/team/app:v1.1", f"{destination}/copies/app:latest")
        print(f"{result.outcome}: {result.step.destination}")
        print(f"{result.bytes_sent} bytes sent, {result.satellites} signature came along")
