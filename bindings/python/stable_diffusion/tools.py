"""Models and recipes on disk."""

from __future__ import annotations

import json
import os
from typing import Any, Dict, List, Sequence, Tuple, Union

from . import _core

Path = Union[str, "os.PathLike[str]"]


def models(folders: Sequence[Path] = ()) -> List[Dict[str, Any]]:
    """Every model in these folders, in the Hugging Face cache, and the shipped one, from headers alone."""
    return _core.models([os.fspath(f) for f in folders])


def inspect(path: Path) -> Dict[str, Any]:
    """What a model file is: kind, networks, types, missing and unknown tensors, and what to do with it."""
    return json.loads(_core.inspect(os.fspath(path)))


def convert(model: Path, out: Path, weights: str = "", overwrite: bool = False) -> None:
    """Writes one self-contained GGUF. ``weights``: f32, f16, bf16, q8_0, or one a network as in
    "unet=q8_0,vae=f16"; empty: quantised weights as they are, others f16."""
    _core.convert(os.fspath(model), os.fspath(out), weights, overwrite)


def read_recipe(path: Path) -> Tuple[Dict[str, Any], str]:
    """The settings inside a picture of this or another Stable Diffusion program, and its model's name."""
    request, model = _core.recipe(os.fspath(path))
    return json.loads(request), model


def samplers() -> Dict[str, str]:
    """Name and display name of every sampler."""
    return dict(_core.samplers())


def schedules() -> Dict[str, str]:
    """Name and display name of every schedule."""
    return dict(_core.schedules())
