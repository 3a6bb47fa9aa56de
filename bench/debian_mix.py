# SPDX-License-Identifier: Apache-2.0
"""debian_mix.py - programs as Debian ships them, at work: what bench/stacks.py samples.

with started(name, folder, build) as target: the program works until the end of the block, alone or
under a load of its own; what it needs is generated in the folder. Servers get a configuration of
their own and a socket in the folder, or a free port of 127.0.0.1; nothing is left behind.
"""
import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time

# Target: the processes that count, by pid or by the name of the process.
PYTHON = r"""
import hashlib, json, re, zlib
words = [f"word{i * 7919 % 1000}" for i in range(2000)]
record = {"names": words, "nested": [{"id": i, "text": w} for i, w in enumerate(words)]}
pattern = re.compile(r"(\w+?)(\d{2,})")
class Point:
    def __init__(self, x, y):
        self.x, self.y = x, y
    def key(self):
        return self.x * 31 % 101 - self.y
def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)
while True:
    text = json.dumps(record)
    json.loads(text)
    sum(len(m.group(2)) for m in pattern.finditer(text))
    hashlib.sha256(text.encode() * 20).digest()
    zlib.compress(text.encode(), 6)
    sorted((Point(i * 7919 % 997, i) for i in range(5000)), key=Point.key)
    fibonacci(18)
"""

PERL = r"""
my @words = map { "word" . ($_ * 7919 % 1000) } 1 .. 2000;
sub depth { my $n = shift; return $n ? 1 + depth($n - 1) : 0 }
while (1) {
    my (%count, $text);
    $count{$_}++ for @words;
    $text = join " ", sort { $count{$a} <=> $count{$b} || $a cmp $b } @words;
    $text =~ s/(\w)(\d+)/$2$1/g;
    my $sum = 0;
    $sum += length $1 while $text =~ /(\d{2,})/g;
    depth(50);
}
"""

NODE = r"""
class Point { constructor(x, y) { this.x = x; this.y = y } key() { return this.x * 31 % 101 } }
function fibonacci(n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2) }
const words = Array.from({ length: 2000 }, (_, i) => 'word' + i * 7919 % 1000)
const crypto = require('crypto'), zlib = require('zlib')
for (;;) {
  const text = JSON.stringify(words.map((w, i) => ({ id: i, text: w })))
  JSON.parse(text)
  text.replace(/(\w+?)(\d{2,})/g, (_, a, b) => b + a)
  const points = Array.from({ length: 5000 }, (_, i) => new Point(i * 7919 % 997, i))
  points.sort((a, b) => a.key() - b.key())
  fibonacci(22)
  crypto.createHash('sha256').update(text).digest()
  zlib.deflateSync(text)
}
"""

SQL = """
CREATE TABLE a(id INTEGER PRIMARY KEY, word TEXT, value REAL);
CREATE TABLE b(id INTEGER PRIMARY KEY, a INTEGER, word TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
  INSERT INTO a SELECT i, 'word' || (i * 7919 % 5003), i * 0.5 FROM n;
INSERT INTO b SELECT id, id * 31 % 60000, word FROM a;
CREATE INDEX b_word ON b(word);
SELECT count(*), sum(value) FROM a JOIN b ON b.a = a.id WHERE a.word LIKE 'word1%';
SELECT word, count(*) FROM b GROUP BY word ORDER BY 2 DESC, 1 LIMIT 10;
SELECT count(*) FROM b x JOIN b y ON x.word = y.word WHERE x.id < 20000;
UPDATE a SET word = upper(word) WHERE id % 3 = 0;
DELETE FROM b WHERE id % 2 = 0;
"""

NGINX = """
daemon off; worker_processes 1; user root; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
    gzip on; gzip_types text/plain; default_type text/plain;
    server {{ listen 127.0.0.1:{port}; root {folder}/www; }}
}}
"""


