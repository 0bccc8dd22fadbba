"""The report of gpu.py: figures to Markdown and JSON."""

import json
import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

import common
from common import median

TARGET = {"decode": 1.3, "step": 2.0, "evaluate": 60.0, "memory": 0.10}
GB = 1e9
#: What stands under the table of memory.
INCLUDES = """Predicted: `plan`'s forecast for exactly these rows. Taken: the highest reading of {how}, about twenty a second, less what was held before the process
started. It includes what CUDA takes for itself (context, kernels, libraries' workspaces: the column "of it context", read after a first small product; libraries
may take more later) and what libtorch's allocator keeps without using it; `plan` predicts neither. "Tensors" and "held" are the allocator's own count at their highest: tensors
alone, and all that it kept for them. A peak that lasts less than a twentieth of a second may be missed by the readings; the allocator gives nothing back by itself,
so what it held is seen."""


def head(args, bench):
    """Machine and versions."""
    card = "none: the CPU stands for it"
    if args.device.startswith("cuda"):
        query = "--query-gpu=name,driver_version,memory.total"
        card = common.output("nvidia-smi", query, "--format=csv,noheader", f"--id={bench.meter.id}")

    def found(name):
        try:
            return f"{name} {version(name)}"
        except PackageNotFoundError:
            return f"no {name}"

    told = common.machine(bench.settings, sys.argv[1:], "gpu.py")
    kept = {key: told[key] for key in ("date", "command", "processor", "cores", "memory", "system", "threads", "load at the start")}
    model = "a small shape: no figure means anything" if args.small else "Qwen2-Audio-7B's shape, random bfloat16 weights"
    python = ", ".join(map(found, ("torch", "transformers"))) + f", Python {platform.python_version()}"
    allocator = os.environ.get("PYTORCH_CUDA_ALLOC_CONF") or os.environ.get("PYTORCH_ALLOC_CONF") or "as it comes"
    about = {"card": card, "device": args.device, "model": model, "python": python, "meter": bench.meter.how, "allocator": allocator}
    return about | kept


def spread(values):
    """Seconds: the median, and the least and the largest."""
    return f"{common.seconds(median(values))} ({common.seconds(min(values))} to {common.seconds(max(values))})"


def reached(value, target):
    """Whether a value is at most what is aimed at."""
    return "yes" if value <= target else "no"


def missing(name, part):
    """The line of a part without figures."""
    why = part.get("failed") or part.get("skipped")
    return f"- **{name}: {'failed' if 'failed' in part else 'left out'}**: {why}"


def decode(part):
    """Decode steps."""
    titles = ["decode step", "ours", "weights and cache read once", "ratio", "target", "reached", "transformers", "theirs by ours", "same first tokens"]
    rows = []
    for row in part["rows"]:
        theirs = [spread(row["theirs"]), f"{median(row['theirs']) / median(row['ours']):.2f}"] if "theirs" in row else [part["theirs"], ""]
        same = f"{row['rows with the same first tokens']} of {row['batch']} rows" if "theirs" in row else ""
        if row.get("same prompts") is False:
            theirs, same = ["not the same prompts", ""], ""
        floor = f"{common.seconds(row['floor'])} ({row['bytes'] / GB:.2f} GB)"
        limit = [f"{row['ratio']:.2f}", f"at most {TARGET['decode']}", reached(row["ratio"], TARGET["decode"])]
        what = f"batch {row['batch']}, prompts of {row['prompt']}, mean of {row['new_tokens']} steps"
        rows.append([what, spread(row["ours"]), floor, *limit, *theirs, same])
    speed = part["speed"]
    told = f"This device just now: reading {speed['bytes'] / GB:.0f} GB/s, copying {speed['copied'] / GB:.0f} GB/s (read and written), a product "
    told += f"{speed['flops'] / 1e12:.1f} TFLOP/s. The floor is by the faster of the first two."
    return [common.table(titles, rows), told]


def evaluate(part):
    """The evaluation."""
    theirs = part["theirs"] if isinstance(part["theirs"], str) else f"{part['theirs']:.1f} s"
    titles = ["evaluation from loaded weights", "ours", "target", "reached", "transformers"]
    what = f"{part['clips']} clips of 10 s, batches of {part['batch']}, {part['new_tokens']} new tokens each"
    return [common.table(titles, [[what, f"{part['ours']:.2f} s", "at most 60 s", reached(part["ours"], TARGET["evaluate"]), theirs]])]


def steps(parts):
    """GRPO steps."""
    titles = ["GRPO step", "ours", "of it rollout", "target", "reached", "settings"]
    rows = []
    for part in parts:
        size = part["size"]
        what = "{questions} questions of {clip} s, G = {group}, {new_tokens} new tokens each".format(**size)
        settings = f"micro_batch {size['micro_batch']}, " + ", ".join(f"{key} {value}" for key, value in size["memory"].items())
        took = median(part["ours"])
        limit = [f"at most {TARGET['step']:.0f} s", reached(took, TARGET["step"])]
        rows.append([what, spread(part["ours"]), spread(part["rollout"]), *limit, settings.rstrip(", ")])
    looked = [f"- {part['size']['new_tokens']} new tokens: " + "; ".join(map(candidate, part["looked at"])) for part in parts if part["looked at"]]
    return [common.table(titles, rows), *(["Settings looked at, in order, with what `plan` predicts; the last was taken:\n\n" + "\n".join(looked)] if looked else [])]


def candidate(found):
    """Settings that were looked at."""
    memory = ", ".join(f"{key} {value}" for key, value in found["memory"].items())
    return f"micro_batch {found['micro_batch']}, {memory}: device {found['device'] / GB:.1f} GB, host {found['host'] / GB:.1f} GB"


def memory(found, how):
    """What was taken, beside what was predicted."""
    titles = ["memory", "predicted", "taken", "of it context", "taken less context, by predicted", "within 10 %", "tensors", "held"]
    rows = []
    for name, part in found.items():
        seen = part["memory"]
        off = (seen["peak"] - seen["context"]) / seen["plan"] - 1
        counted = [f"{seen['counted'][key] / GB:.2f} GB" for key in ("used", "held")] if seen["counted"] else ["not known", "not known"]
        sizes = [f"{seen[key] / GB:.2f} GB" for key in ("plan", "peak", "context")]
        rows.append([name, *sizes, f"{off:+.1%}", "yes" if abs(off) <= TARGET["memory"] else "no", *counted])
    return [common.table(titles, rows), INCLUDES.format(how=f"`{how}`")]


def write(out, about, found, order):
    """Leaves gpu.md and gpu.json; a part that is not there yet is said to be unfinished."""
    done = {name: part for name, part in found.items() if not {"failed", "skipped"} & part.keys()}
    text = ["# Speed and memory of the real shape"]
    text += decode(done["decode"]) if "decode" in done else []
    text += evaluate(done["evaluate"]) if "evaluate" in done else []
    trained = [done[name] for name in order if name in done and name.startswith("step-")]
    text += steps(trained) if trained else []
    with_memory = {name: done[name] for name in order if name in done and "memory" in done[name]}
    text += memory(with_memory, about["meter"]) if with_memory else []
    text.append("\n".join(missing(name, found.get(name, {"skipped": "not reached yet"})) for name in order if name not in done))
    text += ["## Machine and versions", common.table(["", ""], about.items())]
    (out / "gpu.md").write_text("\n\n".join(part for part in text if part) + "\n", encoding="utf-8")
    (out / "gpu.json").write_text(json.dumps({"about": about, "parts": found}, indent=1) + "\n", encoding="utf-8")
