"""MMAU's scoring as a process, the peer of `aqa-bench score`: `python official.py FILE`.

MMAU's own script (evaluation.py of Sakshi113/MMAU) is not part of this repository: this is its rule and its kind of output, written from the
description, with the imports that it cannot do without. The rule: lower-case `\\b\\w+\\b` token sets; an answer is right when it holds all tokens of
the gold answer and none that other choices have beyond them. It reads `model_prediction`, as R1-AQA's README tells its users to have it.
"""

import argparse
import json
import re
from collections import defaultdict


def tokens(text):
    """The set that the rule compares."""
    return set(re.findall(r"\b\w+\b", text.lower()))


def passes(answer, prediction, choices):
    """Whether a prediction counts as correct."""
    predicted, gold = tokens(prediction), tokens(answer)
    if not predicted:
        return False
    wrong = set()
    for choice in choices:
        if tokens(choice) != gold:
            wrong |= tokens(choice) - gold
    return gold <= predicted and not predicted & wrong


def main():
    """Prints accuracy by task, by difficulty, by sub-category, and in total."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    with open(parser.parse_args().file, encoding="utf-8") as file:
        rows = json.load(file)
    tables = {"task": defaultdict(lambda: [0, 0]), "difficulty": defaultdict(lambda: [0, 0]), "sub-category": defaultdict(lambda: [0, 0])}
    right = total = 0
    for row in rows:
        if "model_prediction" not in row:
            continue
        passed = passes(row["answer"], row["model_prediction"], row["choices"])
        total, right = total + 1, right + passed
        for key, table in tables.items():
            table[row[key]][0] += passed
            table[row[key]][1] += 1
    for key, table in tables.items():
        print("*" * 30)
        print(f"{key}-wise Accuracy:")
        for name, (passed, count) in table.items():
            print(f"{name} : {passed / count * 100:.2f}% over {count} samples")
    print("*" * 30)
    print(f"Total Accuracy: {right / total * 100:.2f}% over {total} samples")


if __name__ == "__main__":
    main()
