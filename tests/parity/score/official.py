"""MMAU's rule, written in Python from its description, and the figures that Rust must give.

Run: AQA_SHARED=../shared python official.py
Writes official.json: verdicts of made-up cases, and counts on two public prediction files (made by their authors; only the
counts are kept). The rule: lower-case `\\b\\w+\\b` token sets; an answer passes when the gold's tokens are all in it, and none of
the tokens that other choices have beyond the gold's. Rows without a prediction are skipped.
"""

import json
import os
import platform
import random
import re
from pathlib import Path


def tokens(text):
    return set(re.findall(r"\b\w+\b", text.lower()))


def passes(answer, prediction, choices):
    predicted, gold = tokens(prediction), tokens(answer)
    if not predicted:
        return False
    wrong = set()
    for choice in choices:
        if tokens(choice) != gold:
            wrong |= tokens(choice) - gold
    return gold <= predicted and not predicted & wrong


def count(path, key):
    cells = {"task": {}, "difficulty": {}, "sub-category": {}}
    total = correct = 0
    for row in json.loads(Path(path).read_text()):
        if key not in row:
            continue
        passed = passes(row["answer"], row[key], row["choices"])
        total, correct = total + 1, correct + passed
        for by, table in cells.items():
            cell = table.setdefault(row[by], [0, 0, 0.0])
            cell[0] += 1
            cell[1] += passed
            cell[2] = float(f"{cell[1] / cell[0] * 100:.2f}")
    return {"total": total, "correct": correct, "accuracy": float(f"{correct / total * 100:.2f}"), **cells}


def floors(path):
    rows = json.loads(Path(path).read_text())
    first = sum(passes(r["answer"], r["choices"][0], r["choices"]) for r in rows)
    drawn = sum(sum(passes(r["answer"], c, r["choices"]) for c in r["choices"]) / len(r["choices"]) for r in rows)
    gold = sum(passes(r["answer"], r["answer"], r["choices"]) for r in rows)
    duplicates = sum(len(set(r["choices"])) < len(r["choices"]) for r in rows)
    return {"rows": len(rows), "first": first, "random": drawn, "gold": gold, "duplicate_choices": duplicates}


def made_up():
    rng = random.Random(20250128)
    words = ["Man", "man", "Woman", "a", "A", "dog", "Dog's", "ÉTÉ", "été", "don't", "3", "3rd", "½", "snake_case", "ΟΔΟΣ", "οδος",
             "οδοσ", "İ", "i", "中文", "e\u0301", "é", "٣", "²", "ﬁ", "-", ".", "\u200d", "a\u200db", "?", "_", "🎵", "कि", "Straße"]
    seps = [" ", ", ", "-", "\n", "", ".", "\u00a0", "/"]

    def text(most):
        return "".join(rng.choice(words) + rng.choice(seps) for _ in range(rng.randrange(most)))

    cases = []
    for _ in range(2000):
        choices = [text(3) for _ in range(rng.randrange(2, 6))]
        answer = rng.choice(choices)
        prediction = rng.choice([answer, answer.upper(), text(5), rng.choice(choices), answer + " " + text(3)])
        cases.append([answer, prediction, choices, passes(answer, prediction, choices)])
    rng.shuffle(cases)
    kept = [c for c in cases if c[3]][:150] + [c for c in cases if not c[3]][:150]
    return kept


mmau = Path(os.environ.get("AQA_SHARED", "../shared")) / "data" / "mmau"
predictions = {p.name: count(p, "model_prediction") for p in sorted((mmau / "predictions").glob("*.json"))}
fixture = {
    "python": platform.python_version(),
    "predictions": predictions,
    "floors": {p.name: floors(p) for p in sorted(mmau.glob("*.json"))},
    "cases": made_up(),
}
Path(__file__).with_suffix(".json").write_text(json.dumps(fixture, separators=(",", ":"), sort_keys=True) + "\n")