class Target:
    def __init__(self, pid, names):
        self.pid, self.names = pid, set(names)

    def has(self, pid, process):
        return pid != os.getpid() and (pid == self.pid or process in self.names)


def spawn(stack, argv, folder, **options):
    """A process, and all it starts, until the end."""
    with open(os.path.join(folder, "log"), "ab") as log:
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": log,
                   **options}
        child = subprocess.Popen([str(a) for a in argv], cwd=folder, start_new_session=True,
                                 env={**os.environ, "HOME": folder}, **options)
    stack.callback(end, child)
    return child


def end(child):
    """Ends a process and all that it started; the orphans are ours to wait for, see stacks.py."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(2)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-child.pid, 0)


def written(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w") as f:
        f.write(text)
    return path


def over_and_over(stack, command, folder):
    return spawn(stack, ["sh", "-c", f"while :; do {command}; done"], folder)


def wait_for(condition, what):
    limit = time.monotonic() + 10
    while not condition():
        if time.monotonic() > limit:
            sys.exit(f"stacks: {what} does not answer")
        time.sleep(0.05)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def answers(family, address):
    with socket.socket(family) as s:
        return s.connect_ex(address) == 0


# The programs: each takes (stack, folder, build) and gives a Target.

def depth(stack, folder, build):
    """On all CPUs, so that the BPF program's mean time is of such stacks alone."""
    for _ in range(os.cpu_count()):
        child = spawn(stack, [os.path.join(build, "workloads/depth"), "-d", 3600], folder)
    return Target(child.pid, ["depth"])


def python3(stack, folder, _build):
    child = spawn(stack, ["/usr/bin/python3", written(folder, "work.py", PYTHON)], folder)
    return Target(child.pid, [])


def perl(stack, folder, _build):
    return Target(spawn(stack, ["perl", written(folder, "work.pl", PERL)], folder).pid, ["perl"])


def sqlite3(stack, folder, _build):
    script = written(folder, "work.sql", SQL)
    child = over_and_over(stack, f"sqlite3 :memory: <{script} >/dev/null", folder)
    return Target(child.pid, ["sqlite3"])


