#!/usr/bin/env python3
"""Installs the build, packs it, and uses the results as their users do: packaging_test.py BUILD_FOLDER.
The container cannot be built everywhere; what its files promise is read out of them."""
import gzip
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = None
UNIT = "lib/systemd/system/mezzotint.service"
INSTALLED = ["bin/mezzo", "share/mezzotint/models/icons.gguf", "share/mezzotint/models/icons.md", "share/mezzotint/models/ATTRIBUTION.md",
             "share/man/man1/mezzo.1.gz", "share/bash-completion/completions/mezzo", "share/fish/vendor_completions.d/mezzo.fish",
             "share/doc/mezzotint/README.md", "share/doc/mezzotint/docs/install.md", UNIT]  # fmt: skip


def run(*command, **options):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, **options)
    if done.returncode:
        raise AssertionError(f"{command}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


class Folder(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp()).resolve()
        self.addCleanup(shutil.rmtree, self.folder)

    def check_program(self, prefix):
        """The program works with what lies below its prefix, and with that alone."""
        environment = {"HOME": str(self.folder), "PATH": os.defpath, "MEZZO_THREADS": "1"}
        mezzo = prefix / "bin/mezzo"
        models = json.loads(run(mezzo, "models", "--json", env=environment, cwd=self.folder))
        self.assertEqual([m["path"] for m in models], [str(prefix / "share/mezzotint/models/icons.gguf")])
        run(mezzo, "generate", "a red apple", "-o", "apple.png", "--steps", "1", env=environment, cwd=self.folder)
        self.assertTrue((self.folder / "apple.png").read_bytes().startswith(b"\x89PNG"))

    def check_layout(self, prefix, others):
        for name in INSTALLED + others:
            self.assertTrue((prefix / name).is_file(), name)
        mezzo = prefix / "bin/mezzo"
        self.assertEqual(gzip.decompress((prefix / "share/man/man1/mezzo.1.gz").read_bytes()).decode(), run(mezzo, "manual"))
        self.assertEqual((prefix / "share/bash-completion/completions/mezzo").read_text(), run(mezzo, "completions", "bash"))


class Installation(Folder):
    def test_holds_everything_and_works(self):
        prefix = self.folder / "prefix"
        run("cmake", "--install", BUILD, "--prefix", prefix)
        self.check_layout(prefix, ["share/zsh/site-functions/_mezzo", "share/doc/mezzotint/LICENSE"])
        self.assertFalse((prefix / "share/zsh/vendor-completions").exists(), "Debian's folder is for the package alone")
        self.check_program(prefix)


class DebianPackage(Folder):
    def test_holds_everything_and_works(self):
        for tool in ("dpkg-shlibdeps", "dpkg-deb", "file"):
            if shutil.which(tool) is None:
                self.skipTest(f"{tool} is not installed")
        run("cpack", "--config", BUILD / "CPackConfig.cmake", "-B", self.folder)
        (package,) = self.folder.glob("*.deb")
        control = run("dpkg-deb", "-f", package)
        self.assertRegex(control, r"(?m)^Package: mezzotint$")
        for library in ("libhwy1", "libpng16", "libsqlite3-0", "libgomp1", "libc6"):
            self.assertRegex(control, rf"(?m)^Depends: .*\b{library}")
        tree = self.folder / "tree"
        run("dpkg-deb", "-x", package, tree)
        self.check_layout(tree / "usr", ["share/zsh/vendor-completions/_mezzo", "share/doc/mezzotint/copyright",
                                         "share/doc/mezzotint/changelog.gz"])
        self.assertFalse(list(tree.glob("etc/systemd/**/*")), "the service is not enabled")
        self.check_program(tree / "usr")

    def test_its_scripts_leave_other_systems_alone(self):
        for name, argument in (("postinst", "configure"), ("prerm", "remove")):
            script = ROOT / "packaging/debian" / name
            run("sh", "-n", script)
            if not pathlib.Path("/run/systemd/system").exists():
                run("sh", "-e", script, argument)


class Service(Folder):
    def setUp(self):
        super().setUp()
        self.text = (ROOT / "packaging/mezzotint.service").read_text()

    def test_serves_this_machine_only_and_confines_itself(self):
        for line in ("Environment=MEZZO_HOST=127.0.0.1", "DynamicUser=yes", "NoNewPrivileges=yes", "ProtectSystem=strict",
                     "PrivateTmp=yes", "KillMode=mixed"):  # fmt: skip
            self.assertIn(f"\n{line}\n", self.text)
        # The worker's own filter (apps/server/sandbox.cpp) is a call that @system-service lacks.
        self.assertRegex(self.text, r"(?m)^SystemCallFilter=.*\bseccomp\b")

    def test_systemd_accepts_it(self):
        if shutil.which("systemd-analyze") is None:
            self.skipTest("systemd-analyze is not installed")
        unit = self.folder / "mezzotint.service"
        unit.write_text(self.text.replace("ExecStart=mezzo ", f"ExecStart={BUILD}/apps/cli/mezzo "))
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--threshold=20", "--no-pager", unit],
                              capture_output=True, text=True)  # fmt: skip
        if "unrecognized option" not in done.stderr:  # systemd 250 and later
            self.assertEqual(done.returncode, 0, done.stdout[-200:])


