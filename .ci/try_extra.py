"""Tries what an extra brings, in an environment that has the package and this extra alone.

python try_extra.py EXTRA

One image is planned and copied into the emulator of the extra's cloud, and out of it again, by
the vendor's real SDK. Clouds whose extras are lacking must say so, by name. EXTRA is ``none``
where there is no extra at all.
"""

# ruff: noqa: INP001, T201 - a script, which prints
from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import harborsync.testing
from harborsync import Endpoint, ReplicationRule, Replicator, open_registry
from harborsync.credentials import AwsIdentity, GoogleIdentity
from harborsync.errors import MissingDependency
from harborsync.testing import LoopbackEcr, LoopbackGar, LoopbackRegistry
from harborsync.testing.content import random_image

if TYPE_CHECKING:
    from harborsync.credentials import CredentialSource
    from harborsync.testing import LoopbackAcr, LoopbackTcr

    Cloud = LoopbackAcr | LoopbackEcr | LoopbackGar | LoopbackTcr

EMULATORS = {
    "aliyun": "LoopbackAcr",
    "aws": "LoopbackEcr",
    "gcp": "LoopbackGar",
    "tencent": "LoopbackTcr",
}


def main(extra: str) -> None:
    """Try the cloud of an extra, and see that all others ask for theirs."""
    if extra not in {*EMULATORS, "none"}:
        sys.exit(f"there is no extra {extra!r} to try")
    for its_extra, name in EMULATORS.items():
        with getattr(harborsync.testing, name)() as cloud, LoopbackRegistry() as source:
            seed(source)
            if its_extra == extra:
                copy_in_and_out(source, cloud)
                print(f"{name}: an image went in and out")
            else:
                expect_to_be_told(its_extra, source, cloud)
                print(f"{name}: wants the extra {its_extra}")


def seed(source: LoopbackRegistry) -> None:
    """Push the image that is to be copied."""
    registry = open_registry(source.endpoint)
    random_image(1).push_to(registry, "team/app", "v1")
    registry.close()


def copy_in_and_out(source: LoopbackRegistry, cloud: Cloud) -> None:
    """Copy by a plan each way; afterwards nothing is left to do."""
    with LoopbackRegistry() as target:
        for way in ((source.endpoint, cloud.endpoint), (cloud.endpoint, target.endpoint)):
            with Replicator([everything(*way)], credentials=cloud.identity) as replicator:
                plan = replicator.plan()
                report = replicator.run(plan).raise_for_failures()
                if len(plan.to_copy) != 1 or replicator.plan().to_copy:
                    sys.exit(f"that is not one image, copied once:\n{report}")


def expect_to_be_told(extra: str, source: LoopbackRegistry, cloud: Cloud) -> None:
    """See that whoever copies there without the SDK is told how to get it."""
    rule = everything(source.endpoint, cloud.endpoint)
    with TemporaryDirectory() as folder:
        who = identity_without_sdk(cloud, Path(folder))
        with Replicator([rule], credentials=who) as replicator:
            try:
                report = replicator.run()
            except MissingDependency as error:
                if error.hint == f"pip install 'harborsync[{extra}]'":
                    return
                raise
    sys.exit(f"nobody asked for the extra {extra}:\n{report}")


def identity_without_sdk(cloud: Cloud, folder: Path) -> CredentialSource:
    """Return an identity that it takes no SDK to make; emulators make most of theirs by one."""
    if isinstance(cloud, LoopbackEcr):
        return AwsIdentity()
    if isinstance(cloud, LoopbackGar):
        key = folder / "key.json"
        key.write_text(cloud.key)
        return GoogleIdentity(key_file=key)
    return cloud.identity


def everything(source: Endpoint, destination: Endpoint) -> ReplicationRule:
    """Return the rule that copies everything."""
    return ReplicationRule(
        name="try", source=source, destinations=destination, where="name like '**'"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
