"""The npm package `openai` against a running server: node/openai.test.mjs.

    openai_node_test.py MEZZO     skips without Node or the package: cd tests/server/node && npm ci
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from running_server import Server

FOLDER = pathlib.Path(__file__).resolve().parent / "node"


def missing():
    """Why the test cannot run here; empty when it can."""
    node = shutil.which("node")
    if node is None:
        return "Node.js is not installed"
    version = subprocess.run([node, "-p", "process.versions.node"], stdout=subprocess.PIPE, text=True).stdout.strip()
    if int(version.split(".")[0]) < 20:
        return f"Node.js is {version}; 20 or later is needed"
    wanted = json.loads((FOLDER / "package.json").read_text())["devDependencies"]["openai"]
    file = FOLDER / "node_modules" / "openai" / "package.json"
    if not file.exists() or json.loads(file.read_text())["version"] != wanted:
        return f"openai {wanted} is not installed (cd tests/server/node && npm ci)"
    return ""


def main():
    reason = missing()
    if reason:
        print(f"skipped: {reason}")
        return 77
    with tempfile.TemporaryDirectory() as folder, Server(sys.argv[1], folder) as server:
        command = ["node", "--test", "--test-reporter=spec", str(FOLDER / "openai.test.mjs")]
        return subprocess.run(command, cwd=FOLDER, env={**os.environ, "MEZZO_URL": server.url}).returncode


if __name__ == "__main__":
    sys.exit(main())
