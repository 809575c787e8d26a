"""How the pages are built: a warning is an error, and every reference to our own names resolves."""

from __future__ import annotations

import importlib
from typing import Any

import harborsync

project = "harborsync"
author = "The harborsync authors"
project_copyright = "The harborsync authors"
version = release = harborsync.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
root_doc = "index"

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_class_signature = "separated"
autodoc_default_options = {"members": True, "show-inheritance": True}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_preprocess_types = False

nitpicky = True
# Names of Python and of other packages cannot be looked up without a network; ours must resolve
# wherever a docstring or page names them in full.
nitpick_ignore_regex = [
    ("py:.*", r"(?!harborsync\b).*"),
    ("py:.*", r"harborsync\.(.+\.)?_\w+"),  # type variables and bases of our own
]

html_theme = "furo"
html_title = "harborsync"


def show_drawings(
    app: object, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Make drawings and code in a module's docstring literal: trees keep their shape."""
    del app, name, obj, options
    if what != "module":
        return
    shown: list[str] = []
    for line in lines:
        follows_a_gap = shown[-1:] == [""] and line.startswith("    ")
        if follows_a_gap and not _in_block(shown) and not line.lstrip().startswith(">>>"):
            shown += ["::", ""]
        shown.append(line)
    lines[:] = shown


def _in_block(shown: list[str]) -> bool:
    """Tell whether the last line with text was indented, too, or opens a block itself."""
    last = next((line for line in reversed(shown) if line.strip()), "")
    return last.startswith("    ") or last.endswith("::")


def enter_by_the_front_door(app: Any, env: Any, node: Any, content: Any) -> Any:
    """Resolve names where users import them, ``harborsync.Plan``, to where they are documented."""
    package, _, name = node.get("reftarget", "").rpartition(".")
    if package not in {"harborsync", "harborsync.credentials", "harborsync.testing"}:
        return None
    found = getattr(importlib.import_module(package), name, None)
    if not hasattr(found, "__qualname__"):
        return None
    target = f"{found.__module__}.{found.__qualname__}"
    where = (node["refdoc"], app.builder, "obj", target)
    return env.domains["py"].resolve_xref(env, *where, node, content)


def setup(app: Any) -> None:
    """Connect the above."""
    app.connect("autodoc-process-docstring", show_drawings)
    app.connect("missing-reference", enter_by_the_front_door)
