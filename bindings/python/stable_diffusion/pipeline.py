"""A loaded model, and the two-line way to a picture."""

from __future__ import annotations

import collections.abc
import inspect
import json
import os
import threading
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, Union

from . import _core
from .errors import UsageError
from .pictures import Picture, pixels_of, to_picture

Prompt = Union[str, Sequence[str], "os.PathLike[str]"]

#: Names that diffusers uses, and ours.
_DIFFUSERS_NAMES = {
    "num_inference_steps": "steps",
    "guidance_scale": "guidance",
    "num_images_per_prompt": "count",
    "scheduler": "sampler",
    "max_sequence_length": "t5_length",
    "skip_layer_guidance_scale": "skip_layer_guidance",
    "skip_guidance_layers": "skip_layers",
    "skip_layer_guidance_start": "skip_layer_start",
    "skip_layer_guidance_stop": "skip_layer_stop",
}
_SETTINGS = {row[0] for row in _core.fields()}


@dataclass(frozen=True)
class Progress:
    """Where the work is: sent at the start of every phase and after every step."""

    phase: str  #: "load", "encode", "denoise" or "decode"
    step: int
    steps: int
    picture: int  #: pictures that are finished
    pictures: int
    seconds_per_step: float
    seconds_left: float  #: to the end of all pictures; 0 while unknown
    preview: Optional[Picture]  #: a small picture of the present state, where previews were asked for


def _prompts(prompt: Prompt) -> List[str]:
    if isinstance(prompt, os.PathLike) or (
        isinstance(prompt, str) and prompt.endswith(".txt") and os.path.isfile(prompt)
    ):
        try:
            with open(prompt, encoding="utf-8") as file:
                prompts = [line.strip() for line in file if line.strip() and not line.startswith("#")]
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{os.fspath(prompt)} cannot be read as text: {error}") from error
        if not prompts:
            raise UsageError(f"{os.fspath(prompt)} holds no prompts; write one a line")
        return prompts
    if isinstance(prompt, str):
        return [prompt]
    prompts = list(prompt) if isinstance(prompt, collections.abc.Iterable) else [prompt]
    if not all(isinstance(p, str) for p in prompts):
        raise UsageError("prompt: give a text, a list of texts, or the path of a text file")
    return prompts


def _settings(given: dict[str, Any]) -> dict[str, Any]:
    settings = {}
    for name, value in given.items():
        name = _DIFFUSERS_NAMES.get(name, name)
        if name in _MODEL_OPTIONS:
            raise UsageError(f"{name} belongs to the model; give it to Pipeline(model, {name}=...)")
        if name not in _SETTINGS:
            raise UsageError(f"{name} is not a setting; the settings are {', '.join(sorted(_SETTINGS))}")
        if value is not None:
            if name in settings:
                raise UsageError(f"{name} is given twice, also under another name; give it once")
            if name == "skip_layers" and not isinstance(value, str) and isinstance(value, collections.abc.Iterable):
                value = ",".join(map(str, value))
            settings[name] = value.item() if hasattr(value, "item") else value  # NumPy's numbers
    return settings


def _as_progress(report: dict[str, Any]) -> Progress:
    preview = report["preview"]
    if preview is not None:
        preview = to_picture({"pixels": preview, "prompt": "", "seed": 0, "seconds": 0.0, "infotext": "", "request": "{}"})
    return Progress(**{**report, "preview": preview})


