"""The package stable_diffusion with the model that ships with it."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import warnings
from pathlib import Path
from unittest import mock

import numpy as np
from PIL import Image

import stable_diffusion as sd

FAST = {"steps": 3, "seed": 7}


class TwoLines(unittest.TestCase):
    def test_the_promise(self):
        with tempfile.TemporaryDirectory() as folder:
            script = 'from stable_diffusion import generate_image\ngenerate_image("a red apple").save("output.png")\n'
            subprocess.run([sys.executable, "-c", script], cwd=folder, check=True)
            with Image.open(Path(folder) / "output.png") as picture:
                self.assertEqual(picture.size, (128, 128))
                self.assertIn("a red apple\nSteps: 20, Sampler: DDIM", picture.info["parameters"])

    def test_without_pillow(self):
        script = (
            "import sys; sys.modules['PIL'] = None\n"
            "from stable_diffusion import generate_image\n"
            "p = generate_image('a red apple', steps=2, seed=7)\n"
            "p.save('out.png'); print(p.size, p.mode, len(p.tobytes()), p._repr_png_()[:4])\n"
        )
        with tempfile.TemporaryDirectory() as folder:
            out = subprocess.run([sys.executable, "-c", script], cwd=folder, check=True, capture_output=True, text=True)
            self.assertEqual(out.stdout.strip(), "(128, 128) RGB 49152 b'\\x89PNG'")


class Drawing(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.pipeline = sd.Pipeline()

    def test_a_text_a_list_and_a_file(self):
        one = self.pipeline.text_to_image("a red apple", **FAST)
        self.assertIsInstance(one, Image.Image)
        two = self.pipeline.text_to_image(["a red apple", "a blue car"], **FAST)
        self.assertEqual([p.prompt for p in two], ["a red apple", "a blue car"])
        self.assertEqual(two[0].tobytes(), one.tobytes())
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "prompts.txt"
            path.write_text("a red apple\n\n# a comment\na blue car\n")
            for given in (path, str(path)):
                again = sd.generate_image(given, **FAST)
                self.assertEqual([p.tobytes() for p in again], [p.tobytes() for p in two])

    def test_the_names_of_diffusers(self):
        ours = self.pipeline("a red apple", steps=3, guidance=2.0, count=2, seed=7)
        theirs = self.pipeline(
            "a red apple", num_inference_steps=3, guidance_scale=2.0, num_images_per_prompt=2, seed=np.int64(7)
        )
        self.assertEqual([p.tobytes() for p in ours], [p.tobytes() for p in theirs])
        self.assertEqual([p.seed for p in ours], [7, 8])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they do nothing with this model
            self.pipeline("a red apple", max_sequence_length=77, skip_layer_guidance_scale=0.0, skip_guidance_layers=[7, 8, 9],
                          skip_layer_guidance_start=0.1, skip_layer_guidance_stop=0.2, **FAST)  # fmt: skip

    def test_options_of_the_model(self):
        exact = sd.Pipeline(precision="f32")("a red apple", **FAST)
        quick = sd.generate_image("a red apple", precision="int8", **FAST)
        self.assertNotEqual(exact.tobytes(), quick.tobytes())
        self.assertEqual(exact.tobytes(), sd.generate_image("a red apple", precision="f32", **FAST).tobytes())
        with self.assertRaisesRegex(sd.UsageError, "Pipeline"):
            self.pipeline("a red apple", precision="int8")
        with self.assertRaisesRegex(sd.UsageError, "twice"):
            self.pipeline("a red apple", steps=2, num_inference_steps=3)

    def test_the_last_model_is_kept(self):
        with mock.patch("stable_diffusion.pipeline.Pipeline", wraps=sd.Pipeline) as made:
            for options in ({"threads": 1}, {"threads": 1, "precision": "auto"}, {"threads": 1, "prompt_cache": Path(".")},
                            {"threads": 1, "prompt_cache": "."}):  # fmt: skip
                sd.generate_image("a red apple", **options, **FAST)
        self.assertEqual(made.call_count, 2)

    def test_pictures_keep_their_recipe(self):
        picture = self.pipeline.text_to_image("a green leaf", **FAST)
        self.assertEqual(picture.recipe["steps"], 3)
        with tempfile.TemporaryDirectory() as folder:
            for name in ("a.png", "a.webp", "a.jpg"):
                path = os.path.join(folder, name)
                picture.save(path)
                request, model = sd.read_recipe(path)
                self.assertEqual((request["prompt"], request["seed"], model), ("a green leaf", 7, "icons"))
            again = self.pipeline(**sd.read_recipe(os.path.join(folder, "a.png"))[0] | {"width": 128})
            self.assertEqual(again.tobytes(), picture.tobytes())
            stream = open(os.path.join(folder, "b.png"), "wb")
            with stream:
                picture.save(stream, format="PNG")
            with Image.open(stream.name) as again:
                self.assertIn("a green leaf", again.info["parameters"])
            picture.convert("L").save(os.path.join(folder, "grey.bmp"))

    def test_inpainting_changes_only_what_is_white(self):
        image = np.full((128, 128, 3), 200, np.uint8)
        mask = np.zeros((128, 128), bool)
        mask[:, 64:] = True
        for given_image, given_mask in (
            (image, mask),
            (Image.fromarray(image), Image.fromarray(mask.astype(np.uint8) * 255)),
            (image / 255.0, mask.astype(np.float32)[:, :, None]),
        ):
            out = np.asarray(self.pipeline.inpaint("a red apple", given_image, given_mask, **FAST))
            self.assertTrue((out[:, :64] == 200).all())
            self.assertGreater((out[:, 64:] != 200).sum(), 1000)

    def test_image_to_image(self):
        first = self.pipeline.text_to_image("a red apple", **FAST)
        near = self.pipeline.image_to_image("a blue car", first, strength=0.3, steps=10, seed=3)
        far = self.pipeline.image_to_image("a blue car", first, strength=1.0, steps=10, seed=3)
        difference = [np.abs(np.asarray(p, int) - np.asarray(first, int)).mean() for p in (near, far)]
        self.assertLess(difference[0], difference[1])

    def test_progress_and_previews(self):
        seen = []
        self.pipeline.text_to_image("a red apple", progress=seen.append, preview_every=1, **FAST)
        self.assertEqual([p.step for p in seen if p.phase == "denoise" and p.preview is None], [1, 2])
        self.assertTrue(any(isinstance(p.preview, Image.Image) for p in seen))

    def test_an_exception_in_progress_stops_the_run(self):
        steps = []

        def stop(progress):
            steps.append(progress.step)
            if progress.step == 2:
                raise ZeroDivisionError("enough")

        with self.assertRaises(ZeroDivisionError):
            self.pipeline.text_to_image("a red apple", steps=500, progress=stop)
        self.assertLess(len(steps), 500)
        self.assertEqual(self.pipeline.text_to_image("a red apple", **FAST).size, (128, 128))

    def test_ctrl_c(self):
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        begin = time.monotonic()
        with self.assertRaises(KeyboardInterrupt):
            self.pipeline.text_to_image("a red apple", steps=1000)
        self.assertLess(time.monotonic() - begin, 10)

    def test_other_threads_go_on(self):
        ticks = []
        done = threading.Event()

        def tick():
            while not done.wait(0.001):
                ticks.append(1)

        thread = threading.Thread(target=tick)
        thread.start()
        self.pipeline.text_to_image("a red apple", steps=20)
        done.set()
        thread.join()
        self.assertGreater(len(ticks), 20)

    def test_warnings_are_pythons(self):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            self.pipeline.text_to_image("apple " * 200, steps=1, seed=1)
        self.assertTrue(any("longer than the 77 tokens" in str(w.message) for w in caught))


class Refusals(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.pipeline = sd.Pipeline()

    def test_bad_values(self):
        picture = np.zeros((64, 64, 3), np.uint8)
        for given in (
            {"steps": 0.5}, {"steps": -1}, {"steps": "many"}, {"steps": 10**30}, {"steps": [1]}, {"steps": object()},
            {"width": 100}, {"guidance": float("nan")}, {"guidance": float("inf")}, {"sampler": "no such"},
            {"sampler": 5}, {"seed": -7}, {"seed": 2**63}, {"count": 0}, {"nonsense": 1},
            {"image": 5}, {"image": "/no/such/file.png"}, {"image": np.zeros((4,))}, {"image": np.zeros((8, 8, 5))},
            {"image": np.full((8, 8, 3), 7.0)}, {"image": np.zeros((0, 0, 3), np.uint8)},
            {"image": picture.astype(np.int64)}, {"image": np.full((8, 8, 3), np.nan)}, {"image": b"not a picture"},
            {"mask": picture}, {"image": picture, "mask": picture}, {"image": picture, "mask": np.ones((32, 32))},
            {"strength": 0.8, "steps": 1, "image": picture},
        ):  # fmt: skip
            with self.subTest(given=str(given)[:60]):
                with self.assertRaises((sd.UsageError, OSError, TypeError)) as caught:
                    self.pipeline("a red apple", **given)
                self.assertGreater(len(str(caught.exception)), 10)

    def test_bad_prompts(self):
        for prompt in (5, None, [1], [], [None], object(), Path("/no/such/file.txt")):
            with self.subTest(prompt=prompt), self.assertRaises(sd.UsageError):
                self.pipeline(prompt)

    def test_bad_models(self):
        with tempfile.TemporaryDirectory() as folder:
            html = os.path.join(folder, "model.safetensors")
            Path(html).write_text("<!doctype html><title>404</title>")
            for model in ("/no/such/model", folder, html, "org/never-downloaded"):
                with self.subTest(model=model), self.assertRaises(sd.LoadError):
                    sd.Pipeline(model)
        for options in ({"precision": "f8"}, {"threads": -1}, {"threads": "x"}, {"max_ram": -1}, {"weights": "q9"}):
            with self.subTest(options=options), self.assertRaises((sd.UsageError, TypeError)):
                sd.Pipeline(**options)
        with self.assertRaises(MemoryError):
            sd.Pipeline(max_ram=1 << 20)

    def test_errors_are_pythons_too(self):
        self.assertTrue(issubclass(sd.UsageError, ValueError))
        self.assertTrue(issubclass(sd.OutOfMemory, MemoryError))


class Examples(unittest.TestCase):
    FOLDER = Path(__file__).resolve().parents[2] / "examples"

    def test_batch(self):
        with tempfile.TemporaryDirectory() as folder:
            prompts = Path(folder) / "prompts.txt"
            prompts.write_text("a red apple\na blue car\n")
            command = [sys.executable, str(self.FOLDER / "batch.py"), str(prompts), folder + "/out", "--steps", "2"]
            subprocess.run(command, check=True, capture_output=True)
            self.assertEqual(sorted(os.listdir(folder + "/out")), ["00001-1.png", "00002-1.png"])
            command[2] = "/no/such/file"
            self.assertEqual(subprocess.run(command, capture_output=True).returncode, 1)

    def test_notebook(self):
        cells = json.loads((self.FOLDER / "first_pictures.ipynb").read_text())["cells"]
        names = {}
        for cell in cells:
            if cell["cell_type"] == "code":
                exec("".join(cell["source"]), names)  # noqa: S102
        self.assertEqual(names["apple"].size, (128, 128))

    def test_pages_are_python(self):
        # Gradio and Streamlit are not in the distribution: examples_test.py runs these where they are installed.
        for name in ("gradio_app.py", "streamlit_app.py"):
            compile((self.FOLDER / name).read_text(), name, "exec")

    def test_documents(self):
        text = (self.FOLDER.parent / "docs" / "python.md").read_text()
        blocks = [part.split("```")[0] for part in text.split("```python\n")[1:]]
        self.assertEqual(len(blocks), 2)
        with tempfile.TemporaryDirectory() as folder:
            for block in blocks:
                subprocess.run([sys.executable, "-c", block], cwd=folder, check=True)
            self.assertEqual(os.listdir(folder), ["output.png"])


class Tools(unittest.TestCase):
    def test_models_and_samplers(self):
        shipped = [m for m in sd.models() if m["shipped"]]
        self.assertEqual(shipped[0]["name"], "icons")
        self.assertEqual(sd.samplers()["euler_a"], "Euler a")
        self.assertIn("karras", sd.schedules())
        self.assertEqual(sd.inspect(shipped[0]["path"])["networks"][0]["missing"], [])

    def test_convert(self):
        with tempfile.TemporaryDirectory() as folder:
            out = os.path.join(folder, "copy.gguf")
            sd.convert(sd.models()[0]["path"], out, weights="f16")
            pictures = [sd.Pipeline(m, weights="f16").text_to_image("a red apple", **FAST) for m in ("", out)]
            levels = np.abs(np.asarray(pictures[0], int) - np.asarray(pictures[1], int))
            self.assertLess(levels.max(), 4)  # q8_0 rounds to f16 in the copy

    def test_everything_has_a_docstring(self):
        for name in sd.__all__:
            self.assertTrue(getattr(sd, name).__doc__, name)
        json.dumps(sd.Pipeline().info)


if __name__ == "__main__":
    unittest.main()
