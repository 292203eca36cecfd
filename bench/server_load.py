#!/usr/bin/env python3
"""Load on `mezzo serve` while it draws: many event streams and a steady rate of status calls.

    bench/server_load.py MEZZO [--seconds 300] [--streams 200] [--rate 50]

Draws in turns alone, under load, and under load that takes only the CPU time which the server leaves, as if it came
from another machine ("yielding"). Prints one JSON object: errors, percentiles of the status calls of the second kind in
milliseconds, the supervisor's memory, how much longer a picture took under both kinds of load, and the CPU time that
this program, the supervisor and the worker took. Needs nothing but Python 3.9, and Linux.
"""
import argparse, asyncio, json, os, re, selectors, socket, statistics, subprocess, tempfile, threading, time, urllib.request
from concurrent.futures import ThreadPoolExecutor

KINDS = ("alone", "loaded", "yielding")

STATUS = ["/health", "/api/v1/jobs?limit=20", "/api/v1/images?limit=20", "/metrics", "/sdapi/v1/progress",
          "/api/v1/options"]


def options():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("mezzo")
    p.add_argument("--seconds", type=float, default=300)
    p.add_argument("--rounds", type=int, default=4, help="how often alone and under load take turns")
    p.add_argument("--alone", type=float, default=20, help="seconds of drawing without load in each round")
    p.add_argument("--streams", type=int, default=200)
    p.add_argument("--rate", type=float, default=50, help="status calls a second")
    p.add_argument("--request", default='{"prompt": "a red apple", "steps": 20}')
    return p.parse_args()


class Calls:
    """Status calls on a connection that is kept between them, as HTTP clients keep it."""

    def __init__(self, port):
        self.port, self.socket = port, None

    def call(self, path):
        """The status of one request. Plain sockets: what this program takes, the drawing misses."""
        if self.socket is None:
            self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n\r\n".encode())
        answer, whole = b"", None
        while whole is None or len(answer) < whole:
            piece = self.socket.recv(1 << 16)
            if not piece:
                raise OSError("the connection was closed")
            answer += piece
            if whole is None and (end := answer.find(b"\r\n\r\n")) >= 0:
                length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", answer[:end])
                if not length:
                    raise ValueError("an answer without its length")
                whole = end + 4 + int(length.group(1))
        return int(answer[9:12])

    def close(self):
        if self.socket is not None:
            self.socket.close()
        self.socket = None


class Streams:
    """Event streams, read as they come."""

    def __init__(self, port, count):
        self.selector, self.bytes, self.lost = selectors.DefaultSelector(), 0, 0
        for _ in range(count):
            stream = socket.create_connection(("127.0.0.1", port), timeout=10)
            stream.sendall(f"GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
            stream.setblocking(False)
            self.selector.register(stream, selectors.EVENT_READ)

    def read(self, until):
        while (left := until - time.perf_counter()) > 0:
            for key, _ in self.selector.select(left):
                try:
                    size = len(key.fileobj.recv(1 << 16))
                except BlockingIOError:
                    continue
                except OSError:
                    size = 0
                self.bytes += size
                if size == 0:
                    self.lost += 1
                    self.close_one(key.fileobj)

    def close_one(self, stream):
        self.selector.unregister(stream)
        stream.close()

    def close(self):
        for key in list(self.selector.get_map().values()):
            self.close_one(key.fileobj)


def load(port, o, seconds, kind):
    """Seconds from when each call was due to its answer, errors, and the streams; of a thread of its own."""
    if kind == "yielding":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)  # of this thread
    streams, calls, times, errors = Streams(port, o.streams), Calls(port), [], 0
    begin = time.perf_counter()
    for n in range(int(seconds * o.rate)):
        due = begin + n / o.rate
        streams.read(due)
        if time.perf_counter() >= begin + seconds:
            break
        try:
            errors += calls.call(STATUS[n % len(STATUS)]) != 200
            times.append(time.perf_counter() - due)
        except (OSError, ValueError):
            calls.close()
            errors += 1
    calls.close()
    streams.close()
    return times, errors, streams


