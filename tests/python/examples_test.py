"""The pages of examples/ as people use them: Gradio's over its own client, Streamlit's in its own test program.

Skips what is not installed: pip install gradio streamlit pillow
"""

import importlib.util
import os
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PATIENCE = 180  # seconds
needed = {name: importlib.util.find_spec(name) is not None for name in ("PIL", "gradio", "gradio_client", "streamlit")}
if not needed["PIL"] or not (needed["gradio"] or needed["streamlit"]):
    print("skipped: neither gradio nor streamlit is installed (pip install gradio streamlit pillow)")
    sys.exit(77)

from PIL import Image, ImageChops  # noqa: E402


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def grey(folder):
    """A grey picture, and a layer that covers its left half, as files."""
    Image.new("RGB", (128, 128), (128, 128, 128)).save(f"{folder}/grey.png")
    layer = Image.new("RGBA", (128, 128), (0, 0, 0, 0))
    layer.paste((255, 255, 255, 255), (0, 0, 64, 128))
    layer.save(f"{folder}/layer.png")
    return [Path(folder) / name for name in ("grey.png", "layer.png")]


def changed(file, box):
    """How many pixels of this part are not grey any more."""
    with Image.open(file) as picture:
        part = picture.convert("RGB").crop(box)
    difference = ImageChops.difference(part, Image.new("RGB", part.size, (128, 128, 128))).convert("L")
    return part.width * part.height - difference.histogram()[0]


@unittest.skipUnless(needed["gradio"] and needed["gradio_client"], "gradio is not installed")
class Gradio(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        port = free_port()
        here = {"GRADIO_SERVER_PORT": str(port), "GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1"}
        cls.page = subprocess.Popen([sys.executable, EXAMPLES / "gradio_app.py"], env={**os.environ, **here})
        cls.addClassCleanup(cls.page.wait)
        cls.addClassCleanup(cls.page.kill)
        url = f"http://127.0.0.1:{port}"
        end = time.monotonic() + PATIENCE
        while True:
            try:
                urllib.request.urlopen(url, timeout=PATIENCE).close()
                break
            except (urllib.error.URLError, ConnectionError):
                if cls.page.poll() is not None or time.monotonic() > end:
                    raise AssertionError("gradio_app.py does not listen") from None
                time.sleep(0.2)
        import gradio_client

        cls.client = gradio_client.Client(url, verbose=False)
        cls.addClassCleanup(cls.client.close)

    def grey(self):
        import gradio_client

        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return [gradio_client.handle_file(str(file)) for file in grey(folder.name)]

    def test_text(self):
        file = self.client.predict("a red apple", "grey", 3, 2.5, 7, api_name="/draw")
        with Image.open(file) as picture:
            self.assertEqual((picture.format, picture.size), ("PNG", (128, 128)))
        again = self.client.predict("a red apple", "grey", 3, 2.5, 7, api_name="/draw")
        self.assertEqual(Path(again).read_bytes(), Path(file).read_bytes())

    def test_image(self):
        file = self.client.predict("a red apple", "", 6, 2.5, 7, self.grey()[0], 0.8, api_name="/draw_1")
        with Image.open(file) as picture:
            self.assertEqual(picture.size, (128, 128))

    def test_painted_mask(self):
        image, layer = self.grey()
        editor = {"background": image, "layers": [layer], "composite": image}
        file = self.client.predict("a red apple", "", 6, 2.5, 7, editor, 1.0, api_name="/draw_painted")
        self.assertGreater(changed(file, (0, 0, 64, 128)), 500)
        self.assertEqual(changed(file, (64, 0, 128, 128)), 0)

    def test_errors_are_told(self):
        import gradio_client

        with self.assertRaises(gradio_client.exceptions.AppError) as caught:
            self.client.predict("a red apple", "", 3, 2.5, -7, api_name="/draw")
        self.assertIn("seed", str(caught.exception))


@unittest.skipUnless(needed["streamlit"], "streamlit is not installed")
class Streamlit(unittest.TestCase):
    def setUp(self):
        from streamlit.testing.v1 import AppTest

        self.page = AppTest.from_file(str(EXAMPLES / "streamlit_app.py"), default_timeout=PATIENCE).run()
        self.fine()

    def fine(self):
        self.assertEqual([e.message for e in self.page.exception], [])

    def draw(self):
        """Few steps, and the button; returns the caption of the picture that is shown."""
        by_label = {element.label: element for element in [*self.page.text_input, *self.page.slider, *self.page.number_input]}
        for label, value in {"Prompt": "a red apple", "Steps": 6, "Seed": 7}.items():
            by_label[label].set_value(value)
        next(button for button in self.page.button if button.label == "Draw").click().run()
        self.fine()
        self.assertEqual([e.value for e in self.page.error], [])
        shown = [*self.page.get("image"), *self.page.get("imgs")]  # the name of older Streamlits is the second
        self.assertEqual(len(shown), 1)
        self.assertTrue(shown[0].proto.imgs[0].url)
        self.assertEqual(len(self.page.get("download_button")), 1)
        return shown[0].proto.imgs[0].caption

    def test_text(self):
        self.assertEqual(self.page.title[0].value, "Mezzotint")
        self.assertEqual(self.draw(), "a red apple (seed 7)")

    def test_a_picture_and_a_mask(self):
        if not hasattr(self.page, "file_uploader"):
            self.skipTest("this Streamlit's tests cannot give files")
        with tempfile.TemporaryDirectory() as folder:
            files = [(file.name, file.read_bytes(), "image/png") for file in grey(folder)]
        for number, file in enumerate(files):  # the second box comes when the first is filled
            self.page.file_uploader[number].set_value(file).run()
            self.fine()
            self.assertEqual(self.draw(), "a red apple (seed 7)")

    def test_errors_are_told(self):
        self.page.sidebar.text_input[0].set_value("/no/such/model").run()
        self.fine()
        self.assertIn("/no/such/model", self.page.error[0].value)


if __name__ == "__main__":
    unittest.main()
