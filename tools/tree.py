"""The files of the checkout, and how a check of tools/ ends."""
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
CODE = {".h", ".cpp", ".inl"}


def files(root=ROOT):
    """Every file that git tracks or would track, relative to root; all but build output where git is not there."""
    command = ["git", "-c", "safe.directory=*", "-C", str(root), "ls-files", "-z", "-co", "--exclude-standard"]
    try:
        listed = subprocess.run(command, check=True, capture_output=True).stdout.decode().split("\0")
        found = (pathlib.Path(name) for name in listed if name)
    except (OSError, subprocess.CalledProcessError):
        found = (p.relative_to(root) for p in root.rglob("*") if p.relative_to(root).parts[0] not in {"build", ".git"})
    return sorted(p for p in found if (root / p).is_file() and not (root / p).is_symlink())


def code(root=ROOT, *folders):
    """The C++ files below these top folders."""
    return [p for p in files(root) if p.suffix in CODE and p.parts[0] in folders]


def allowed(root, name):
    """tools/<name>: lines 'key  reason', '#' begins a comment. Returns {key: reason}."""
    path = root / "tools" / name
    lines = path.read_text().splitlines() if path.exists() else []
    rows = (line.split(None, 1) for line in lines if line.strip() and not line.startswith("#"))
    return {row[0]: row[1] if len(row) > 1 else "" for row in rows}


def finish(what, problems):
    """Prints the problems, one a line, and ends the process."""
    for problem in problems:
        print(problem)
    print(f"{what}: {len(problems)} problems" if problems else f"{what}: ok")
    sys.exit(1 if problems else 0)
