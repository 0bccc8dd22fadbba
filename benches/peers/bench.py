"""`make bench-peers`: this program beside the reference stack, alternately, on the same work. See docs/performance.md.

Runs in the peers' virtual environment (scripts/python-with.sh). Both workers stay alive; each work is done once unmeasured, then A B A B. A
ratio is printed only where both sides did the same work: the same prompt ids, the same greedy tokens, the same counts.
"""

import argparse
import json
import random
import re
import sys
from importlib.metadata import version

import common
import report
from common import ROOT, WORK, say
from report import OURS, THEIRS
from works import WORKS

VERSIONS = ["torch", "transformers", "trl", "torchaudio", "soundfile", "numpy"]
WORDS = "a the one two dog bird piano voice loud quiet rising falling steady sudden bright deep near far warm cold first last".split()


class Bench:
    """Both sides, ready."""

    def __init__(self, settings, quick):
        self.settings, self.quick = settings, quick
        self.program, worker = common.build()
        self.folder = str(common.inputs(worker))
        peers = [sys.executable, f"{common.HERE}/peers.py"]
        self.commands = {THEIRS: peers, OURS: [worker]}
        self.alive = {}
        self.whole = {}

    def start(self, side, way):
        """The command that starts a side."""
        return [*self.commands[side], way, self.folder, str(self.settings.threads)]

    def workers(self):
        """The two that stay alive, started when they are first needed."""
        if not self.alive:
            self.alive = {side: common.Worker(self.start(side, "serve"), self.settings) for side in self.commands}
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
            with common.Worker(self.start(side, "serve"), self.settings) as worker:
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
        seconds, text = common.process(self.start(side, "first-token"), self.settings.environment)
        answer = json.loads(text)
        return {"seconds": seconds, "peak": answer["memory"]["peak"], "same": answer["same"]}

    def score(self):
        """Both scorers on one file of predictions."""
        file = predictions()
        commands = {THEIRS: [sys.executable, f"{common.HERE}/official.py", file], OURS: [self.program, "score", file]}
        shapes = {THEIRS: r"Total Accuracy: ([\d.]+)% over (\d+) samples", OURS: r"accuracy +([\d.]+) %, \d+ of (\d+) questions"}

        def one(side):
            seconds, text = common.process(commands[side], self.settings.environment)
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


def main():
    """Measures, and leaves the report."""
    names = [work.name for work in WORKS]
    parser = argparse.ArgumentParser(prog="make bench-peers ARGS=...", description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="each work once, nothing warmed up: whether the bench works, not how fast anything is")
    parser.add_argument("--works", type=lambda text: text.split(","), default=names, help="some of " + ",".join(names))
    common.Settings.arguments(parser)
    parser.add_argument("--out", help="folder of the report (default reports/bench/DATE; with --quick or --works target/bench-peers/report)")
    args = parser.parse_args()
    if unknown := sorted(set(args.works) - set(names)):
        parser.error(f"--works: no work {', '.join(unknown)}: expected some of {','.join(names)}")
    settings = common.Settings(args.threads, args.spins)
    out = common.report_folder(args.out, "peers.md", not args.quick and args.works == names)
    head = common.machine(settings, sys.argv[1:], "make bench-peers")
    head |= {"theirs": ", ".join(f"{name} {version(name)}" for name in VERSIONS) + f", Python {sys.version.split()[0]}"}
    bench = Bench(settings, args.quick)
    ours = " ".join(common.output(bench.program, "doctor").splitlines()[1].split(" from ")[0].split())
    model = "mini: 38 million float32 parameters from a seed"
    head |= {"ours": ours, "model": model, "quick": args.quick}
    rows = []
    for work in (work for work in WORKS if work.name in args.works):
        say(f"{work.name}: {work.what}")
        rows.append(report.row(work, bench.run(work)))
        say("  " + " | ".join(report.cells(rows[-1])[1:]))
        # What is measured is kept though a later work may fail.
        report.write(out, head | {"load at the end": common.load()}, rows, len(args.works))
    bench.close()
    print(f"{(out / 'peers.md').relative_to(ROOT) if out.is_relative_to(ROOT) else out / 'peers.md'}")
    if broken := [row["name"] for row in rows if row["unlike"]]:
        common.fail(f"the two sides did not do the same work in {', '.join(broken)}: no ratio is given for it", 3)


if __name__ == "__main__":
    main()
