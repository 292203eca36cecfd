"""The browser tests of apps/web/tests/e2e, against the built server with the shipped model.

    web_page_test.py MEZZO [FILE...]     FILE: only these of the tests, such as mask.test.mjs

Starts two servers on free ports, one of them with a token. A checkpoint of the goldens is converted with its vocabulary
and merges, and is a second model on the page. Skips where Node, the page's packages or Chromium are not
installed; CHROMIUM names another browser than /usr/bin/chromium.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from running_server import Server

WEB = pathlib.Path(__file__).resolve().parents[2] / "apps" / "web"
MODELS = WEB.parents[1] / "models"
TOKEN = "a-token-for-the-test"
OLDEST_NODE = (20, 19)


def missing():
    """Why the tests cannot run here; empty when they can."""
    node = shutil.which("node")
    if node is None:
        return "Node.js is not installed"
    version = subprocess.run([node, "-p", "process.versions.node"], stdout=subprocess.PIPE, text=True).stdout.strip()
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_NODE:
        return f"Node.js is {version}; 20.19 or later is needed"
    wanted = json.loads((WEB / "package.json").read_text())["devDependencies"]
    for name in ("playwright-core", "axe-core"):
        file = WEB / "node_modules" / name / "package.json"
        if not file.exists() or json.loads(file.read_text())["version"] != wanted[name]:
            return f"{name} {wanted[name]} is not installed (cd apps/web && npm ci)"
    browser = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    if shutil.which(browser) is None:
        return f"{browser} is not installed (apt-get install chromium, or CHROMIUM=FILE)"
    return ""


def golden(name):
    """A model of the goldens of pipelines, or None."""
    roots = [WEB.parents[2] / "shared" / "goldens", *map(pathlib.Path, filter(None, os.environ.get("MEZZO_GOLDENS", "").split(":")))]
    return next((root / "pipelines" / name for root in roots if (root / "pipelines" / name).exists()), None)


def own_model(mezzo, folder):
    """A .ckpt with the vocab.json and merges.txt beside it, as a model in `folder`; its name, or None without goldens."""
    found = golden("tiny_sd1.ckpt")
    if found is None:
        return None
    os.makedirs(folder)
    command = [mezzo, "convert", str(found), f"{folder}/own.gguf", "--config", str(found.with_suffix("")), "-q"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return "own"


def three_encoders(folder):
    """Stable Diffusion 3 as people have it: the model in `folder`, its text encoders in files of their own elsewhere.
    The options that say where, or None without goldens."""
    whole = golden("tiny_sd3")
    if whole is None:
        return None
    encoders = ("text_encoder", "text_encoder_2", "text_encoder_3")
    shutil.copytree(whole, f"{folder}/three", ignore=shutil.ignore_patterns(*encoders))
    index = pathlib.Path(folder, "three", "model_index.json")
    index.write_text(json.dumps({key: value for key, value in json.loads(index.read_text()).items() if key not in encoders}))
    return [part for flag, name in zip(("--clip-l", "--clip-g", "--t5"), encoders) for part in (flag, str(whole / name))]


def main():
    reason = missing()
    if reason:
        print(f"skipped: {reason}")
        return 77
    mezzo, *names = sys.argv[1:]
    files = [str(WEB / "tests" / "e2e" / name) for name in names] or sorted(
        str(file) for file in (WEB / "tests" / "e2e").glob("*.test.mjs")
    )
    with tempfile.TemporaryDirectory() as folder:
        own = own_model(mezzo, f"{folder}/models")
        encoders = three_encoders(f"{folder}/models")
        more = ["--models-dir", f"{MODELS}:{folder}/models", *(encoders or [])]
        plain, locked = Server(mezzo, f"{folder}/open", *more), Server(mezzo, f"{folder}/locked", *more, "--token", TOKEN)
        with plain, locked:
            urls = {"MEZZO_URL": plain.url, "MEZZO_TOKEN_URL": locked.url, "MEZZO_TOKEN": TOKEN}
            if own is not None:
                urls["MEZZO_OWN_MODEL"] = own
            if encoders is not None:
                urls["MEZZO_THREE_ENCODERS"] = "three"
            command = ["node", "--test", "--test-concurrency=1", "--test-reporter=spec", *files]
            patience = {"MEZZO_PATIENCE": os.environ.get("MEZZO_PATIENCE", "120000")}
            return subprocess.run(command, cwd=WEB, env={**os.environ, **urls, **patience}).returncode


if __name__ == "__main__":
    sys.exit(main())
