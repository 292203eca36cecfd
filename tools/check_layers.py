#!/usr/bin/env python3
"""Checks that an #include points only to a layer further left (docs/architecture.md shows the arrows)."""
import re

import tree

# Folder of src/ -> the folders it may include, itself aside.
ARROWS = {
    "base": "",
    "tensor": "base",
    "backend": "base tensor",
    "ops": "base tensor backend",
    "weights": "base tensor backend ops",
    "nn": "base tensor backend ops weights",
    "models": "base tensor backend ops weights nn",
    "text": "base",
    "image": "base tensor",
    "sampling": "base tensor backend ops",
    "checkpoint": "base tensor backend ops weights",
    "pipeline": "base tensor backend ops weights nn models text image sampling checkpoint",
}
VOCABULARY = {"mezzotint/errors.h", "mezzotint/image.h"}  # plain types, welcome everywhere
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)


def reason(path, header):
    """Why this file may not include that header, or None. Both as paths: src/nn/linear.cpp, ops/matmul.h."""
    place, target = path.parts[0], header.split("/")[0]
    if target == "mezzotint":
        if place in {"include", "apps", "bindings"} or path.parts[:2] == ("src", "pipeline") or header in VOCABULARY:
            return None
        return "only the pipeline and the apps see the public interface (errors.h and image.h aside)"
    if place == "include":
        return "the public headers include nothing of src/"
    if place in {"apps", "bindings"}:
        if path.parts[1] == "cli" and target == "server":
            return None  # the program has the server as one of its commands
        return None if target in {path.parts[1], *path.parts[2:-1]} or "/" not in header else "apps see only include/mezzotint/ and their own folder"
    layer = path.parts[1]
    if layer not in ARROWS:
        return f"src/{layer} is no layer: add it to tools/check_layers.py and docs/architecture.md"
    if target not in ARROWS:
        return "write includes as \"folder/header.h\", from src/"
    if target != layer and target not in ARROWS[layer].split():
        return f"the arrow {layer} -> {target} does not exist"
    if target == "backend" and layer not in {"backend", "pipeline"} and header.count("/") > 1:
        return "a backend's own headers are for that backend and the pipeline, which chooses one; include backend/backend.h"
    return None


def problems(root=tree.ROOT):
    found = []
    for path in tree.code(root, "src", "include", "apps", "bindings"):
        for header in INCLUDE.findall((root / path).read_text(errors="replace")):
            why = reason(path, header)
            # Kernels are included again for every instruction set, by the name of their own file.
            if why and not header.startswith("hwy/"):
                found.append(f'{path}: #include "{header}": {why}')
    return found


if __name__ == "__main__":
    tree.finish("layers", problems())
