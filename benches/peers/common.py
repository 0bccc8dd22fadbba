"""What `bench.py` and `growth.py` share: the programs, workers, what the machine is, how numbers are written. Python's standard library alone."""

import json
import os
import platform
import shlex
import shutil
import statistics
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = "benches/peers"
WORK = ROOT / "target" / "bench-peers"


def fail(message, code=1):
    """One line and an exit code."""
    print(f"error: {message}", file=sys.stderr)
    sys.exit(code)


def say(message):
    """Progress."""
    print(message, file=sys.stderr, flush=True)


class Settings:
    """What both sides run with: so many threads, and idle threads of OpenMP that turn so often before they sleep (src/cli/start.rs)."""

    def __init__(self, threads, spins):
        self.threads, self.spins = threads, spins
        own = {"OMP_NUM_THREADS": str(threads), "RAYON_NUM_THREADS": str(threads), "PYTHONDONTWRITEBYTECODE": "1"}
        kept = {key: value for key, value in os.environ.items() if key not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
        self.environment = kept | own | ({} if spins == "default" else {"GOMP_SPINCOUNT": spins})

    def __str__(self):
        return f"{self.threads} (torch and OMP_NUM_THREADS of both sides, rayon of ours), GOMP_SPINCOUNT {self.spins} on both"

    @classmethod
    def arguments(cls, parser):
        """Adds the options."""
        parser.add_argument("--threads", type=int, default=2, help="threads of each side (default 2)")
        what = "GOMP_SPINCOUNT of both sides (default 10000, as the program sets it; `default` leaves it to OpenMP)"
        parser.add_argument("--spins", default="10000", help=what)


def build():
    """Builds the program and our worker; their paths."""
    say("building")
    found = {}
    for target in (["--bin", "aqa-bench"], ["--bench", "peers"]):
        command = ["cargo", "build", "--release", "--locked", "--message-format=json-render-diagnostics", *target]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        if done.returncode != 0:
            fail(f"{shlex.join(command)} failed (above)", 4)
        for line in done.stdout.splitlines():
            message = json.loads(line)
            if message.get("executable") and message["target"]["name"] == target[1]:
                found[target[1]] = message["executable"]
    return found["aqa-bench"], found["peers"]


def inputs(worker):
    """Makes the checkpoint and the clips anew; their folder."""
    folder = WORK / "inputs"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    subprocess.run([worker, "inputs", str(folder)], check=True)
    return folder


class Worker:
    """A process that answers one request a line."""

    def __init__(self, command, settings):
        self.command = command
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=settings.environment, cwd=ROOT)

    def attempt(self, work, **parameters):
        """The answer to a request; `error` in it says why there is none."""
        try:
            self.process.stdin.write(json.dumps({"work": work} | parameters) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        return json.loads(line) if line else {"error": f"it ended with {self.process.wait()}"}

    def ask(self, work, **parameters):
        """The answer to a request; ends the program when there is none."""
        answer = self.attempt(work, **parameters)
        if "error" in answer:
            fail(f"{shlex.join(self.command)}: {work} {parameters}: {answer['error']}")
        return answer

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        self.process.wait()


def process(command, environment):
    """Seconds of a whole process, and what it printed."""
    started = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT)
    seconds = time.perf_counter() - started
    if done.returncode != 0:
        fail(f"{shlex.join(command)} ended with {done.returncode}")
    return seconds, done.stdout


def output(*command):
    """What a command prints, stripped; `unknown` if it fails."""
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def load():
    """Processes that run or wait to, mean over the last minute."""
    return round(os.getloadavg()[0], 2)


def machine(settings, arguments, made):
    """The machine, what runs on it, and how it was started."""

    def of(file, key):
        lines = (line.split(":", 1) for line in Path(file).read_text().splitlines() if ":" in line)
        return next((value.strip() for name, value in lines if name.strip() == key), "unknown")

    flags = of("/proc/cpuinfo", "flags").split()
    wide = [name for name in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if name in flags]
    return {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "command": f"{made} {shlex.join(arguments)}".strip(),
        "commit": output("git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"),
        "processor": f"{of('/proc/cpuinfo', 'model name')} ({', '.join(wide) or 'no wide vectors'})",
        "cores": len(os.sched_getaffinity(0)),
        "memory": f"{int(of('/proc/meminfo', 'MemTotal').split()[0]) / 2**20:.1f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "rustc": output("rustc", "--version"),
        "threads": str(settings),
        "load at the start": load(),
    }


def median(values):
    """The median."""
    return statistics.median(values)


def seconds(value):
    """A duration for people."""
    return f"{value:.2f} s" if value >= 1 else f"{value * 1e3:.1f} ms" if value >= 0.01 else f"{value * 1e3:.2f} ms"


def size(value):
    """Bytes for people."""
    return f"{value / 2**20:.0f} MiB"


def table(head, rows):
    """A Markdown table; all columns but the first to the right."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "--:|" * (len(head) - 1)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows])


def report_folder(out, name, whole):
    """Where the report goes. A report is never overwritten; a smoke run or a selection leaves none in the repository."""
    if out is None and not whole:
        folder = WORK / "report"
    else:
        day = datetime.now(timezone.utc).strftime("%Y-%m-%d")
        folder = Path(out) if out else ROOT / "reports" / "bench" / day
        if (folder / name).exists():
            fail(f"{folder / name} is there already: remove it, or name another folder with --out", 2)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
