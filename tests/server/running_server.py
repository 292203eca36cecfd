"""`mezzo serve` on a free port, for the tests that other people's programs take part in."""

import re
import subprocess


class Server:
    """with Server(mezzo, folder, "--token", "...") as server: server.port, server.url"""

    def __init__(self, mezzo, folder, *more):
        command = [mezzo, "serve", "--port", "0", "--outputs-dir", folder, *more]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        port = re.search(r":(\d+)$", line.strip())
        if port is None:
            raise SystemExit(f"the server did not start: {line}")
        self.port = int(port.group(1))
        self.url = f"http://127.0.0.1:{self.port}"

    def end(self):
        self.process.terminate()
        self.process.wait(90)
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()
