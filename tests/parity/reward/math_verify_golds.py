"""Writes math_verify_golds.json: in which solutions math-verify 0.7.0 finds something symbolic.

Run: python math_verify_golds.py (with math-verify 0.7.0)
"""

import importlib.metadata
import json
import logging
import random
from pathlib import Path

from math_verify import parse

logging.disable(logging.CRITICAL)
rng = random.Random(70)
parts = ["Man", "a dog", "3", "2.5", ".5", "1,000", "50%", "$5", "$x$", "€7", "-2", "(4", "(2)", "1/2", "2+2", "=", "x=3", "**9**", "²",
         "٣", "\\frac{1}{2}", "\\boxed{a}", "\\(x\\)", "\\[y\\]", "[z]", "]", "[", "$", "12:30", "A.", "B", "don't", "it's", "No.", "4/4", "+1", "#1"]
seps = [" ", " ", " ", "", "-", "\u00a0", ":"]
golds = {"<answer>" + "".join(rng.choice(parts) + rng.choice(seps) for _ in range(rng.randrange(1, 4))).strip() + "</answer>" for _ in range(700)}
golds |= {"<answer>" + p + "</answer>" for p in parts} | {"<answer>about " + p + "</answer>" for p in parts} | {"3", "about three"}
fixture = {
    "math-verify": importlib.metadata.version("math-verify"),
    "golds": [[gold, bool(parse(gold))] for gold in sorted(golds)],
}
Path(__file__).with_suffix(".json").write_text(json.dumps(fixture, separators=(",", ":")) + "\n")
