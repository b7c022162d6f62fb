"""What tests of pages and of JavaScript libraries need: a browser that runs the scripts of test/web, and node itself."""

import json
import os
import shutil
import subprocess
import threading

from client import PATIENCE
from server import BUILD, ROOT

SCRIPTS = ROOT / "test/web"


class Browser:
    """Debian's chromium under test/web/run.mjs; one for all tests of a module. Every *.example is this host for it."""

    def __init__(self):
        self.process = subprocess.Popen(["node", SCRIPTS / "run.mjs", shutil.which("chromium"), BUILD / "screenshots", "MAP *.example 127.0.0.1"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
        self.version = self.read()["ready"]

    def read(self):
        """One line; a browser that says nothing for too long is ended, and with it this."""
        patience = threading.Timer(PATIENCE * 6, self.process.kill)
        patience.start()
        try:
            line = self.process.stdout.readline()
        finally:
            patience.cancel()
        assert line, "the browser has ended"
        return json.loads(line)

    def write(self, what):
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()

    def run(self, script, answers=None, **args):
        """What the script's default export returns. answers(what): called when it asks for something in between."""
        self.write({"script": script, "args": args})
        answer = self.read()
        while "ask" in answer:
            self.write(answers(answer["ask"]))
            answer = self.read()
        for page in answer.get("pages", []):
            print(json.dumps(page, indent=1))
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def node(script, **args):
    """Runs a script of test/web; what it prints last is JSON. Certificates of tests are self-signed."""
    env = dict(os.environ, NODE_TLS_REJECT_UNAUTHORIZED="0", NODE_NO_WARNINGS="1")
    done = subprocess.run(["node", SCRIPTS / script, json.dumps(args)], stdin=subprocess.DEVNULL, capture_output=True, text=True, env=env,
                          timeout=PATIENCE * 6)
    print(done.stdout, done.stderr)
    assert done.returncode == 0, "%s: exit status %d\n%s" % (script, done.returncode, done.stderr)
    return json.loads(done.stdout.splitlines()[-1])
