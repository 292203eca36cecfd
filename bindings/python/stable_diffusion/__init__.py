"""Pictures from text, on this machine, with Stable Diffusion.

>>> from stable_diffusion import generate_image
>>> generate_image("a red apple").save("output.png")

Without ``model`` the small model that ships with the package draws; give the path of a
``.safetensors``, ``.ckpt``, ``.gguf`` file or diffusers folder, or a Hugging Face id that is in its
cache, for your own. :class:`Pipeline` keeps a model loaded and does image-to-image and inpainting.
"""

import os as _os
import platform as _platform

# Threads that wait for each other give the processor away soon (docs/gotchas.md); OpenMP reads this when it is loaded.
# About 50 microseconds: on x86 a turn of its loop is a pause of 10 to 140 cycles.
_os.environ.setdefault("GOMP_SPINCOUNT", "4000" if _platform.machine() in ("x86_64", "AMD64") else "40000")

from .errors import Cancelled, DeviceError, Error, InternalError, LoadError, OutOfMemory, UsageError
from .pictures import Picture
from .pipeline import Pipeline, Progress, generate_image
from .tools import convert, inspect, models, read_recipe, samplers, schedules
from ._core import version as __version__

__version__ = __version__.split()[-1]

__all__ = [
    "generate_image", "Pipeline", "Picture", "Progress",
    "models", "inspect", "convert", "read_recipe", "samplers", "schedules",
    "Error", "UsageError", "LoadError", "OutOfMemory", "Cancelled", "DeviceError", "InternalError",
]  # fmt: skip
