"""What a GPU takes for a model of Qwen2-Audio-7B's shape with random weights: decode steps, an evaluation, GRPO steps, and the memory of the last two
beside what `plan` predicts. See docs/performance.md, "On a GPU".

    gpu.py --worker WORKER --out OUT [--device cuda:0] [--parts decode,evaluate,step-9,step-25]

Needs no cargo and no network: a worker that was built elsewhere (`make gpu-programs`), python3 with torch 2.11 and transformers. `--small --device cpu` goes
through everything with a small model on the CPU: whether the check works, not how fast anything is. Leaves gpu.md and gpu.json; a part that fails, or
that the time did not suffice for, is named there, and the exit code is then 3.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import common
import gpu_report
from arithmetic import Model
from common import median, say
from meter import Card, Resident

#: The product whose speed is told: a layer's MLP on the tokens of a step.
PRODUCT = {"rows": 4096, "inner": 4096, "columns": 11008}
SMALL_PRODUCT = {"rows": 256, "inner": 128, "columns": 352}
#: Settings of a step, the fastest first; the first that the card and the host have room for is taken.
RECOMPUTED = {"activations": "recompute", "master": "split"}
CANDIDATES = [
    {"micro_batch": 16, "memory": RECOMPUTED},
    {"micro_batch": 16, "memory": RECOMPUTED | {"reference": "host"}},
    {"micro_batch": 8, "memory": RECOMPUTED | {"reference": "host"}},
    {"micro_batch": 16, "memory": RECOMPUTED | {"optimizer": "host"}},
    {"micro_batch": 16, "memory": RECOMPUTED | {"optimizer": "host", "reference": "host"}},
]
#: What the allocator's slack and libraries' workspaces may take beside the forecast.
BESIDE = 2_000_000_000
PARTS = ["decode", "evaluate", "step-9", "step-25"]
#: A part is not begun with fewer seconds left.
LEAST = 20
#: Bytes of each shape's checkpoint, and a little.
DISK = {"small": 100_000_000, "real": 18_000_000_000}
#: Width of each, by which a folder of the other is known.
WIDTH = {"small": 128, "real": 4096}


class Failed(Exception):
    """A part of the check that has no figures, and why."""


class Side(common.Worker):
    """A worker whose failures end the part, not the check, and that the end of the time ends."""

    def __init__(self, bench, command):
        self.bench = bench
        super().__init__(command, bench.settings)
        self.alarm = threading.Timer(max(bench.left(), 1), self.process.kill)
        self.alarm.daemon = True
        self.alarm.start()

    def ask(self, work, **parameters):
        answer = self.attempt(work, **parameters)
        if "error" in answer:
            late = "; the time was up" if self.bench.left() <= 0 else ""
            raise Failed(f"{Path(self.command[0]).name}: {work}: {answer['error']}{late}")
        return answer

    def __exit__(self, *_):
        super().__exit__()
        self.alarm.cancel()


class Bench:
    """The inputs, both sides' commands, and the time."""

    def __init__(self, args):
        self.args, self.until = args, time.monotonic() + args.budget
        self.settings = common.Settings(args.threads, "10000")
        cuda = args.device.startswith("cuda")
        try:
            self.meter = Card(int(args.device.partition(":")[2] or 0)) if cuda else Resident()
        except OSError as e:
            common.fail(f"--device {args.device}: {e}", 4)
        self.product = SMALL_PRODUCT if args.small else PRODUCT
        self.repeats = 1 if args.small else args.repeats

    def left(self):
        """Seconds until the time is up."""
        return self.until - time.monotonic()

    def inputs(self, folder):
        """Makes checkpoint, clips and question, unless they are there."""
        self.folder, shape = folder, "small" if self.args.small else "real"
        model = folder / "model"
        if not (model / "model.safetensors.index.json").exists():
            folder.mkdir(parents=True, exist_ok=True)
            if (free := shutil.disk_usage(folder).free) < DISK[shape]:
                common.fail(f"{folder}: the checkpoint takes {DISK[shape]} bytes, {free} are free: name a folder with room with --inputs", 4)
            say(f"making a checkpoint of the {shape} shape in {folder}")
            weights = str(Path(__file__).with_name("weights.py"))
            for command in ([self.args.worker, "inputs", str(folder), shape], [sys.executable, weights, str(model), self.args.device]):
                try:
                    subprocess.run(command, check=True, env=self.settings.environment, timeout=max(self.left(), 1))
                except (OSError, subprocess.SubprocessError) as e:
                    common.fail(f"no checkpoint to measure with: {e}", 4)
        self.model = Model(model, 2)
        if self.model.h != WIDTH[shape]:
            common.fail(f"{folder}: expected a model of width {WIDTH[shape]} ({shape}), found {self.model.h}: name another folder with --inputs", 4)

    def ours(self):
        """Our worker."""
        return Side(self, [self.args.worker, *self.start()])

    def theirs(self):
        """The reference stack's."""
        return Side(self, [sys.executable, str(Path(__file__).with_name("peers.py")), *self.start()])

    def start(self):
        """What both are started with."""
        return ["serve", str(self.folder), str(self.args.threads), self.args.device, "bfloat16"]

    def several(self, sides, work, **request):
        """Answers by side: once unmeasured, then in turn."""
        answers = {name: [] for name in sides}
        for turn in range(-1, self.repeats):
            for name, side in sides.items():
                answer = side.ask(work, **request)
                if turn >= 0:
                    answers[name].append(answer)
        return answers

    def beside(self, out, work):
        """`out["theirs"]`: what `work(side)` gives of the reference stack, or why it gives nothing. Ours has its figures all the same."""
        if not self.args.peer:
            out["theirs"] = "left out (--no-peer)"
            return
        try:
            with self.theirs() as side:
                side.ask("load")
                out["theirs"] = work(side)
        except Failed as e:
            out["theirs"] = f"failed: {e}"

    def decode(self):
        """Decode steps of batch 1 and 32, beside the time to read weights and cache once."""
        out = {"new_tokens": self.args.decode_tokens, "rows": []}
        works = [{"batch": batch, "new_tokens": out["new_tokens"]} for batch in (1, 32)]
        with self.ours() as ours:
            speeds = [ours.ask("throughput", **self.product)]
            found = [self.several({"ours": ours}, "decode", **work)["ours"] for work in works]
            speeds.append(ours.ask("throughput", **self.product))
        self.beside(out, lambda side: [self.several({"theirs": side}, "decode", **work)["theirs"] for work in works])
        out["speed"] = {key: max(speed[key] for speed in speeds) for key in speeds[0]}
        # Reading alone and copying reach different shares of what the memory can do: the floor is the faster one's.
        bandwidth = max(out["speed"]["bytes"], out["speed"]["copied"])
        for i, (work, answers) in enumerate(zip(works, found, strict=True)):
            ids = answers[0]["same"]["prompt_ids"]
            at = len(ids[0]) + (1 + work["new_tokens"]) / 2
            row = work | {"prompt": len(ids[0]), "bytes": self.model.read(work["batch"], at), "ours": [a["seconds"] for a in answers]}
            row["floor"] = row["bytes"] / bandwidth
            row["ratio"] = median(row["ours"]) / row["floor"]
            if isinstance(out["theirs"], list):
                theirs = out["theirs"][i]
                row |= {"theirs": [a["seconds"] for a in theirs], "same prompts": theirs[0]["same"]["prompt_ids"] == ids}
                pairs = zip(theirs[0]["same"]["tokens"], answers[0]["same"]["tokens"], strict=True)
                row["rows with the same first tokens"] = sum(a == b for a, b in pairs)
            out["rows"].append(row)
        out["theirs"] = "measured" if isinstance(out["theirs"], list) else out["theirs"]
        return out

    def measured(self, forecast, work):
        """`work(side)` by a fresh worker, and its memory: before, what the device takes for itself, and the highest."""
        with self.settle() as ours:
            predicted = ours.ask("forecast", **forecast)
            ours.ask("touch")
            context = self.meter.settled() - self.before
            out = work(ours)
            counted = ours.ask("memory")["device"]
            peak = self.meter.peak - self.before
        # What stands for a card is the whole process, and so is its forecast.
        whole = self.args.device == "cpu"
        plan = predicted["together" if whole else "device"]["peak"]
        memory = {"before": self.before, "context": 0 if whole else context, "peak": peak, "plan": plan, "counted": counted}
        return out | {"memory": memory, "forecast": predicted}

    def settle(self):
        """A fresh worker, the meter started over before it."""
        self.meter.follow(None)
        self.before = self.meter.reset()
        ours = self.ours()
        self.meter.follow(ours.process)
        return ours

    def evaluate(self):
        """An evaluation from loaded weights."""
        request = {"clips": self.args.clips, "batch": self.args.batch, "new_tokens": 12}

        def run(side):
            side.ask("load")
            side.ask("evaluate", **request | {"clips": min(2 * self.args.batch, self.args.clips)})
            return side.ask("evaluate", **request)["seconds"]

        out = self.measured({"of": "evaluate"} | request, lambda side: {"ours": run(side)})
        self.beside(out, run)
        return out | request

    def choose(self, size):
        """The settings of a step, and what each that was looked at would take."""
        if self.args.memory is not None or self.args.micro_batch is not None:
            given = {"micro_batch": self.args.micro_batch or 16, "memory": json.loads(self.args.memory or "{}")}
            return given, []
        room, looked = self.meter.room(), []
        host = int(next(line.split()[1] for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemAvailable"))) << 10
        with self.ours() as ours:
            for candidate in CANDIDATES:
                found = ours.ask("forecast", **size | candidate)
                looked.append(candidate | {"device": found["device"]["peak"], "host": found["host"]["peak"]})
                if room is None or (found["device"]["peak"] + BESIDE <= room and found["host"]["peak"] <= host):
                    return candidate, looked
        raise Failed(f"no settings fit {room} free bytes of the card and {host} of the host: give some with --memory and --micro-batch ({looked})")

    def step(self, new_tokens):
        """GRPO steps."""
        size = {"group": 8, "clip": 10, "new_tokens": new_tokens, "questions": self.args.questions}
        settings, looked = self.choose(size)
        say(f"  settings: {settings}")
        size |= settings

        def run(side):
            loading = time.monotonic()
            side.ask("load-step", **size)
            loading = time.monotonic() - loading
            steps = self.several({"ours": side}, "step", **size)["ours"]
            return {"ours": [s["seconds"] for s in steps], "rollout": [s["rollout_seconds"] for s in steps], "loading": loading}

        return self.measured(size, run) | {"size": size, "looked at": looked}

    def part(self, name):
        """A part's figures, or why there are none."""
        if self.left() < LEAST:
            return {"skipped": f"{max(self.left(), 0):.0f} s were left of {self.args.budget:.0f}: run it with --parts {name}"}
        try:
            return self.step(int(name.removeprefix("step-"))) if name.startswith("step-") else getattr(self, name)()
        except (Failed, OSError) as e:
            return {"failed": str(e)}


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(prog="gpu.py", description=__doc__.split("\n\n")[0])
    parser.add_argument("--worker", required=True, type=os.path.abspath, help="our worker (make gpu-programs)")
    parser.add_argument("--out", required=True, type=Path, help="folder of gpu.md and gpu.json")
    parser.add_argument("--device", default="cuda:0", help="cuda:N or cpu (default cuda:0)")
    parser.add_argument("--small", action="store_true", help="a small model, everything once: whether the check works; its figures mean nothing")
    parser.add_argument("--parts", type=lambda text: text.split(","), default=PARTS, help=f"some of {','.join(PARTS)}")
    parser.add_argument("--inputs", type=Path, help="folder of the checkpoint (17 GB), kept for a later call (default: a temporary one)")
    parser.add_argument("--budget", type=float, default=540, help="seconds after which parts are left out or cut off, and named (default 540)")
    parser.add_argument("--repeats", type=int, default=3, help="measured repeats (default 3)")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="threads of each side (default: all cores)")
    parser.add_argument("--no-peer", dest="peer", action="store_false", help="ours alone")
    parser.add_argument("--clips", type=int, default=1000, help="items of the evaluation (default 1000)")
    parser.add_argument("--batch", type=int, default=32, help="items of a batch of the evaluation (default 32)")
    parser.add_argument("--decode-tokens", type=int, default=32, help="decode steps of which one is the mean (default 32)")
    parser.add_argument("--questions", type=int, default=16, help="questions of a GRPO step (default 16)")
    parser.add_argument("--memory", help="the memory block of the step, as JSON (default: the first known one that fits)")
    parser.add_argument("--micro-batch", type=int, help="questions of a pass (default: with --memory 16, else as the settings that fit)")
    args = parser.parse_args()
    if unknown := sorted(set(args.parts) - set(PARTS)):
        parser.error(f"--parts: no part {', '.join(unknown)}: expected some of {','.join(PARTS)}")
    return args


def lacks(part):
    """Whether figures that were asked for are not there, the reference stack's among them."""
    return "failed" in part or "skipped" in part or str(part.get("theirs")).startswith("failed")


def main():
    """Measures, and leaves the report."""
    args = arguments()
    args.out.mkdir(parents=True, exist_ok=True)
    bench = Bench(args)
    found = {name: {"skipped": "not asked for (--parts)"} for name in PARTS if name not in args.parts}
    head = gpu_report.head(args, bench)
    with tempfile.TemporaryDirectory(prefix="aqa-bench-gpu-") as temporary:
        bench.inputs(args.inputs or Path(temporary))
        head["seconds to make the inputs"] = round(args.budget - bench.left(), 1)
        for name in args.parts:
            say(name)
            started = time.monotonic()
            found[name] = bench.part(name) | {"took": time.monotonic() - started}
            # What is measured is kept though a later part may fail.
            gpu_report.write(args.out, head, found, PARTS)
    bench.meter.close()
    print((args.out / "gpu.md").read_text(encoding="utf-8"))
    sys.exit(3 if any(map(lacks, (found[name] for name in args.parts))) else 0)


if __name__ == "__main__":
    main()
