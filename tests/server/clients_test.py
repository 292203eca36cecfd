"""The programs people already use, against a running server: webuiapi (A1111's interface) and openai.

    clients_test.py MEZZO        skips what is not installed: pip install webuiapi openai pillow
"""

import io
import re
import subprocess
import sys
import tempfile
import unittest

try:
    import openai
    import webuiapi
    from PIL import Image
except ImportError as missing:
    print(f"skipped: {missing.name} is not installed (pip install webuiapi openai pillow)")
    sys.exit(77)

MEZZO = sys.argv.pop(1)
SIZE = {"width": 128, "height": 128}


def png(color, mode="RGB"):
    file = io.BytesIO()
    Image.new(mode, (128, 128), color).save(file, "PNG")
    file.name = "picture.png"
    file.seek(0)
    return file


class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        command = [MEZZO, "serve", "--port", "0", "--outputs-dir", cls.folder.name]
        cls.server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        cls.port = int(re.search(r":(\d+)$", cls.server.stdout.readline().strip()).group(1))

    @classmethod
    def tearDownClass(cls):
        cls.server.terminate()
        cls.server.wait(30)
        cls.server.stdout.close()
        cls.folder.cleanup()

    def test_webuiapi(self):
        api = webuiapi.WebUIApi(host="127.0.0.1", port=self.port, sampler="Euler a", steps=4)
        made = api.txt2img(prompt="a red apple", seed=7, cfg_scale=2.5, **SIZE)
        self.assertEqual((made.image.size, made.info["seed"]), ((128, 128), 7))
        self.assertTrue(made.info["infotexts"][0].startswith("a red apple\nSteps: 4, Sampler: Euler a"))
        green = Image.new("RGB", (128, 128), "green")
        for mask in (None, Image.new("L", (128, 128), 255)):
            made = api.img2img(images=[green], mask_image=mask, prompt="a red apple", inpaint_full_res=False, **SIZE)
            self.assertEqual(made.image.size, (128, 128))
        self.assertIn("Euler a", [s["name"] for s in api.get_samplers()])
        self.assertEqual(api.get_sd_models()[0]["model_name"], "icons")
        self.assertEqual(api.get_progress()["state"]["job_count"], 0)
        for name in ("get_options", "get_upscalers", "get_loras", "get_embeddings", "get_cmd_flags", "get_memory",
                     "get_scripts", "get_sd_vae", "refresh_checkpoints", "interrupt", "skip"):  # fmt: skip
            getattr(api, name)()

    def test_openai(self):
        client = openai.OpenAI(base_url=f"http://127.0.0.1:{self.port}/v1", api_key="any")
        self.assertIn("icons", [m.id for m in client.models.list().data])
        form = {"model": "icons", "response_format": "b64_json"}
        made = client.images.generate(prompt="a red apple", n=2, size="128x128", **form)
        self.assertEqual(len(made.data), 2)
        mask = png((0, 0, 0, 0), "RGBA")
        self.assertTrue(client.images.edit(image=png("green"), mask=mask, prompt="a red apple", **form).data[0].b64_json)
        self.assertEqual(len(client.images.with_raw_response.create_variation(image=png("green"), **form).parse().data), 1)
        with self.assertRaises(openai.BadRequestError) as caught:
            client.images.generate(prompt="a red apple", size="7x7", model="icons")
        self.assertIn("width: 7", str(caught.exception))


if __name__ == "__main__":
    unittest.main()
