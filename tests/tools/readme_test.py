#!/usr/bin/env python3
"""Runs every ```sh block of the README, in order, as a reader would: readme_test.py MEZZO_BINARY.
The commands stand in an empty folder with a ./run that starts the built program, and with the shipped models."""
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]


def main(program):
    blocks = re.findall(r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    commands = [line for block in blocks for line in block.splitlines() if line.strip()]
    failed = 0 if commands else 1
    with tempfile.TemporaryDirectory() as folder:
        run = pathlib.Path(folder, "run")
        run.write_text(f'#!/bin/sh\nexec "{program}" "$@"\n')
        run.chmod(0o755)
        pathlib.Path(folder, "models").symlink_to(ROOT / "models")
        for command in commands:
            done = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True)
            failed += done.returncode != 0
            print(f"{'ok' if done.returncode == 0 else 'FAILED'}: {command}")
            if done.returncode:
                print(done.stdout, done.stderr, sep="\n")
        for picture in ["apple.png", "again.png", "yellow.png"]:
            if not pathlib.Path(folder, picture).is_file():
                print(f"FAILED: {picture} was not written")
                failed += 1
    print(f"README: {len(commands)} commands, {failed} failures")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve()))
