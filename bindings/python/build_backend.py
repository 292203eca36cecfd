"""Builds the wheel and the source archive of the package with CMake and nothing else (PEP 517, PEP 660).

It needs what ./run needs (tools/setup.sh lists the Debian packages), pybind11-dev and python3-dev.
"""

import base64
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAME = "mezzotint"
VERSION = re.search(r"VERSION (\d+\.\d+\.\d+)", (ROOT / "CMakeLists.txt").read_text()).group(1)
INFO = f"{NAME}-{VERSION}.dist-info"
METADATA = f"""Metadata-Version: 2.1
Name: {NAME}
Version: {VERSION}
Summary: Pictures from text with Stable Diffusion, on your own machine
License: Apache-2.0
Requires-Python: >=3.9
Provides-Extra: pillow
Requires-Dist: pillow; extra == 'pillow'
Description-Content-Type: text/markdown

"""


def _metadata():
    return (METADATA + (ROOT / "README.md").read_text()).encode()


def _tag():
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    return f"{python}-{python}-{platform}"


def _build():
    """The folder of the built package."""
    for tool in ("cmake", "ninja"):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is missing; install what Mezzotint is built with: apt install cmake ninja-build (./run does it all)")
    build = ROOT / "build" / f"python-{sys.version_info.major}.{sys.version_info.minor}"
    configure = ["cmake", "-S", str(ROOT), "-B", str(build), "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
                 "-DMEZZO_PYTHON=ON", f"-DPython_EXECUTABLE={sys.executable}"]  # fmt: skip
    subprocess.run(configure, check=True)
    subprocess.run(["cmake", "--build", str(build), "--target", "stable_diffusion_core"], check=True)
    return build / "bindings" / "python" / "stable_diffusion"


class _Wheel:
    def __init__(self, path):
        self.zip = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED)
        self.record = []

    def add(self, name, data):
        entry = zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.external_attr = 0o644 << 16
        self.zip.writestr(entry, data)
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        self.record.append(f"{name},sha256={digest},{len(data)}")

    def finish(self):
        self.add(f"{INFO}/METADATA", _metadata())
        self.add(f"{INFO}/licenses/LICENSE", (ROOT / "LICENSE").read_bytes())
        self.add(f"{INFO}/WHEEL", f"Wheel-Version: 1.0\nGenerator: {NAME}\nRoot-Is-Purelib: false\nTag: {_tag()}\n".encode())
        self.zip.writestr(f"{INFO}/RECORD", "\n".join([*self.record, f"{INFO}/RECORD,,", ""]))
        self.zip.close()


def get_requires_for_build_wheel(config_settings=None):
    return []


get_requires_for_build_editable = get_requires_for_build_sdist = get_requires_for_build_wheel


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    package = _build()
    name = f"{NAME}-{VERSION}-{_tag()}.whl"
    wheel = _Wheel(os.path.join(wheel_directory, name))
    for file in sorted(package.iterdir()):
        if file.suffix in (".py", ".pyi", ".so", ".typed"):
            wheel.add(f"stable_diffusion/{file.name}", file.read_bytes())
    for file in sorted((ROOT / "models").iterdir()):
        wheel.add(f"stable_diffusion/models/{file.name}", file.read_bytes())
    wheel.finish()
    return name


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    package = _build()
    name = f"{NAME}-{VERSION}-{_tag()}.whl"
    wheel = _Wheel(os.path.join(wheel_directory, name))
    wheel.add(f"{NAME}.pth", f"{package.parent}\n".encode())
    wheel.finish()
    return name


def build_sdist(sdist_directory, config_settings=None):
    base = f"{NAME}-{VERSION}"
    files = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], check=True, capture_output=True).stdout
    path = os.path.join(sdist_directory, f"{base}.tar.gz")
    with tarfile.open(path, "w:gz") as archive:
        for name in sorted(files.decode().split("\0")):
            if name and not name.startswith("tests/golden/"):
                archive.add(ROOT / name, f"{base}/{name}")
        metadata = _metadata()
        entry = tarfile.TarInfo(f"{base}/PKG-INFO")
        entry.size = len(metadata)
        archive.addfile(entry, io.BytesIO(metadata))
    return os.path.basename(path)
