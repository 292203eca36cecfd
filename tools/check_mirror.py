#!/usr/bin/env python3
"""Checks that tests/ mirrors src/: src/X/foo.cpp has tests/X/foo_test.cpp (src/backend/cpu/foo.cpp may share
tests/backend/foo_test.cpp with other backends), or a line in tools/mirror_allow.txt that names the test which covers it.
A name there that ends in / stands for the whole folder."""
import pathlib

import tree


def problems(root=tree.ROOT):
    present = {str(p) for p in tree.code(root, "src", "tests")}
    allow = tree.allowed(root, "mirror_allow.txt")
    found = []
    for name in sorted(p for p in present if p.startswith("src/") and p.endswith(".cpp")):
        path = pathlib.Path(name)
        folders = [path.parts[1:k] for k in range(len(path.parts) - 1, 1, -1) or [1]]  # its own, then those above
        tests = [str(pathlib.Path("tests", *folder, path.stem + "_test.cpp")) for folder in folders]
        mirrored = any(test in present for test in tests)
        covered = name in allow or any(key.endswith("/") and name.startswith(key) for key in allow)
        if mirrored and name in allow:
            found.append(f"tools/mirror_allow.txt: {name} has a test of its own by now: remove the line")
        elif not mirrored and not covered:
            found.append(f"{name}: no {tests[0]} (or name the test that covers it in tools/mirror_allow.txt)")
    for name, reason in allow.items():
        cover = reason.split()[0] if reason else ""
        if not any(p == name or name.endswith("/") and p.startswith(name) for p in present):
            found.append(f"tools/mirror_allow.txt: {name} does not exist")
        elif cover not in present:
            found.append(f"tools/mirror_allow.txt: {name}: the covering test '{cover}' does not exist")
    return found


if __name__ == "__main__":
    tree.finish("tests mirror src", problems())