class Drawing:
    """Keeps the queue filled, and counts what was drawn."""

    def __init__(self, port, request):
        self.port, self.request = port, request

    def post(self):
        r = urllib.request.Request(f"http://127.0.0.1:{self.port}/api/v1/jobs", self.request.encode(),
                                   {"Content-Type": "application/json"})
        return json.load(urllib.request.urlopen(r, timeout=30))["id"]

    def seconds_of_jobs(self):
        """Drawing time of the jobs that are over: from their own stamps."""
        jobs = json.load(urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/jobs?limit=1000&state=completed"))
        stamp = lambda t: time.mktime(time.strptime(t[:19], "%Y-%m-%dT%H:%M:%S")) + float("0" + t[19:23])
        return [(stamp(j["started"]), stamp(j["finished"]) - stamp(j["started"])) for j in jobs["jobs"]]

    async def keep(self, seconds):
        """Draws one after the other for so long; returns when it began and ended."""
        begin = time.time()
        while time.time() - begin < seconds:
            await asyncio.to_thread(self.post)
            while (await asyncio.to_thread(self.waiting)) > 1:
                await asyncio.sleep(0.05)
        return begin, time.time()

    def waiting(self):
        return len(json.load(urllib.request.urlopen(
            f"http://127.0.0.1:{self.port}/api/v1/jobs?state=queued,running"))["jobs"])


def memory_mb(pid):
    text = open(f"/proc/{pid}/status").read()
    return int(re.search(r"VmHWM:\s+(\d+)", text).group(1)) / 1024


def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Cpu:
    """CPU seconds of this program, the supervisor and its workers."""

    def __init__(self, server):
        self.pids = {"client": os.getpid(), "supervisor": server.pid}
        children = open(f"/proc/{server.pid}/task/{server.pid}/children").read().split()
        for task in os.listdir(f"/proc/{server.pid}/task"):  # a thread of its own starts the worker that draws
            children += open(f"/proc/{server.pid}/task/{task}/children").read().split()
        for pid in set(children):
            self.pids[open(f"/proc/{pid}/comm").read().strip()] = int(pid)

    def now(self):
        return {name: cpu_seconds(pid) for name, pid in self.pids.items()}


async def measure(server, port, o):
    drawing = Drawing(port, o.request)
    await drawing.keep(2)  # the model is loaded
    cpu, spans, used = Cpu(server), {k: [] for k in KINDS}, {k: {} for k in KINDS}
    times, errors, lost, failed, received = [], 0, 0, 0, 0
    for _ in range(o.rounds):
        for kind in KINDS:
            before = cpu.now()
            if kind == "alone":
                spans[kind].append(await drawing.keep(o.alone))
            else:
                seconds = o.seconds / o.rounds
                with ThreadPoolExecutor(1) as thread:
                    work = asyncio.get_running_loop().run_in_executor(thread, load, port, o, seconds, kind)
                    (t, e, streams), span = await asyncio.gather(work, drawing.keep(seconds))
                if kind == "loaded":
                    times, errors, lost = times + t, errors + e, lost + streams.lost
                    received += streams.bytes
                else:  # keeps its own connections waiting, so that some are closed
                    failed += e + streams.lost
                spans[kind].append(span)
            for name, seconds in cpu.now().items():
                used[kind][name] = used[kind].get(name, 0) + seconds - before[name]
    offset = time.timezone if not time.localtime().tm_isdst else time.altzone  # stamps are in UTC
    jobs = [(at - offset, s) for at, s in drawing.seconds_of_jobs()]
    within = lambda kind: [s for at, s in jobs if any(b + 1 <= at <= e - 1 for b, e in spans[kind])]
    pictures = {k: within(k) for k in KINDS}
    median = {k: statistics.median(p) for k, p in pictures.items()}
    took = {kind: sum(e - b for b, e in spans[kind]) for kind in spans}
    times.sort()
    at = lambda share: round(1000 * times[min(len(times) - 1, int(share * len(times)))], 1)
    return {"calls": len(times), "errors": errors, "streams": o.streams, "streams_lost": lost,
            "failed_while_yielding": failed,
            "events_mb": round(received / 2**20, 1), "p50_ms": at(0.5), "p99_ms": at(0.99), "max_ms": at(1),
            "supervisor_mb": round(memory_mb(server.pid), 1), "pictures": {k: len(p) for k, p in pictures.items()},
            "picture_s": {k: round(s, 4) for k, s in median.items()},
            "slower": {k: round(s / median["alone"] - 1, 4) for k, s in median.items() if k != "alone"},
            "cores": os.cpu_count(),
            "cpu_share_of_a_core": {kind: {name: round(s / took[kind], 4) for name, s in used[kind].items()}
                                    for kind in used}}


def main():
    o = options()
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen([o.mezzo, "serve", "--port", "0", "--outputs-dir", folder], stdout=subprocess.PIPE,
                                  text=True)
        port = int(re.search(r":(\d+)$", server.stdout.readline().strip()).group(1))
        try:
            print(json.dumps(asyncio.run(measure(server, port, o))))
        finally:
            server.terminate()
            server.wait(30)


if __name__ == "__main__":
    main()
