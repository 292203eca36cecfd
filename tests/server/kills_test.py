"""The server under kill -9: its worker and the server itself die at random moments while the queue is kept full.

    kills_test.py MEZZO [--worker N] [--supervisor N] [--seed N]     by hand: --worker 50 --supervisor 20

In the end every job is over, no picture that was announced is missing, no file is half written or temporary, every
picture opens and has its recipe, and the index of the gallery is what lies on the disk, also after it is made again.
"""

import argparse
import collections
import hashlib
import http.client
import json
import os
import pathlib
import random
import re
import signal
import sqlite3
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib

OVER = ("completed", "failed", "cancelled", "poisoned")
WAITING = 4  # jobs in line, always
PATIENCE = 120  # seconds, for whatever must happen
TEMPORARY = re.compile(r"\.(\d+)-\d+\.tmp$")


def expect(fine, text):
    if not fine:
        raise AssertionError(text)


def wait_until(done, what):
    end = time.monotonic() + PATIENCE
    while True:
        value = done()
        if value:
            return value
        expect(time.monotonic() < end, f"{what}: not within {PATIENCE} s")
        time.sleep(0.01)


def children(pid):
    """The processes that this one started, with their names."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            name, rest = re.fullmatch(r"\d+ \((.*)\) (.*)", (entry / "stat").read_text().strip()).groups()
        except (OSError, AttributeError):
            continue
        state, parent = rest.split()[:2]
        if int(parent) == pid and state != "Z":
            found[int(entry.name)] = name
    return found


def texts_of(png):
    """The texts of a PNG by their keys; every checksum and the number of pixels is looked at."""
    expect(png[:8] == b"\x89PNG\r\n\x1a\n", "it is no PNG")
    at, texts, pixels, header, kind = 8, {}, b"", None, b""
    while kind != b"IEND":
        (length,), kind = struct.unpack(">I", png[at : at + 4]), png[at + 4 : at + 8]
        data = png[at + 8 : at + 8 + length]
        (checksum,) = struct.unpack(">I", png[at + 8 + length : at + 12 + length])
        expect(zlib.crc32(kind + data) == checksum, f"the checksum of its chunk {kind} is wrong")
        at += 12 + length
        if kind == b"IHDR":
            header = struct.unpack(">IIBB", data[:10])
        elif kind == b"IDAT":
            pixels += data
        elif kind in (b"tEXt", b"iTXt"):
            key, text = data.split(b"\0", 1)
            texts[key.decode()] = text.decode("latin-1" if kind == b"tEXt" else "utf-8").lstrip("\0")
    expect(at == len(png), "something follows its end")
    width, height, depth, colour = header
    expect((width, height, depth, colour) == (128, 128, 8, 2), f"it is {header}")
    expect(len(zlib.decompress(pixels)) == height * (1 + 3 * width), "pixels are missing")
    return texts


class Server:
    """mezzo serve on one folder, started again and again."""

    def __init__(self, mezzo, folder):
        self.outputs = pathlib.Path(folder)
        self.command = [mezzo, "serve", "--port", "0", "--threads", "1", "--outputs-dir", folder]
        self.announced = {}  # pictures by number, as events told them
        self.decoding = threading.Event()  # a picture is about to be saved
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        port = re.search(r":(\d+)$", line.strip())
        expect(port is not None, f"the server did not start: {line}")
        self.port = int(port.group(1))
        self.listener = threading.Thread(target=self.listen, daemon=True)
        self.listener.start()

    def listen(self):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
            connection.request("GET", "/api/v1/events")
            answer, event = connection.getresponse(), ""
            while line := answer.readline().decode():
                key, _, value = line.rstrip("\n").partition(": ")
                if key == "event":
                    event = value
                elif key == "data" and event == "image":
                    image = json.loads(value)["image"]
                    self.announced[image["id"]] = image
                elif key == "data" and event == "progress" and json.loads(value)["progress"]["phase"] == "decode":
                    self.decoding.set()
        except (OSError, http.client.HTTPException, ValueError):
            pass  # it was killed

    def ask(self, method, target, body=None):
        """The answer of a server that is alive; anything but success is an error."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        headers = {"Content-Type": "application/json"} if body is not None else {}
        connection.request(method, target, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        expect(answer.status < 300, f"{method} {target}: {answer.status} {data[:300]}")
        return data

    def jobs(self):
        return json.loads(self.ask("GET", "/api/v1/jobs?limit=500"))["jobs"]

    def kill_worker(self):
        workers = lambda: [pid for pid, name in children(self.process.pid).items() if name == "mezzo-draw"]  # noqa: E731
        os.kill(wait_until(workers, "there is a worker")[0], signal.SIGKILL)

    def kill(self):
        """Ends it at once; its workers must go by themselves. Another one takes its place."""
        workers = children(self.process.pid)
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.listener.join()
        alive = lambda: [pid for pid in workers if pathlib.Path(f"/proc/{pid}/comm").exists()]  # noqa: E731
        self.start()
        wait_until(lambda: not alive(), "the workers of the killed server are gone")
        left = [name for name in self.temporary() if int(TEMPORARY.search(name).group(1)) != self.process.pid]
        expect(not left, f"left by the killed server: {left}")

    def temporary(self):
        return [str(file) for file in self.outputs.rglob(".*.tmp") if TEMPORARY.search(file.name)]

    def end(self):
        self.process.terminate()
        expect(self.process.wait(PATIENCE) == 0, f"exit code {self.process.returncode}")
        self.process.stdout.close()


class Test:
    def __init__(self, mezzo, folder, seed):
        self.mezzo = mezzo
        self.server = Server(mezzo, folder)
        self.random = random.Random(seed)
        self.submitted = {}  # how many pictures each job shall have
        self.over = {}

    def feed(self):
        """Notes what is over, and fills the line up again."""
        jobs = self.server.jobs()
        there = {job["id"] for job in jobs}
        lost = [name for name in self.submitted if name not in there and name not in self.over]
        expect(not lost, f"jobs are lost: {lost}")
        self.over.update({job["id"]: job for job in jobs if job["state"] in OVER})
        for _ in range(WAITING - sum(job["state"] == "queued" for job in jobs)):
            number = len(self.submitted) + 1
            count = 1 + number % 3 // 2
            request = {"prompt": "a red apple", "steps": 3, "width": 128, "height": 128, "seed": number * 10, "count": count}
            self.submitted[json.loads(self.server.ask("POST", "/api/v1/jobs", request))["id"]] = count

    def kill(self, kinds):
        """Half of the kills come soon after the last one, half about when a picture is written."""
        for number, kind in enumerate(kinds):
            self.feed()
            if self.random.random() < 0.5:
                time.sleep(self.random.uniform(0.0, 0.7))
            else:
                for _ in range(self.random.randint(1, 3)):
                    self.server.decoding.clear()
                    expect(self.server.decoding.wait(PATIENCE), f"before kill {number}: nothing is drawn any more")
                time.sleep(self.random.uniform(0.0, 0.06))
            self.server.kill_worker() if kind == "worker" else self.server.kill()

    def finish(self):
        def all_over():
            jobs = self.server.jobs()
            self.over.update({job["id"]: job for job in jobs if job["state"] in OVER})
            time.sleep(0.1)
            return set(self.submitted) <= set(self.over)

        wait_until(all_over, "every job is over")

    def check_jobs(self):
        states = collections.Counter()
        for name, count in self.submitted.items():
            job = self.over[name]
            states[job["state"]] += 1
            if job["state"] == "poisoned":
                expect("tried twice" in job["error"]["message"] and job["warnings"], f"{name}: {job}")
                continue
            expect(job["state"] == "completed", f"{name}: {job}")
            expect(len(job["images"]) == count, f"{name}: {len(job['images'])} pictures instead of {count}")
            self.server.announced.update({image["id"]: image for image in job["images"]})
        return states

    def check_pictures(self):
        """Those that were announced are there; all are whole. Returns the files with their sums."""
        for image in self.server.announced.values():
            expect(f"Seed: {image['seed']}," in texts_of(self.server.ask("GET", image["url"]))["parameters"], f"{image}")
        self.server.end()
        expect(not self.server.temporary(), f"temporary: {self.server.temporary()}")
        sums = {}
        for file in sorted(self.server.outputs.glob("2*/*")):
            png = file.read_bytes()
            name = f"{file.parent.name}/{file.name}"
            try:
                texts = texts_of(png)
            except (AssertionError, struct.error, zlib.error) as fault:
                raise AssertionError(f"{name}: {fault}") from fault
            seed = re.fullmatch(r"\d{5}-(\d+)\.png", file.name)
            expect(seed is not None, f"{name}: what is this?")
            recipe = texts.get("parameters", "")
            expect(recipe.startswith("a red apple\nSteps: 3,") and f"Seed: {seed.group(1)}," in recipe, f"{name}: {texts}")
            sums[name] = hashlib.sha256(png).digest()
        return sums

    def check_index(self, sums):
        database = sqlite3.connect(self.server.outputs / "mezzotint.sqlite")
        expect(database.execute("PRAGMA integrity_check").fetchall() == [("ok",)], "the database is damaged")
        database.execute("INSERT INTO words(words) VALUES('integrity-check')")
        rows = sorted(file for (file,) in database.execute("SELECT file FROM images"))
        database.rollback()
        database.close()
        files = sorted(sums)
        expect(rows == files, f"only in the index: {set(rows) - set(files)}; only on the disk: {set(files) - set(rows)}")

    def rebuild(self, sums):
        command = [self.mezzo, "gallery", "rebuild", "--outputs-dir", str(self.server.outputs)]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        expect(told.endswith(": 0 added to the index, 0 that are gone removed\n"), told)
        again = {name: hashlib.sha256((self.server.outputs / name).read_bytes()).digest() for name in sums}
        expect(again == sums, "rebuild changed files")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("mezzo")
    parser.add_argument("--worker", type=int, default=4, help="how often the worker is killed")
    parser.add_argument("--supervisor", type=int, default=2, help="how often the server itself is killed")
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    given = parser.parse_args()
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        test = Test(given.mezzo, folder, given.seed)
        try:
            kinds = ["worker"] * given.worker + ["supervisor"] * given.supervisor
            test.random.shuffle(kinds)
            test.kill(kinds)
            test.feed()
            test.finish()
            states = test.check_jobs()
            sums = test.check_pictures()
            test.check_index(sums)
            test.rebuild(sums)
            test.check_index(sums)
        finally:
            test.server.process.kill()
            test.server.process.wait()
    print(
        f"{given.worker} kills of the worker, {given.supervisor} of the server, seed {given.seed}: "
        f"{len(test.submitted)} jobs ({dict(states)}), {len(test.server.announced)} pictures announced, "
        f"{len(sums)} files, {time.monotonic() - begin:.0f} s"
    )


if __name__ == "__main__":
    sys.exit(main())
