"""`make bench-peers`: this program beside the reference stack, alternately, on the same work. See docs/performance.md.

Runs in the peers' virtual environment (scripts/python-with.sh). Both workers stay alive; each work is done once unmeasured, then A B A B. A ratio is printed
only where both sides did the same work: the same prompt ids, the same greedy tokens, the same counts.
"""

import argparse
import json
import random
import re
import sys
from importlib.metadata import version

import common
from common import ROOT, WORK, median, say
from works import WORKS

VERSIONS = ["torch", "transformers", "trl", "torchaudio", "soundfile", "numpy"]
THEIRS, OURS = "theirs", "ours"
WORDS = "a the one two dog bird piano voice loud quiet rising falling steady sudden bright deep near far warm cold first last".split()


class Bench:
    """Both sides, ready."""

    def __init__(self, threads, quick):
        self.threads, self.quick = threads, quick
        self.program, worker = common.build()
        self.folder = str(common.inputs(worker))
        peers = [sys.executable, f"{common.HERE}/peers.py"]
        self.start = {side: lambda way, c=command: [*c, way, self.folder, str(threads)] for side, command in ((THEIRS, peers), (OURS, [worker]))}
        self.alive = {}
        self.whole = {}

    def workers(self):
        """The two that stay alive, started when they are first needed."""
        if not self.alive:
            self.alive = {side: common.Worker(start("serve"), self.threads) for side, start in self.start.items()}
        return self.alive

    def close(self):
        """Ends them."""
        for worker in self.alive.values():
            worker.__exit__()
        self.alive = {}

    def alternate(self, repeats, one):
        """`one(side)` on both sides in turn, after once unmeasured; the answers by side."""
        answers = {THEIRS: [], OURS: []}
        repeats = 1 if self.quick else repeats
        for turn in range(0 if self.quick else -1, repeats):
            for side, kept in answers.items():
                answer = one(side)
                if turn >= 0:
                    kept.append(answer)
        return answers

    def run(self, work):
        """A work's answers by side: each holds `value` and `same`."""
        return {"ask": self.ask, "memory": self.memory, "process": self.process}[work.way](work)

    def ask(self, work):
        """Seconds of a request to the workers that stay alive."""
        workers = self.workers()
        answers = self.alternate(work.repeats, lambda side: workers[side].ask(**work.request))
        return {side: [a | {"value": a["seconds"]} for a in found] for side, found in answers.items()}

    def memory(self, work):
        """Peak of a process that does two steps and nothing else. `loaded` is what it held before the first."""
        self.close()

        def one(side):
            with common.Worker(self.start[side]("serve"), self.threads) as worker:
                loaded = worker.ask("load-step", **work.request)["now"]
                same = [worker.ask("step", **work.request)["same"] for _ in range(2)]
                return {"value": worker.ask("memory")["peak"], "loaded": loaded, "same": same}

        # Nothing to warm up: every process is a fresh one.
        return {side: [one(side) for _ in range(1 if self.quick else work.repeats)] for side in (THEIRS, OURS)}

    def process(self, work):
        """Whole processes; a start and its memory are measured together."""
        kind = work.name.removesuffix("-memory")
        if kind not in self.whole:
            self.close()
            one = self.score() if kind == "score" else self.first_token
            self.whole[kind] = self.alternate(work.repeats, one)
        key = "peak" if work.name.endswith("-memory") else "seconds"
        return {side: [a | {"value": a[key]} for a in found] for side, found in self.whole[kind].items()}

    def first_token(self, side):
        """From start to first token."""
        seconds, text = common.process(self.start[side]("first-token"), self.threads)
        answer = json.loads(text)
        return {"seconds": seconds, "peak": answer["memory"]["peak"], "same": answer["same"]}

    def score(self):
        """Both scorers on one file of predictions."""
        file = predictions()
        commands = {THEIRS: [sys.executable, f"{common.HERE}/official.py", file], OURS: [self.program, "score", file]}
        shapes = {THEIRS: r"Total Accuracy: ([\d.]+)% over (\d+) samples", OURS: r"accuracy +([\d.]+) %, \d+ of (\d+) questions"}

        def one(side):
            seconds, text = common.process(commands[side], self.threads)
            found = re.search(shapes[side], text)
            return {"seconds": seconds, "same": found.groups() if found else f"{side} printed no accuracy"}

        return one


def predictions():
    """1000 predictions in MMAU's format, from a seed: words, options, answers and labels are made up."""
    draw = random.Random(1)

    def phrase():
        return " ".join(draw.choices(WORDS, k=draw.randint(1, 5))).capitalize()

    rows = []
    for i in range(1000):
        choices = [phrase() for _ in range(draw.choice([4] * 9 + [2]))]
        answer, task = draw.choice(choices), draw.choice(["sound", "music", "speech"])
        said = draw.choice([answer, draw.choice(choices), f"The answer is {answer}.", phrase()])
        rows.append({
            "id": f"question-{i}", "audio_id": f"./audios/question-{i}.wav", "question": phrase() + "?", "choices": choices, "answer": answer,
            "dataset": "made up", "task": task, "split": "test", "category": "Reasoning", "sub-category": f"{task} {draw.randrange(9)}",
            "difficulty": draw.choice(["easy", "medium", "hard"]), "model_prediction": said,
        })  # fmt: skip
    file = WORK / "predictions.json"
    file.write_text(json.dumps(rows, indent=4), encoding="utf-8")
    return str(file)


