"""The shell's door: ``python -m harborsync demo``, ``copy`` and ``check``.

It does nothing that the library does not do, and says what went wrong without a traceback.
Exit status 0 is success, 1 a copy or a check that failed, 2 a wish that cannot work as it is written,
130 that Ctrl-C came before anything was written.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, Final

from harborsync import __version__
from harborsync.errors import ConfigurationError, HarborsyncError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

_FAILED: Final = 1
_WRONG: Final = 2
_INTERRUPTED: Final = 130  # as shells have it: 128 and the number of the signal


def main(argv: Sequence[str] | None = None, *, out: TextIO | None = None) -> int:
    """Do what a command line says and return its exit status.

    Args:
        argv: The words after the program's name; those of this process if left out.
        out: Where results go; standard output if left out. Faults and progress go to
            standard error.
    """
    wish = _parser().parse_args(argv)
    out = out or sys.stdout
    try:
        status = int(wish.command(wish, out))
        out.flush()
    except BrokenPipeError:
        _say_no_more(out)
        return _FAILED
    except HarborsyncError as error:
        sys.stderr.write(f"harborsync: {error}\n")
        return _WRONG if isinstance(error, ConfigurationError) else _FAILED
    except KeyboardInterrupt:
        sys.stderr.write("harborsync: interrupted\n")
        return _INTERRUPTED
    return status


def _say_no_more(out: TextIO) -> None:
    """Let the rest go nowhere: who was reading, such as ``head``, has seen enough."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, out.fileno())
    os.close(nowhere)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m harborsync",
        description="Keep container images and every other OCI artifact in step.",
    )
    parser.add_argument("--version", action="version", version=f"harborsync {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_demo(commands)
    _add_copy(commands)
    _add_check(commands)
    return parser


# --- demo ------------------------------------------------------------------------------------


def _add_demo(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    what = "replicate between two registries inside this process; no network, a few seconds"
    parser = commands.add_parser("demo", help=what, description=what)
    parser.set_defaults(command=_demo)


def _demo(_: argparse.Namespace, out: TextIO) -> int:
    from harborsync.demo import show  # noqa: PLC0415 - it brings the embedded registry

    show(out)
    return 0


# --- copy ------------------------------------------------------------------------------------


def _add_copy(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "copy",
        help="copy one artifact with all its platforms and signatures",
        description="Copy one artifact with all its platforms and signatures. Logins are those "
        "of HARBORSYNC_* variables and of docker login.",
        epilog="example: python -m harborsync copy docker.io/library/alpine:3 "
        "registry+http://localhost:5000/mirror/alpine",
    )
    parser.add_argument("source", help="host/repository:tag, or …@digest, or oci:DIR:tag")
    parser.add_argument("destination", help="the same; without a tag it gets the source's")
    parser.add_argument(
        "--platform",
        action="append",
        default=[],
        metavar="OS/ARCH",
        help="only this platform of an index; may be repeated, and needs --subset",
    )
    parser.add_argument(
        "--subset",
        choices=("sparse", "rewritten"),
        help="how an index with fewer platforms is written: as it is, or as a new one",
    )
    parser.add_argument(
        "--no-satellites", action="store_true", help="leave signatures and SBOMs behind"
    )
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    parser.set_defaults(command=_copy)


def _copy(wish: argparse.Namespace, out: TextIO) -> int:
    from harborsync.copying import copy  # noqa: PLC0415 - `--version` needs no network
    from harborsync.observe import Progress  # noqa: PLC0415

    result = copy(
        wish.source,
        wish.destination,
        listeners=() if wish.quiet else (Progress(sys.stderr),),
        platforms=wish.platform,
        subset=wish.subset,
        satellites=() if wish.no_satellites else ("*",),
    )
    for warning in result.warnings:
        sys.stderr.write(f"harborsync: warning: {warning}\n")
    out.write(f"{result.outcome} {result.step.wanted}\n")
    return 0


# --- check -----------------------------------------------------------------------------------


def _add_check(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    what = "tell who we are at a registry, what we may do, and what must be reachable"
    parser = commands.add_parser("check", help=what, description=f"{what}; writes nothing")
    parser.add_argument("endpoint", help="such as registry.example or harbor://host/project")
    parser.add_argument("--repository", default="", help="look at this one, not the first listed")
    parser.add_argument(
        "--probe-write", action="store_true", help="open an upload and cancel it, and no more"
    )
    parser.add_argument(
        "--throughput",
        default="",
        metavar="REPOSITORY:TAG",
        help="read the largest blob of this for five seconds at the most",
    )
    parser.add_argument("--policies", action="store_true", help="print the least policies, too")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.set_defaults(command=_check)


def _check(wish: argparse.Namespace, out: TextIO) -> int:
    from harborsync.checking import check  # noqa: PLC0415 - `--version` needs no network

    found = check(
        wish.endpoint,
        repository=wish.repository,
        probe="write" if wish.probe_write else "read",
        throughput=wish.throughput,
    )
    out.write(f"{found.to_json() if wish.json else found}\n")
    if wish.policies and not wish.json:
        out.writelines(
            f"\nthe least to {policy.direction}:\n{policy.text}\n" for policy in found.policies
        )
    return 0 if found.ok else _FAILED
