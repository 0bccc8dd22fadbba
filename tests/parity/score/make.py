"""Makes the fixtures of this folder anew, into the same places: `python tests/parity/score/make.py`. See README.md.

MMAU's rule, written in Python from its description: lower-case `\\b\\w+\\b` token sets; an answer passes when the gold's tokens
are all in it, and none of the tokens that other choices have beyond the gold's.
"""

import json
import random
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent.parent.parent / "benches" / "peers")]
from official import passes  # noqa: E402 (the rule, which `make bench-peers` times)

import common  # noqa: E402


def count(path, key):
    """Totals of a prediction file, as the script prints them."""
    cells = {"task": {}, "difficulty": {}, "sub-category": {}}
    total = correct = 0
    for row in json.loads(path.read_text(encoding="utf-8")):
        # The script skips a row without a prediction.
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
    """What a question file gives to answers that no model made."""
    rows = json.loads(path.read_text(encoding="utf-8"))
    first = sum(passes(r["answer"], r["choices"][0], r["choices"]) for r in rows)
    drawn = sum(sum(passes(r["answer"], c, r["choices"]) for c in r["choices"]) / len(r["choices"]) for r in rows)
    gold = sum(passes(r["answer"], r["answer"], r["choices"]) for r in rows)
    duplicates = sum(len(set(r["choices"])) < len(r["choices"]) for r in rows)
    return {"rows": len(rows), "first": first, "random": drawn, "gold": gold, "duplicate_choices": duplicates}


def made_up():
    """150 cases that pass and 150 that do not."""
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


if __name__ == "__main__":
    common.write_json(HERE / "official.json", {"python": common.PYTHON}, cases=made_up())
    folder = common.real_data("predictions", ["score/real_predictions.json"])
    if folder is not None:
        predictions = {p.name: count(p, "model_prediction") for p in sorted((folder / "predictions").glob("*.json"))}
        questions = {p.name: floors(p) for p in sorted(folder.glob("*.json"))}
        common.write_json(HERE / "real_predictions.json", {"python": common.PYTHON}, predictions=predictions, floors=questions)
