#!/usr/bin/env python3
"""Breaks the program in one place at a time, in a copy of the last commit, and asks the tests: each break must make one fail.

    scripts/mutations.py            all of them (some fifteen minutes on two cores, and the first build of libtorch's binding)
    scripts/mutations.py NAME…      some of them

Ends with 3 if one is not caught, with 1 if a break no longer fits the code. Needs libtorch (`make libtorch`).
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# name: (file, [(text as it is, text as it must not be), ...], test binaries that should see it)
MUTATIONS = {
    "mel-constant": ("src/audio/mel.rs", [("peak.max(smallest) - 8.0;", "peak.max(smallest) - 7.99;")], ["audio_mel"]),
    "rope-base": (
        "src/model/layers.rs",
        [("f64::from(theta as f32)", "f64::from(1.01 * theta as f32)")],
        ["parity_model"],
    ),
    "ddof": ("src/train/advantage.rs", [("/ (n - 1.0).max(1.0);", "/ n;")], ["parity_train"]),
    "kl-sign": (
        "src/train/grpo.rs",
        [("inputs.ref_logprobs - p;", "p - inputs.ref_logprobs;")],
        ["parity_train"],
    ),
    # Top-p before top-k.
    "processor-order": (
        "src/sampling/filters.rs",
        [
            ("let least = self.kth_largest(logits);", "let least = f32::NEG_INFINITY;"),
            (
                "        self.nucleus(kept)\n",
                "        let kept = self.nucleus(kept);\n"
                "        let least = self.kth_largest(logits);\n"
                "        kept.into_iter().filter(|c| c.logit >= least).collect()\n",
            ),
        ],
        ["parity_sampling"],
    ),
    "choice-quoting": (
        "src/prompt/repr.rs",
        [("""let quote = if text.contains('\\'') && !text.contains('"') { '"' } else { '\\'' };""", "let quote = '\\'';")],
        ["prompt_parity"],
    ),
    # And some more of what decides the number.
    "advantage-epsilon": ("src/train/advantage.rs", [("(r - mean) / (std + eps)).collect()", "(r - mean) / (std + 2.0 * eps)).collect()")], ["parity_train"]),
    "lora-scaling": (
        "src/model/lora.rs",
        [("self.settings.alpha / self.settings.rank as f64", "self.settings.alpha / (self.settings.rank as f64).sqrt()")],
        ["parity_lora"],
    ),
    "completion-mask": (
        "src/train/logps.rs",
        [("cells.lt(layout.targets.len() as i64)", "cells.le(layout.targets.len() as i64)")],
        ["parity_train"],
    ),
    "pooled-length": ("src/model/encoder.rs", [("(valid - 1) / 2 + 1", "valid / 2 + 1")], ["parity_model"]),
    "clip-epsilon": (
        "src/train/optimizer.rs",
        [("(norm + 1e-6)).min(1.0)", "(norm + 1e-2)).min(1.0)")],
        ["parity_train"],
    ),
    "attended-vector": ("src/native/attend.cpp", [("if (j + LANES <= to) vector_scores", "if (j + LANES < to) vector_scores")], ["attend"]),
    "attended-padding": ("src/native/attend.cpp", [("1.0f / soften(row, pads, width)", "1.0f / soften(row, 0, width)")], ["attend"]),
    "bfloat16-sums": ("src/train/optimizer.rs", [("sum.g_add_(grad)", "sum.g_add_(&(grad * 0.5))")], ["parity_numerics"]),
}


def run(name, copy, environment):
    file, changes, tests = MUTATIONS[name]
    subprocess.run(["git", "-C", copy, "checkout", "--quiet", "--", "."], check=True)
    path = copy / file
    text = path.read_text()
    for was, becomes in changes:
        if text.count(was) != 1:
            print(f"{name}: {file}: expected one place with {was!r}, found {text.count(was)}", file=sys.stderr)
            sys.exit(1)
        text = text.replace(was, becomes)
    path.write_text(text)
    binaries = [word for test in tests for word in ("--test", test)]
    command = ["cargo", "test", "--locked", "--release", "--no-fail-fast", *binaries]
    done = subprocess.run(command, cwd=copy, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    failed = re.findall(r"^test (.*) \.\.\. FAILED$", done.stdout, re.M)
    if done.returncode == 0:
        print(f"{name}: NOT CAUGHT by {', '.join(tests)}", file=sys.stderr)
        sys.exit(3)
    if not failed:
        print(done.stdout[-3000:], file=sys.stderr)
        print(f"{name}: no test ran", file=sys.stderr)
        sys.exit(1)
    print(f"{name}: caught by {', '.join(failed)}", flush=True)


def main():
    names = sys.argv[1:] or list(MUTATIONS)
    if unknown := [name for name in names if name not in MUTATIONS]:
        print(f"no mutation {unknown[0]}; there are {', '.join(MUTATIONS)}", file=sys.stderr)
        sys.exit(2)
    shared = os.environ.get("AQA_SHARED", ROOT.parent / "shared")
    # A folder of its own: a broken program must never lie where `make build` puts the whole one.
    target = ROOT / "target" / "mutations"
    libtorch = os.environ.get("LIBTORCH", ROOT / ".libtorch")
    # By name, so that the binding is not compiled anew for the copy's path.
    own = {"CARGO_TARGET_DIR": target, "AQA_SHARED": shared, "LIBTORCH": libtorch, "INSTA_UPDATE": "no"}
    environment = os.environ | {key: str(value) for key, value in own.items()}
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        subprocess.run(["git", "-C", ROOT, "worktree", "add", "--quiet", "--detach", copy, "HEAD"], check=True)
        try:
            (copy / ".libtorch").symlink_to((ROOT / ".libtorch").resolve())
            for name in names:
                run(name, copy, environment)
        finally:
            subprocess.run(["git", "-C", ROOT, "worktree", "remove", "--force", copy], check=True)
    print(f"{len(names)} mutations, {len(names)} caught")


if __name__ == "__main__":
    main()