def nginx_server(stack, folder):
    """One worker with a small and a large file; its port."""
    port = free_port()
    os.mkdir(os.path.join(folder, "www"))
    for name, size in (("small.txt", 600), ("large.txt", 60000)):
        written(folder, "www/" + name, "all work and no play\n" * (size // 21))
    config = written(folder, "nginx.conf", NGINX.format(folder=folder, port=port))
    server = shutil.which("nginx") or "/usr/sbin/nginx"
    spawn(stack, [server, "-c", config, "-e", "error.log"], folder)
    wait_for(lambda: answers(socket.AF_INET, ("127.0.0.1", port)), "nginx")
    return port


def nginx(stack, folder, _build):
    port = nginx_server(stack, folder)
    for name, kind in (("small.txt", "identity"), ("large.txt", "gzip")):
        spawn(stack, ["wrk", "-t1", "-c8", "-d1h", "-H", f"Accept-Encoding: {kind}",
                      f"http://127.0.0.1:{port}/{name}"], folder)
    return Target(None, ["nginx"])


def redis_server(stack, folder):
    """A server without a disk; its socket."""
    # Debian's redis-tools has the server too, under another name: it is what it is called as.
    server = shutil.which("redis-server")
    if not server:
        server = os.path.join(folder, "redis-server")
        os.symlink(shutil.which("redis-check-rdb"), server)
    unix = os.path.join(folder, "redis.sock")
    spawn(stack, [server, "--port", 0, "--unixsocket", unix, "--save", "", "--dir", folder], folder)
    wait_for(lambda: answers(socket.AF_UNIX, unix), "redis-server")
    return unix


def redis(stack, folder, _build):
    unix = redis_server(stack, folder)
    spawn(stack, ["redis-benchmark", "-s", unix, "-l", "-q", "-P", 8, "-n", 20000, "-t",
                  "set,get,incr,lpush,sadd,hset,zadd,lrange_100"], folder)
    return Target(None, ["redis-server"])


def c_source(functions):
    return "".join(
        f"int f{i}(int *a, int n) {{ int s = {i}; for (int i = 0; i < n; i++) "
        f"{{ a[i] = a[i] * s + {i % 7}; if (a[i] % {i % 13 + 2} == 0) s += a[i] >> {i % 5 + 1}; "
        f"switch (s & 7) {{ case 1: s ^= n; break; case 3: s -= a[n - 1]; break; "
        f"default: s += {i}; }} }} return s; }}\n" for i in range(functions))


def gcc(stack, folder, _build):
    source = written(folder, "big.c", c_source(1500))
    child = over_and_over(stack, f"gcc -O2 -c {source} -o big.o", folder)
    return Target(child.pid, ["gcc", "cc1", "as"])


def openssl(stack, folder, _build):
    what = " ".join(f"openssl speed -seconds 1 -bytes 8192 -evp {c};" for c in
                    ("aes-256-gcm", "sha256", "chacha20-poly1305"))
    child = over_and_over(stack, f"{what} openssl speed -seconds 1 rsa2048 ecdsap256 >/dev/null",
                          folder)
    return Target(child.pid, ["openssl"])


def node(stack, folder, _build):
    return Target(spawn(stack, ["node", written(folder, "work.js", NODE)], folder).pid, ["node"])


def xz(stack, folder, _build):
    words = [f"word{i} " for i in range(5000)]
    generator = random.Random(1)
    data = written(folder, "data", "".join(generator.choice(words) for _ in range(1500000)))
    child = over_and_over(stack, f"xz -6 -T1 -k -c {data} >/dev/null", folder)
    return Target(child.pid, ["xz"])


def git(stack, folder, _build):
    generator, lines = random.Random(1), [f"line {i}\n" for i in range(800)]
    commits = []
    for n in range(400):
        for _ in range(20):
            lines[generator.randrange(len(lines))] = f"line {generator.random()}\n"
        text = "".join(lines)
        commits.append(f"commit refs/heads/main\nmark :{n + 1}\n"
                       f"committer A <a@example.org> {1600000000 + n} +0000\ndata 1\nx\n"
                       + (f"from :{n}\n" if n else "")
                       + f"M 100644 inline file{n % 7}\ndata {len(text)}\n{text}\n")
    quiet = {"cwd": folder, "check": True, "capture_output": True}
    subprocess.run(["git", "init", "-q", "."], **quiet)
    subprocess.run(["git", "fast-import", "--quiet"], input="".join(commits).encode(), **quiet)
    child = over_and_over(stack, "git log -p --stat main >/dev/null; git repack -a -d -f -q; "
                                 "git gc -q", folder)
    return Target(child.pid, ["git"])


PROGRAMS = {"depth": depth, "python3": python3, "perl": perl, "sqlite3": sqlite3, "nginx": nginx,
            "redis": redis, "gcc": gcc, "openssl": openssl, "node": node, "xz": xz, "git": git}

# What has to be there for one, by its command.
NEEDS = {"depth": [], "python3": ["/usr/bin/python3"], "perl": ["perl"], "sqlite3": ["sqlite3"],
         "nginx": ["nginx", "wrk"], "redis": ["redis-benchmark", "redis-check-rdb"],
         "gcc": ["gcc"], "openssl": ["openssl"], "node": ["node"], "xz": ["xz"], "git": ["git"]}


def missing(name):
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return [c for c in NEEDS[name] if not shutil.which(c, path=path)]


@contextlib.contextmanager
def started(name, folder, build):
    place = os.path.join(folder, name)
    os.mkdir(place)
    with contextlib.ExitStack() as stack:
        yield PROGRAMS[name](stack, place, os.path.abspath(build))