def unlike(answers):
    """What the two sides did not do alike, in words; empty when they did the same work."""
    theirs, ours = (json.loads(json.dumps([a["same"] for a in answers[side]])) for side in (THEIRS, OURS))
    if theirs == ours:
        return ""
    if isinstance(theirs[0], dict) and isinstance(ours[0], dict):
        keys = [key for key in theirs[0] if any(a.get(key) != b.get(key) for a, b in zip(theirs, ours, strict=True))]
        return "differs in " + ", ".join(keys)
    return f"{theirs[0]} and {ours[0]}"


def row(work, answers):
    """A row of the report, as numbers."""
    values = {side: [a["value"] for a in found] for side, found in answers.items()}
    row = {"name": work.name, "what": work.what, **values, "targets": work.targets, "unlike": unlike(answers)}
    if not row["unlike"]:
        row["ratio"] = median(values[THEIRS]) / median(values[OURS])
    if work.way == "memory":
        row["loaded"] = {side: median([a["loaded"] for a in found]) for side, found in answers.items()}
    if work.items:
        row["items a second"] = {side: work.items / median(found) for side, found in values.items()}
        texts = [(a["texts"], b["texts"]) for a, b in zip(answers[THEIRS], answers[OURS], strict=True)]
        row["texts that are equal"] = min(sum(x == y for x, y in zip(a, b, strict=True)) for a, b in texts)
    return row


def cells(row):
    """The same for people."""
    show = common.size if "memory" in row["name"] else common.seconds
    spread = {side: f"{show(median(row[side]))} ({show(min(row[side]))} to {show(max(row[side]))})" for side in (THEIRS, OURS)}
    targets = ", ".join(f"{t:.3g}" for t in row["targets"])
    if row["unlike"]:
        return [row["what"], spread[THEIRS], spread[OURS], "not the same work", targets, row["unlike"]]
    reached = ", ".join("yes" if row["ratio"] >= t else "no" for t in row["targets"])
    return [row["what"], spread[THEIRS], spread[OURS], f"{row['ratio']:.2f}", targets, reached]


def notes(rows):
    """What the table has no column for."""
    lines = []
    for row in rows:
        if "loaded" in row:
            held = {side: common.size(found) for side, found in row["loaded"].items()}
            lines.append(f"- Before the first step, policy and reference loaded: theirs {held[THEIRS]}, ours {held[OURS]}.")
        if "items a second" in row:
            rate = {side: f"{found:.2f}" for side, found in row["items a second"].items()}
            lines.append(f"- Evaluation: theirs {rate[THEIRS]} clips a second, ours {rate[OURS]}; {row['texts that are equal']} of the texts are equal.")
    return "\n".join(lines)


def write(out, head, rows):
    """Leaves peers.md and peers.json."""
    titles = ["work", "theirs", "ours", "ratio", "target", "reached"]
    about = common.table(["", ""], [(key, value) for key, value in head.items() if key != "quick"])
    quick = "A smoke run: each work once, nothing warmed up. No figure of it means anything."
    text = [
        "# Beside the reference stack", quick if head["quick"] else "", "Medians, least and largest in brackets; ratio is theirs by ours. What each row measures: docs/performance.md.",
        common.table(titles, [cells(row) for row in rows]), notes(rows), "## Machine and versions", about,
    ]  # fmt: skip
    (out / "peers.md").write_text("\n\n".join(part for part in text if part) + "\n", encoding="utf-8")
    (out / "peers.json").write_text(json.dumps({"about": head, "rows": rows}, indent=1) + "\n", encoding="utf-8")


def main():
    """Measures, and leaves the report."""
    names = [work.name for work in WORKS]
    parser = argparse.ArgumentParser(prog="make bench-peers ARGS=...", description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="each work once, nothing warmed up: whether the bench works, not how fast anything is")
    parser.add_argument("--works", type=lambda text: text.split(","), default=names, help="some of " + ",".join(names))
    parser.add_argument("--threads", type=int, default=2, help="threads of each side (default 2)")
    parser.add_argument("--out", help="folder of the report (default reports/bench/DATE; with --quick or --works target/bench-peers/report)")
    args = parser.parse_args()
    if unknown := sorted(set(args.works) - set(names)):
        parser.error(f"--works: no work {', '.join(unknown)}: expected some of {','.join(names)}")
    out = common.report_folder(args.out, "peers.md", not args.quick and args.works == names)
    head = common.machine(args.threads, sys.argv[1:], "make bench-peers")
    head |= {"theirs": ", ".join(f"{name} {version(name)}" for name in VERSIONS) + f", Python {sys.version.split()[0]}"}
    bench = Bench(args.threads, args.quick)
    ours = " ".join(common.output(bench.program, "doctor").splitlines()[1].split(" from ")[0].split())
    head |= {"ours": ours, "quick": args.quick, "model": "mini: 38 million float32 parameters from a seed"}
    rows = []
    for work in (work for work in WORKS if work.name in args.works):
        say(f"{work.name}: {work.what}")
        rows.append(row(work, bench.run(work)))
        say("  " + " | ".join(cells(rows[-1])[1:]))
        # What is measured is kept though a later work may fail.
        write(out, head | {"load at the end": common.load()}, rows)
    bench.close()
    print(f"{(out / 'peers.md').relative_to(ROOT) if out.is_relative_to(ROOT) else out / 'peers.md'}")
    if broken := [row["name"] for row in rows if row["unlike"]]:
        common.fail(f"the two sides did not do the same work in {', '.join(broken)}: no ratio is given for it", 3)


if __name__ == "__main__":
    main()
