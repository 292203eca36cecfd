#!/usr/bin/env python3
"""Checks the tree as a whole: its size, unfinished work, traces of one machine, lengths and links of the documents."""
import re

import tree

MAX_TREE = 40 << 20
MAX_DOCUMENT = {"README.md": 150, "CONTRIBUTING.md": 120, "docs/architecture.md": 300}
EXECUTABLE = ["run", "test", ".ci/run"]
UNFINISHED = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b|not (?:yet )?implemented", re.IGNORECASE)
MACHINE = re.compile(r"(?<![\w.])/(?:work|root|farm)/|(?<![\w.$}])/home/\w+/")
REGISTRY = re.compile(r"https?://[\w.-]*(?:npmjs|pypi|pythonhosted|crates\.io|proxy\.golang|maven|deb\.debian)[\w.-]*", re.I)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
PROGRAM_FOLDERS = {"src", "include", "apps", "bindings", "cmake", "bench", "fuzz", "run", "test"}


def text_of(path):
    data = path.read_bytes()
    return None if b"\0" in data[:4096] or len(data) > 4 << 20 else data.decode(errors="replace")


def lines_with(pattern, text):
    return [(i, m.group()) for i, line in enumerate(text.splitlines(), 1) if (m := pattern.search(line))]


def check_text(root, path, text):
    if path.parts[0] in PROGRAM_FOLDERS:
        yield from (f"{path}:{i}: unfinished work: {word}" for i, word in lines_with(UNFINISHED, text))
    yield from (f"{path}:{i}: a path of one machine: {word}" for i, word in lines_with(MACHINE, text))
    yield from (f"{path}:{i}: the address of a package registry: {word}" for i, word in lines_with(REGISTRY, text))
    if path.suffix == ".md":
        limit = MAX_DOCUMENT.get(str(path))
        if limit and text.count("\n") > limit:
            yield f"{path}: {text.count(chr(10))} lines (at most {limit})"
        for link in LINK.findall(text):
            if not re.match(r"\w+:", link) and not (root / path.parent / link).exists():
                yield f"{path}: the link {link} leads nowhere"


def problems(root=tree.ROOT):
    found = []
    names = tree.files(root)
    size = sum((root / p).stat().st_size for p in names)
    if size > MAX_TREE:
        found.append(f"the tree has {size / 2**20:.1f} MiB (at most {MAX_TREE >> 20})")
    for name in EXECUTABLE:
        if not (root / name).exists() or not (root / name).stat().st_mode & 0o100:
            found.append(f"{name}: missing or not executable")
    for path in names:
        text = text_of(root / path)
        if text is not None:
            found += check_text(root, path, text)
    return found


if __name__ == "__main__":
    tree.finish("tree", problems())