class Container(unittest.TestCase):
    def setUp(self):
        text = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text())
        lines = [line.split(None, 1) for line in text.splitlines() if line and not line.startswith("#")]
        stages = [i for i, (word, _) in enumerate(lines) if word == "FROM"]
        self.assertEqual(len(stages), 2)
        self.build, self.image = lines[: stages[1]], lines[stages[1]:]

    def words(self, name):
        return " ".join(rest for word, rest in self.image if word == name)

    def variables(self):
        return dict(pair.split("=", 1) for pair in self.words("ENV").split())

    def test_is_small_confined_and_watched(self):
        self.assertEqual([rest for word, rest in self.build + self.image if word == "FROM"],
                         ["debian:bookworm-slim AS build", "debian:bookworm-slim"])
        self.assertNotRegex(self.words("USER"), r"^(root|0)\b")
        self.assertTrue(self.words("USER"))
        self.assertEqual(json.loads(self.words("VOLUME")), ["/models", "/outputs"])
        self.assertEqual(self.words("EXPOSE"), "7860")
        self.assertIn("/health", self.words("HEALTHCHECK"))
        self.assertEqual(json.loads(self.words("ENTRYPOINT")) + json.loads(self.words("CMD")), ["mezzo", "serve"])

    def test_its_server_wants_a_token(self):
        environment = {"HOME": "/nonexistent", "PATH": os.defpath, **self.variables(), "MEZZO_OUTPUTS_DIR": "/nonexistent"}
        mezzo = f"{BUILD}/apps/cli/mezzo"
        done = subprocess.run([mezzo, "serve"], env=environment, capture_output=True, text=True)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("--token", done.stderr)

    def test_its_health_check_asks_a_server(self):
        command = json.loads(re.search(r"CMD (\[.*\])", self.words("HEALTHCHECK")).group(1))
        with tempfile.TemporaryDirectory() as folder:
            environment = {"HOME": folder, "PATH": os.defpath, **self.variables(), "MEZZO_OUTPUTS_DIR": folder,
                           "MEZZO_MODELS": folder, "MEZZO_TOKEN": "a-long-secret", "MEZZO_PORT": "0"}  # fmt: skip
            server = subprocess.Popen([f"{BUILD}/apps/cli/mezzo", "serve"], env=environment, stdout=subprocess.PIPE, text=True)
            try:
                port = re.search(r":(\d+)$", server.stdout.readline().strip()).group(1)
                check = [word.replace("7860", port) for word in command]
                run(*check)
                self.assertNotEqual(subprocess.run([w.replace("/health", "/absent") for w in check]).returncode, 0)
            finally:
                server.terminate()
                server.wait()
                server.stdout.close()
        self.assertNotEqual(subprocess.run(check, stderr=subprocess.DEVNULL).returncode, 0, "nobody listens any more")

    def test_compose_agrees_with_the_image(self):
        try:
            import yaml
        except ImportError:
            self.skipTest("python3-yaml is not installed")
        compose = yaml.safe_load((ROOT / "compose.yaml").read_text())
        (service,) = compose["services"].values()
        self.assertIn("MEZZO_TOKEN:?", service["environment"]["MEZZO_TOKEN"])
        mounted = {volume.split(":")[-2 if volume.endswith(":ro") else -1] for volume in service["volumes"]}
        self.assertEqual(mounted, set(json.loads(self.words("VOLUME"))))
        self.assertTrue(all(port.startswith("127.0.0.1:") and port.endswith(":7860:7860") for port in service["ports"]))
        self.assertEqual((service["read_only"], service["cap_drop"]), (True, ["ALL"]))
        self.assertTrue(set(compose["volumes"]) <= {v.split(":")[0] for v in service["volumes"]})


if __name__ == "__main__":
    BUILD = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main()
