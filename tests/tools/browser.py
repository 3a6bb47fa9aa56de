# SPDX-License-Identifier: Apache-2.0
"""browser.py - a headless Chromium to look at pages with, over its debugging pipe.

    with look(width=1280, height=800) as b:
        b.open("/tmp/page.html")
        b.run("document.title")        # JavaScript; promises are waited for
        b.click(100, 200)
        b.key("Enter")
        b.screenshot("/tmp/page.png")

No other program or package is needed: commands are JSON, each ended by a 0 byte, written to file 3 of
Chromium and read from its file 4.
"""
import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

import toolbox

NAMES = ("chromium", "chromium-browser", "google-chrome")
OPEN = []
KEYS = {"Enter": 13, "Escape": 27, "Home": 36, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39,
        "ArrowDown": 40}


def find():
    """The program, or None."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Browser:
    def __init__(self, width=1280, height=800, dark=False):
        self.size = (width, height)
        self.dark = dark
        self.requests = []
        self.errors = []
        self.number = 0
        self.pending = b""

    def __enter__(self):
        self.home = tempfile.TemporaryDirectory()
        read_end, self.to = os.pipe()
        self.back, write_end = os.pipe()
        high = []  # numbers that are surely free: either pipe may have 3 or 4 itself
        for fd in (read_end, write_end):
            high.append(os.dup2(fd, 100 + len(high), inheritable=True))
            os.close(fd)
        command = f'exec 3<&{high[0]} 4>&{high[1]}; exec "$0" "$@"'
        self.process = subprocess.Popen(
            ["bash", "-c", command, find(), "--headless=new", "--no-sandbox", "--disable-gpu",
             "--disable-dev-shm-usage", "--remote-debugging-pipe", "--no-first-run",
             "--disable-extensions", "--disable-background-networking", "--hide-scrollbars",
             f"--user-data-dir={self.home.name}", f"--window-size={self.size[0]},{self.size[1]}",
             "about:blank"],
            pass_fds=high, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True)
        for fd in high:
            os.close(fd)
        target = self.call("Target.createTarget", {"url": "about:blank"}, session=None)
        attached = self.call("Target.attachToTarget",
                             {"targetId": target["targetId"], "flatten": True}, session=None)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network"):
            self.call(f"{domain}.enable")
        self.resize(*self.size)
        self.scheme("dark" if self.dark else "light")
        return self

    def __exit__(self, *_):
        try:
            self.call("Browser.close", session=None)
            self.process.wait(10)
        except (OSError, TimeoutError, RuntimeError, subprocess.TimeoutExpired):
            os.killpg(self.process.pid, 9)
            self.process.wait()
        os.close(self.to)
        os.close(self.back)
        self.home.cleanup()

    session = None

    def _message(self, deadline):
        while b"\0" not in self.pending:
            if not select.select([self.back], [], [], max(0, deadline - time.monotonic()))[0]:
                raise TimeoutError("the browser does not answer")
            data = os.read(self.back, 1 << 20)
            if not data:
                raise RuntimeError("the browser has ended")
            self.pending += data
        message, self.pending = self.pending.split(b"\0", 1)
        return json.loads(message)

    def _note(self, message):
        method = message.get("method")
        if method == "Network.requestWillBeSent":
            self.requests.append(message["params"]["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.errors.append(message["params"]["exceptionDetails"])

    def call(self, method, params=None, session="own", limit_s=30):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params or {}}
        if session == "own" and self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + limit_s
        while True:
            answer = self._message(deadline)
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self._note(answer)

    def resize(self, width, height):
        self.size = (width, height)
        self.call("Emulation.setDeviceMetricsOverride",
                  {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})

    def scheme(self, scheme):
        self.call("Emulation.setEmulatedMedia", {"features": [
            {"name": "prefers-color-scheme", "value": scheme}]})

    def forget(self):
        """Leaves the page; what it asked for and what went wrong in it are of the next one."""
        self.call("Page.navigate", {"url": "about:blank"})
        self.requests.clear()
        self.errors.clear()

    def open(self, path, ready="!document.querySelector('main') || !document.querySelector('main').hidden"):
        """Opens a file and waits until @ready is true."""
        self.forget()
        self.call("Page.navigate", {"url": "file://" + os.path.abspath(path)})
        deadline = time.monotonic() + 30
        while not self.run(f"document.readyState === 'complete' && ({ready})"):
            if time.monotonic() > deadline or self.errors:
                raise RuntimeError(f"the page is not ready: {self.errors or self.run('document.body.innerText')}")
            time.sleep(0.02)

    def run(self, script):
        answer = self.call("Runtime.evaluate", {"expression": script, "returnByValue": True,
                                                "awaitPromise": True})
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"].get("exception", {}).get("description"))
        return answer["result"].get("value")

    def _mouse(self, kind, x, y, button="left", buttons=0):
        self.call("Input.dispatchMouseEvent", {"type": kind, "x": x, "y": y, "button": button,
                                               "buttons": buttons, "clickCount": 1})

    def move(self, x, y):
        self._mouse("mouseMoved", x, y, "none")

    def click(self, x, y):
        self.drag((x, y))

    def drag(self, *points):
        self._mouse("mousePressed", *points[0], buttons=1)
        for point in points[1:]:
            self._mouse("mouseMoved", *point, buttons=1)
        self._mouse("mouseReleased", *points[-1])

    def key(self, name):
        params = {"key": name, "windowsVirtualKeyCode": KEYS.get(name, ord(name[0].upper())),
                  "code": name}
        if len(name) == 1:
            params["text"] = name
        self.call("Input.dispatchKeyEvent", {**params, "type": "keyDown"})
        self.call("Input.dispatchKeyEvent", {**params, "type": "keyUp"})

    def type(self, text):
        self.call("Input.insertText", {"text": text})

    def screenshot(self, path):
        data = self.call("Page.captureScreenshot", {"format": "png"})["data"]
        with open(path, "wb") as out:
            out.write(base64.b64decode(data))


def close():
    while OPEN:
        OPEN.pop().__exit__()


@contextlib.contextmanager
def look(width=1280, height=800, dark=False):
    """The one browser of all tests, as it takes seconds to start."""
    if not find():
        toolbox.skip("chromium is not installed (make deps-test)")
    if not OPEN:
        OPEN.append(Browser())
        OPEN[0].__enter__()
        toolbox.at_end(close)
    OPEN[0].resize(width, height)
    OPEN[0].scheme("dark" if dark else "light")
    OPEN[0].forget()
    yield OPEN[0]
