"""`make bench-growth`: time and memory of a GRPO step as it grows, beside what the arithmetic predicts. See docs/performance.md.

Our side alone. Each point is a process of its own: it loads policy and reference, does one step unmeasured and some measured, and tells its peak.
"""

import argparse
import json
import sys

import common
import svg
from arithmetic import Model, Step
from common import ROOT, median, say

#: A step of every size that is not swept: one question of 10 s, G = 8, 24 new tokens each.
BASE = {"group": 8, "clip": 10, "new_tokens": 24, "questions": 1}
SWEEPS = {
    "group": ("completions a question (G)", [2, 4, 8, 16]),
    "clip": ("prompt tokens, by clips of 5, 10, 20 and 30 s", [5, 10, 20, 30]),
    "new_tokens": ("new tokens a completion (C)", [8, 24, 64, 128]),
    "questions": ("questions in the step", [1, 2, 4]),
}
#: The product whose speed stands for the machine: a layer's MLP on the tokens of the base step.
PRODUCT = {"rows": 512, "inner": 512, "columns": 1408}


def measure(command, settings, size, repeats):
    """A size in a process of its own."""
    with common.Worker(command, settings) as worker:
        started = worker.ask("memory")["now"]
        worker.ask("load-step", **size)
        first = worker.ask("step", **size)
        steps = [worker.ask("step", **size) for _ in range(repeats)] or [first]
        peak = worker.ask("memory")["peak"]
    prompt = first["prompt_tokens"] // size["questions"]
    rollout = [step["rollout_seconds"] for step in steps]
    return size | {"prompt": prompt, "seconds": [step["seconds"] for step in steps], "rollout_seconds": rollout, "started": started, "peak": peak}


def speed(command, settings):
    """What the machine can do just now."""
    with common.Worker(command, settings) as worker:
        return worker.ask("throughput", **PRODUCT)


def predict(model, machine, point):
    """Adds the arithmetic's seconds and bytes to a point."""
    step = Step(point["questions"], point["prompt"], point["clip"], point["group"], point["new_tokens"])
    peak = point["started"] + model.floor(step, machine).memory
    return point | {"predicted_seconds": model.seconds(step, machine), "predicted_peak": peak}


def cells(point):
    """A point for people."""
    took, floor = median(point["seconds"]), point["predicted_seconds"]
    spread = f"{common.seconds(took)} ({common.seconds(min(point['seconds']))} to {common.seconds(max(point['seconds']))})"
    return [spread, common.seconds(median(point["rollout_seconds"])), common.seconds(floor), f"{took / floor:.2f}",
            common.size(point["peak"]), common.size(point["predicted_peak"]), f"{point['peak'] / point['predicted_peak']:.2f}"]  # fmt: skip


def write(out, head, machine, sweeps):
    """Leaves growth.md, growth.svg and growth.json."""
    titles = ["step", "of it rollout", "predicted", "ratio", "peak", "predicted", "ratio"]
    text = ["# How the cost of a GRPO step grows"]
    if head.pop("quick"):
        text.append("A smoke run: the two smallest sizes of each, nothing warmed up. No figure of it means anything.")
    size = "{questions} question, {clip} s, G = {group}, {new_tokens} new tokens each".format(**BASE)
    product = "{rows} x {inner} x {columns}".format(**PRODUCT)
    text += [
        f"The base: {size}. Medians, least and largest in brackets. Predicted by benches/peers/arithmetic.py from "
        f"{machine['flops'] / 1e9:.0f} GFLOP/s (a product of {product}) and {machine['bytes'] / 1e9:.1f} GB/s (reading 256 MiB), the best that "
        "this run measured before and after; memory from what the process holds before anything is loaded. What each column means: "
        "docs/performance.md.",
        "![time and memory of a step, measured and predicted](growth.svg)",
    ]
    panels = [[], []]
    for name, points in sweeps.items():
        x = "prompt" if name == "clip" else name
        text += [f"## By {SWEEPS[name][0]}", common.table([x.replace("_", " "), *titles], [[p[x], *cells(p)] for p in points])]
        panels[0].append(svg.Panel("seconds a step", SWEEPS[name][0], [(p[x], median(p["seconds"]), p["predicted_seconds"]) for p in points]))
        panels[1].append(svg.Panel("peak memory, MiB", SWEEPS[name][0], [(p[x], p["peak"] / 2**20, p["predicted_peak"] / 2**20) for p in points]))
    text += ["## Machine and versions", common.table(["", ""], head.items())]
    (out / "growth.svg").write_text(svg.page(panels), encoding="utf-8")
    (out / "growth.json").write_text(json.dumps({"about": head, "machine": machine, "sweeps": sweeps}, indent=1) + "\n", encoding="utf-8")
    (out / "growth.md").write_text("\n\n".join(text) + "\n", encoding="utf-8")


def main():
    """Measures, and leaves the report."""
    parser = argparse.ArgumentParser(prog="make bench-growth ARGS=...", description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="the two smallest sizes, once: whether the bench works, not how fast anything is")
    common.Settings.arguments(parser)
    parser.add_argument("--repeats", type=int, default=3, help="measured steps of each size (default 3)")
    parser.add_argument("--out", help="folder of the report (default reports/bench/DATE; with --quick target/bench-peers/report)")
    args = parser.parse_args()
    settings = common.Settings(args.threads, args.spins)
    out = common.report_folder(args.out, "growth.md", not args.quick)
    head = common.machine(settings, sys.argv[1:], "make bench-growth")
    _, program = common.build()
    folder = common.inputs(program)
    command = [program, "serve", str(folder), str(args.threads)]
    before = speed(command, settings)
    done, sweeps = {}, {}
    for name, (what, values) in SWEEPS.items():
        sweeps[name] = []
        for value in values[:2] if args.quick else values:
            size = BASE | {name: value}
            key = tuple(size.values())
            if key not in done:
                done[key] = measure(command, settings, size, 0 if args.quick else args.repeats)
                say(f"{size}: {common.seconds(median(done[key]['seconds']))}, {common.size(done[key]['peak'])}")
            sweeps[name].append(done[key])
    after = speed(command, settings)
    machine = {key: max(before[key], after[key]) for key in before}
    model = Model(folder / "model")
    sweeps = {name: [predict(model, machine, point) for point in points] for name, points in sweeps.items()}
    write(out, head | {"quick": args.quick, "load at the end": common.load()}, machine, sweeps)
    print(f"{(out / 'growth.md').relative_to(ROOT) if out.is_relative_to(ROOT) else out / 'growth.md'}")


if __name__ == "__main__":
    main()