class Pipeline:
    """A model, ready to draw.

    Parameters
    ----------
    model : path of a ``.safetensors``, ``.ckpt``, ``.gguf`` file or a diffusers folder, a name in
        ``models_dir``, or a Hugging Face id that is in its cache. Empty: the model that ships with
        the package.
    precision : "auto", "f32", "bf16" or "int8": the arithmetic of the networks.
    weights : how weights are kept in memory: "f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_k",
        "q4_1", "q4_0" or "nf4", or by network: "t5=nf4,unet=q8_0,f16". Default: quantised files as
        they are, others as the precision has it.
    vae, clip, config : files or folders that replace or supply these parts of a single file.
    clip_l, clip_g, t5 : the same for the text encoders of Stable Diffusion 3.
    no_t5 : draw without T5: less memory, prompts are followed less well.
    threads : 0 is one per physical core. Pictures do not depend on it.
    max_ram : bytes that the process may take: less is held in memory at a time until the work fits;
        what does not fit even so raises OutOfMemory. 0: what the machine has free.
    memory : "auto"; "offload": text encoders are in memory only while a new prompt is encoded;
        "low-ram": as little as possible, networks are read from their file in every step.
    prompt_cache : a folder for encoded prompts, so that text encoders are not read for a prompt seen
        before. Empty: none.
    models_dir : folders in which ``model`` is looked up by name.
    progress : called with a :class:`Progress` while the model loads.

    Raises LoadError, OutOfMemory, UsageError. Ctrl-C while it loads or draws stops within one layer
    of work and raises KeyboardInterrupt. A pipeline may be used from several threads; its runs wait
    for each other.
    """

    def __init__(
        self,
        model: Union[str, "os.PathLike[str]"] = "",
        *,
        precision: str = "auto",
        weights: str = "",
        vae: str = "",
        clip: str = "",
        clip_l: str = "",
        clip_g: str = "",
        t5: str = "",
        no_t5: bool = False,
        config: str = "",
        threads: int = 0,
        max_ram: int = 0,
        memory: str = "auto",
        prompt_cache: Union[str, "os.PathLike[str]"] = "",
        models_dir: Union[str, Sequence[str], None] = None,
        progress: Optional[Callable[[Progress], object]] = None,
    ) -> None:
        options = _core.EngineOptions()
        options.precision, options.weights = precision, weights
        options.vae, options.clip, options.config = os.fspath(vae), os.fspath(clip), os.fspath(config)
        options.clip_l, options.clip_g, options.t5 = os.fspath(clip_l), os.fspath(clip_g), os.fspath(t5)
        options.no_t5 = bool(no_t5)
        options.memory, options.prompt_cache = memory, os.fspath(prompt_cache)
        for name, value in (("threads", threads), ("max_ram", max_ram)):
            try:
                setattr(options, name, value)
            except TypeError:
                unit = " of bytes" if name == "max_ram" else ""
                raise UsageError(f"{name}: {value!r} must be a whole number{unit}, 0 or more") from None
        folders = [models_dir] if isinstance(models_dir, str) else list(models_dir or _environment_folders())
        path = _core.find_model(os.fspath(model), folders)
        report = None if progress is None else lambda p: progress(_as_progress(p))
        self._engine = _core.Engine(path, options, report)

    @property
    def info(self) -> dict[str, Any]:
        """What the model is: name, family, default size, steps, guidance and sampler, and the things
        that it says it can draw."""
        return self._engine.info()

    def tokens(self, prompt: str) -> dict[str, Any]:
        """The pieces of a prompt as the text encoder gets them, how many fit, and what is cut."""
        return self._engine.tokens(prompt)

    def text_to_image(self, prompt: Prompt, negative_prompt: str = "", **settings: Any) -> Union[Picture, List[Picture]]:
        """Draws a picture from a text.

        Parameters
        ----------
        prompt : a text, a list of texts, or the path of a text file with one prompt a line.
        negative_prompt : what the picture should not show.
        steps : 1..1000. guidance : 0..100, 1 or less turns it off. width, height : pixels, multiples
            of 8. seed : picture i uses seed + i; -1 draws one. count : pictures for each prompt.
            sampler, schedule, spacing, eta, rng, clip_skip ... : docs/python.md lists them all.
            diffusers' names (num_inference_steps, guidance_scale, num_images_per_prompt) work too.
        progress : called with a :class:`Progress` after every step; an exception from it stops the
            run. preview_every : steps between small previews in it.

        Returns a picture, or a list of them where there are several prompts or ``count`` > 1.
        Raises UsageError, OutOfMemory, Cancelled.
        """
        return self._draw(prompt, negative_prompt, None, None, settings)

    def image_to_image(self, prompt: Prompt, image: Any, negative_prompt: str = "", **settings: Any) -> Union[Picture, List[Picture]]:
        """Draws a picture anew from a text. ``image``: a path, a PIL image, or a NumPy array
        [H, W] or [H, W, 3 or 4] of uint8 or of floats from 0 to 1. ``strength`` (0..1, default 0.8):
        how much of it is redrawn. The rest is as for :meth:`text_to_image`."""
        return self._draw(prompt, negative_prompt, image, None, settings)

    def inpaint(
        self, prompt: Prompt, image: Any, mask: Any = None, negative_prompt: str = "", **settings: Any
    ) -> Union[Picture, List[Picture]]:
        """Repaints the white part of ``mask`` (the size of ``image``, in the same forms). ``mask_blur``:
        pixels over which it joins the rest; ``keep_unmasked`` (default True) leaves every other pixel
        as it was; ``only_masked`` draws the surroundings of the mask (``mask_padding`` pixels wider) at
        the full size and puts them back, so the result is as large as ``image``; ``masked_content``
        ("original", "fill", "noise", "empty") is what the masked part begins as. ``mask_image`` is taken for ``mask``. The rest is as for :meth:`image_to_image`."""
        mask = settings.pop("mask_image", mask)
        if mask is None:
            raise UsageError("mask: there is none; give a picture whose white part is to be repainted")
        return self._draw(prompt, negative_prompt, image, mask, settings)

    def __call__(self, prompt: Prompt, negative_prompt: str = "", **settings: Any) -> Union[Picture, List[Picture]]:
        """One of the three, by whether ``image`` and ``mask`` (or ``mask_image``) are given."""
        image = settings.pop("image", None)
        mask = settings.pop("mask", None)
        mask = settings.pop("mask_image", mask)
        return self._draw(prompt, negative_prompt, image, mask, settings)

    def _draw(self, prompt: Prompt, negative: str, image: Any, mask: Any, settings: dict[str, Any]) -> Union[Picture, List[Picture]]:
        progress = settings.pop("progress", None)
        preview_every = settings.pop("preview_every", 0)
        prompts = _prompts(prompt)
        request = _settings(settings)
        request["prompts"] = prompts
        request["negative_prompt"] = negative or ""
        try:
            text = json.dumps(request)
        except TypeError as error:
            raise UsageError(f"a setting has a type that is not understood: {error}") from None
        made = self._engine.generate(
            text,
            None if image is None else pixels_of(image, "image"),
            None if mask is None else pixels_of(mask, "mask"),
            None if progress is None else lambda p: progress(_as_progress(p)),
            int(preview_every),
        )
        pictures = [to_picture(m) for m in made]
        several = len(pictures) > 1 or not isinstance(prompt, str) or prompts != [prompt]
        return pictures if several else pictures[0]


