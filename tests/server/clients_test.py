"""The programs people already use, against a running server: webuiapi (A1111's interface), openai, the reader of
recipes sd-parsers, and schemathesis on the server's own description.

    clients_test.py MEZZO        skips what is not installed: pip install webuiapi openai pillow sd-parsers schemathesis
"""

import importlib.util
import io
import shutil
import subprocess
import sys
import tempfile
import unittest

from running_server import Server

try:
    import openai
    import webuiapi
    from PIL import Image, PngImagePlugin
except ImportError as missing:
    print(f"skipped: {missing.name} is not installed (pip install webuiapi openai pillow sd-parsers schemathesis)")
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
        cls.server = Server(MEZZO, cls.folder.name)
        cls.port = cls.server.port

    @classmethod
    def tearDownClass(cls):
        cls.server.end()
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
        streamed = client.images.generate(prompt="a red apple", model="icons", stream=True, partial_images=1)
        self.assertEqual([e.type.split(".")[1] for e in streamed], ["partial_image", "completed"])
        with self.assertRaises(openai.BadRequestError) as caught:
            client.images.generate(prompt="a red apple", size="7x7", model="icons")
        self.assertIn("width: 7", str(caught.exception))

    @unittest.skipUnless(importlib.util.find_spec("sd_parsers"), "sd-parsers is not installed")
    def test_sd_parsers(self):
        from sd_parsers import ParserManager

        api = webuiapi.WebUIApi(host="127.0.0.1", port=self.port)
        made = api.txt2img(prompt="a red apple", negative_prompt="grey", seed=7, steps=3, sampler_name="Euler a", **SIZE)
        texts = PngImagePlugin.PngInfo()
        texts.add_text("parameters", made.image.info["parameters"])  # as it came
        file = io.BytesIO()
        made.image.save(file, "PNG", pnginfo=texts)
        file.seek(0)
        info = ParserManager().parse(file)
        self.assertEqual((info.full_prompt, info.full_negative_prompt), ("a red apple", "grey"))
        sampler = info.samplers[0]
        self.assertEqual((sampler.name, str(sampler.parameters["seed"])), ("Euler a", "7"))

    @unittest.skipUnless(shutil.which("st"), "schemathesis is not installed")
    def test_schemathesis(self):
        checks = ["not_a_server_error", "status_code_conformance", "content_type_conformance",
                  "response_schema_conformance", "negative_data_rejection", "allow_header_conformance"]  # fmt: skip
        command = ["st", "run", f"http://127.0.0.1:{self.port}/api/v1/openapi.json", "--phases", "coverage,fuzzing",
                   "--max-examples", "10", "--seed", "1", "--exclude-path", "/api/v1/events", "--no-color",
                   "--checks", ",".join(checks)]  # fmt: skip
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stdout[-9000:])


if __name__ == "__main__":
    unittest.main()
