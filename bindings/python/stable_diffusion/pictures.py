"""Pictures in and out: Pillow's where it is installed, a small class of our own elsewhere."""

from __future__ import annotations

import io
import json
import os
from typing import Any, Optional, Tuple, Union

from . import _core
from .errors import UsageError

try:
    from PIL import Image as _pillow
except ImportError:  # Pillow is recommended, not needed
    _pillow = None  # type: ignore[assignment]

Pixels = Tuple[bytes, int, int, int]
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_FORMATS = (".png", ".jpg", ".jpeg", ".webp")


class _Recipe:
    """What both kinds of picture know about how they were made."""

    prompt: str = ""
    seed: int = 0
    seconds: float = 0.0
    infotext: str = ""
    request: str = ""

    def _remember(self, made: dict[str, Any]) -> None:
        self.prompt, self.seed, self.seconds = made["prompt"], made["seed"], made["seconds"]
        self.infotext, self.request = made["infotext"], made["request"]

    @property
    def recipe(self) -> dict[str, Any]:
        """The full request that makes this picture again, as ``Pipeline`` and ``mezzo redo`` take it."""
        return json.loads(self.request)


if _pillow is not None:

    class Picture(_Recipe, _pillow.Image):
        """A ``PIL.Image.Image`` whose ``save`` keeps the recipe inside the file."""

        def save(self, fp: Any, format: Optional[str] = None, **params: Any) -> None:  # noqa: A002
            """As Pillow's. A path ending in .png, .jpg or .webp without further options gets the recipe
            in the form that other programs read; ``quality`` (1-100) is for JPEG and WebP."""
            name = os.fspath(fp) if isinstance(fp, (str, os.PathLike)) else None
            ours = name is not None and str(name).lower().endswith(_FORMATS)
            if ours and format is None and set(params) <= {"quality"} and self.mode in _MODES.values():
                _core.save(str(name), pixels_of(self), self.infotext, self.request, int(params.get("quality", 92)))
                return
            if (format or "").upper() == "PNG" and "pnginfo" not in params and self.infotext:
                from PIL.PngImagePlugin import PngInfo

                params["pnginfo"] = PngInfo()
                params["pnginfo"].add_text("parameters", self.infotext)
            _pillow.Image.save(self, fp, format, **params)

    def to_picture(made: dict[str, Any]) -> Picture:
        data, width, height, channels = made["pixels"]
        picture = _pillow.frombytes(_MODES[channels], (width, height), data)
        picture.__class__ = Picture
        picture._remember(made)
        picture.info["parameters"] = picture.infotext
        return picture

else:

    class Picture(_Recipe):  # type: ignore[no-redef]
        """A picture: ``size``, ``mode``, ``save``; NumPy reads it with ``numpy.asarray``."""

        def __init__(self, pixels: Pixels) -> None:
            self._pixels = pixels
            self.info: dict[str, Any] = {}

        @property
        def size(self) -> Tuple[int, int]:
            return self._pixels[1], self._pixels[2]

        @property
        def mode(self) -> str:
            return _MODES[self._pixels[3]]

        def tobytes(self) -> bytes:
            return self._pixels[0]

        @property
        def __array_interface__(self) -> dict[str, Any]:
            data, width, height, channels = self._pixels
            shape = (height, width) if channels == 1 else (height, width, channels)
            return {"shape": shape, "typestr": "|u1", "data": data, "version": 3}

        def save(self, path: Union[str, "os.PathLike[str]"], quality: int = 92) -> None:
            """Writes PNG, JPEG or WebP by the name's ending, with the recipe inside."""
            _core.save(os.fspath(path), self._pixels, self.infotext, self.request, quality)

        def _repr_png_(self) -> bytes:
            import tempfile

            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "picture.png")
                self.save(path)
                with open(path, "rb") as file:
                    return file.read()

    def to_picture(made: dict[str, Any]) -> Picture:
        picture = Picture(made["pixels"])
        picture._remember(made)
        picture.info["parameters"] = picture.infotext
        return picture


def _of_array(array: Any, what: str) -> Pixels:
    """[H, W] or [H, W, 1 | 3 | 4]: uint8, bool, or floating from 0 to 1."""
    shape = tuple(array.shape)
    if len(shape) == 2:
        shape += (1,)
    if len(shape) != 3 or shape[2] not in _MODES:
        raise UsageError(f"{what}: an array of shape {tuple(array.shape)} is no picture; give [height, width] or [height, width, 1, 3 or 4]")
    kind = array.dtype.kind
    if kind == "f":
        if not bool(((array >= 0) & (array <= 1)).all()):
            raise UsageError(f"{what}: floating values must lie from 0 to 1; divide by 255, or give uint8")
        array = (array * 255).round().astype("uint8")
    elif kind == "b":
        array = array.astype("uint8") * 255
    elif array.dtype != "uint8":
        raise UsageError(f"{what}: values of type {array.dtype} are not understood; give uint8, bool or floating")
    return array.tobytes(), shape[1], shape[0], shape[2]


def pixels_of(image: Any, what: str = "image") -> Pixels:
    """A path, a PIL image, a NumPy array or one of our pictures as plain pixels. Raises UsageError."""
    if isinstance(image, (str, os.PathLike)):
        return _core.load_image(os.fspath(image))
    if isinstance(image, (bytes, bytearray)):
        if _pillow is None:
            raise UsageError(f"{what}: bytes of a file need Pillow; give a path")
        image = _pillow.open(io.BytesIO(image))
    if _pillow is not None and isinstance(image, _pillow.Image):
        if image.mode not in _MODES.values():
            has_alpha = "A" in image.mode or "transparency" in image.info
            image = image.convert("RGBA" if has_alpha else "RGB")
        return image.tobytes(), image.width, image.height, len(image.getbands())
    if isinstance(image, Picture):
        return image._pixels
    if hasattr(image, "dtype") and hasattr(image, "shape") and hasattr(image, "tobytes"):
        return _of_array(image, what)
    raise UsageError(f"{what}: {type(image).__name__} is no picture; give a path, a PIL image or a NumPy array")