#: Of Pipeline, with their defaults; the others are settings of a picture.
_MODEL_OPTIONS = {
    name: parameter.default
    for name, parameter in inspect.signature(Pipeline).parameters.items()
    if name not in ("model", "progress")
}


def _plain(value: Any) -> Any:
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _environment_folders() -> List[str]:
    return [folder for folder in os.environ.get("MEZZO_MODELS", "").split(os.pathsep) if folder]


_kept: Dict[Tuple[str, str], Pipeline] = {}
_lock = threading.Lock()


def generate_image(
    prompt: Prompt, model: Union[str, "os.PathLike[str]"] = "", **settings: Any
) -> Union[Picture, List[Picture]]:
    """Draws a picture from a text, with the last used model kept loaded.

    ``generate_image("a red apple").save("output.png")`` is a whole program. ``prompt`` and the
    settings are those of :meth:`Pipeline.text_to_image`; ``image`` and ``mask`` make it
    :meth:`Pipeline.image_to_image` and :meth:`Pipeline.inpaint`. What :class:`Pipeline` takes
    (``precision``, ``weights``, ``vae`` ...) loads the model anew when it changes.
    """
    options = {name: settings.pop(name) for name in _MODEL_OPTIONS.keys() & settings.keys()}
    key = (os.fspath(model), repr({**_MODEL_OPTIONS, **{name: _plain(value) for name, value in options.items()}}))
    with _lock:
        pipeline = _kept.get(key)
        if pipeline is None:
            _kept.clear()  # one model at a time: they are large
            pipeline = _kept[key] = Pipeline(model, **options)
    return pipeline(prompt, **settings)
