"""Writes cases.json, pairs.json and tags.json: what the reference's rewards and answer extraction say.

Run: python make.py (with what tests/parity/requirements.txt pins). The pairs of cases.json are kept, their verdicts made anew.
"""

import json
import logging
import random
import re
import sys
from pathlib import Path

from math_verify import parse, verify

here = Path(__file__).resolve().parent
sys.path.insert(0, str(here.parent))
import common  # noqa: E402

logging.disable(logging.CRITICAL)
packages = ["math-verify", "latex2sympy2_extended", "sympy", "antlr4-python3-runtime"]
versions = common.versions(here.parent / "requirements.txt", packages)


def write(name, **content):
    lines = [
        f"{json.dumps(k)}:"
        + (
            "[\n" + ",\n".join(json.dumps(row, separators=(",", ":")) for row in v) + "\n]"
            if isinstance(v, list)
            else json.dumps(v, separators=(",", ":"))
        )
        for k, v in content.items()
    ]
    (here / name).write_text("{" + ",\n".join(lines) + "}\n")


def inside(text):
    """R1-AQA's answer: src/trainer/grpo_trainer.py and src/test_mmau.py."""
    found = re.search(r"<answer>(.*?)</answer>", text)
    return found.group(1).strip() if found else text.strip()


def verdict(content, solution):
    return verify(parse(content), parse(solution))


# The cases that were chosen by hand.
cases = [row[:2] for row in json.loads((here / "cases.json").read_text())["cases"]]
write("cases.json", versions=versions, cases=[[c, s, verdict(c, s), inside(c) == inside(s)] for c, s in cases])

# Pairs in the manner of AVQA's options, where math-verify finds something.
rng = random.Random(70)
pick = rng.choice


def integer():
    return pick(
        [
            str(rng.randrange(10)),
            str(rng.randrange(100)),
            str(rng.randrange(1900, 2030)),
            "0" + str(rng.randrange(100)),
            "-" + str(rng.randrange(1, 20)),
            str(rng.randrange(10**6)),
        ]
    )


def grouped():
    n = rng.randrange(1000, 2000000)
    return pick([f"{n:,}", f"{n:,}".replace(",", " "), str(n), f"{n:,}.5"])


def decimal():
    return pick(
        [
            f"{rng.random() * 10:.{rng.randrange(1, 9)}f}",
            f".{rng.randrange(1, 100)}",
            f"{rng.randrange(20)}.0",
            f"{rng.randrange(20)},5",
            f"{rng.randrange(10)}.{rng.randrange(10)}0",
            "0.333333",
            "0.6666667",
            "0.25",
            "0.5",
        ]
    )


def fraction():
    a, b = rng.randrange(1, 10), rng.randrange(1, 10)
    return pick([f"{a}/{b}", f"{2 * a}/{2 * b}", f"{a}/{b} of it", f"{a} / {b} ", f"-{a}/{b},"])


def total():
    a, b = rng.randrange(1, 20), rng.randrange(1, 20)
    return pick(
        [
            f"{a}+{b} =",
            f"{a} - {b}.",
            f"{a}*{b} in all",
            f"{a}×{b}",
            f"{a}^2 .",
            f"({a}) and",
            f"( {a} )",
            f"{a}--{b} x",
            f"{a}//{b} x",
            f"{a}.{b}.{a}+1 x",
            f"{a}-{b} years",
            f"2({a}) x",
            f"{a}+{b}={a + b}",
            f"{a} + {b} = {a + b}",
            f"{a}.5+{b}.5 x",
        ]
    )


def clock():
    return pick(
        [
            f"{rng.randrange(24)}:{rng.randrange(60):02}",
            f"{rng.randrange(1, 13)} {pick(['am', 'pm'])}",
            f"20{rng.randrange(10, 30)}-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}",
            f"{rng.randrange(1, 13)}/{rng.randrange(1, 29)}/2020",
            f"{rng.randrange(190, 203)}0s",
        ]
    )


def amount():
    n = pick([integer(), decimal(), grouped()])
    return pick(
        [
            f"{n}%",
            f"{n} %",
            f"{n} percent",
            f"{n} pct",
            f"${n}",
            f"€{n}",
            f"{n} dollars",
            f"{n}Hz",
            f"{n} BPM",
            f"{n} dB",
            f"{n} seconds",
            f"{n}rd",
            f"**{n}**",
            f"{n}\u00a0s",
            f"({n})",
            f"( {n})",
            f"n={n}",
            f"n = {n}",
            f"{n}th",
        ]
    )


def latex():
    a, b, letter = rng.randrange(1, 12), rng.randrange(1, 12), pick("xyABnC")
    word = pick(["Man", "nam", "dog", "cat", "Piano", "guitar", "trumpet", "C major", "a bell", "yes", "No", "e"])
    return pick(
        [
            f"${a}$",
            f"${a}.0$",
            f"$\\frac{{{a}}}{{{b}}}$",
            f"\\frac{{{a}}}{{{b}}}",
            f"${a}/{b}$",
            f"${a}\\%$",
            f"${a}$ percent",
            f"${letter}$",
            f"${letter}={a}$",
            f"${letter}=y={a}$",
            f"\\boxed{{{word}}}",
            f"\\boxed{{{a}}}",
            f"\\({a}\\)",
            f"\\[{letter}\\]",
            f" [{word}] x",
            f" [{letter}] x",
            f"$\\text{{{word}}}$",
            f"\\boxed{{\\text{{{word}}}}}",
            f"${a}{letter}$",
            f"${a}+{b}$",
            f"${a}\\times {b}$",
            f"${letter}_{a}$",
            f"${letter}^2$",
            f"\\boxed{{{a},{b}}}",
            f"${a}$ and ${b}$",
            f"\\boxed{{{word}, {pick(['man', 'dog', 'cat'])}}}",
            f"$0.{a}$",
            f"${a},000$",
            f"\\boxed{{{a}:{b}}}",
            f"\\boxed{{{word}.}}",
            f"\\frac{a % 10}{b % 10}",
            f"\\boxed{{{a} dogs}}",
            f"$-{a}$",
            f"$\\pi$",
            f"\\boxed{{{word}",
            f"${a} {b}$",
            f"$${a}$$",
            f"${a}\\frac{{1}}{{{b}}}$",
        ]
    )


def beyond():
    a = rng.randrange(1, 9)
    return pick(
        [f"$\\sqrt{{{a}}}$", f"$x<{a}$", f"$({a},{a + 1})$", f"$f({a})$", f"$\\sin {a}$", f"${a}!$", f"$\\pm {a}$"]
    )


kinds = [
    integer,
    integer,
    decimal,
    decimal,
    grouped,
    fraction,
    total,
    clock,
    amount,
    amount,
    amount,
    latex,
    latex,
    latex,
]
leads = [
    "",
    "about ",
    "Room ",
    "at ",
    "It is ",
    "No. ",
    "version ",
    "there are 2 dogs and ",
    "= ",
    "around: ",
    "a ",
    "cost ",
]
tails = ["", "", "", ".", " dogs", " times", ", or so", " in all", "!", "?", " 3", "s"]


def phrase(kind):
    return pick(leads) + kind() + pick(tails)


def completion(answer):
    other = phrase(pick(kinds))
    forms = ["<answer>{a}</answer>"] * 8 + [
        "{a}",
        "The answer is {a}",
        "answer: {a}",
        "The final answer is {a}. I hope it is correct",
        "Final answer: it is {a}",
        "<think>{o}</think> <answer>{a}</answer>",
        "<think>{o}\nso {a}</think>\n<answer>{a}</answer>",
        "<answer>{a}</answer> because {o}",
        "It is {o}. <answer>{a}</answer>",
        "<answer>\n{a}\n</answer>",
        "x = {a}",
        "I heard {a}; {o}",
        "**{a}**",
        "\\boxed{{{a}}}",
    ]
    return pick(forms).format(a=answer, o=other)


def respelt(answer):
    return pick(
        [
            answer,
            answer,
            answer.replace(",", ""),
            answer.replace(".0", ""),
            answer.swapcase(),
            answer.replace("about ", "nearly "),
            answer.replace("%", " percent"),
            answer + "0",
            answer.replace(" ", "  "),
            answer.replace("$", ""),
        ]
    )


rows = {}
while len(rows) < 1500:
    kind = pick(kinds)
    answer = phrase(kind)
    solution = f"<answer>{answer}</answer>"
    content = completion(pick([respelt(answer), respelt(answer), phrase(kind), phrase(pick(kinds))]))
    rows[content, solution] = None
parts = [
    "Man",
    "a dog",
    "3",
    "2.5",
    ".5",
    "1,000",
    "50%",
    "$5",
    "$x$",
    "€7",
    "-2",
    "(4",
    "(2)",
    "1/2",
    "2+2",
    "=",
    "x=3",
    "**9**",
    "²",
    "٣",
    "\\frac{1}{2}",
    "\\boxed{a}",
    "\\(x\\)",
    "\\[y\\]",
    "[z]",
    "]",
    "[",
    "$",
    "12:30",
    "A.",
    "B",
    "don't",
    "it's",
    "No.",
    "4/4",
    "+1",
    "#1",
]
seps = [" ", " ", " ", "", "-", "\u00a0", ":"]
while len(rows) < 2000:
    solution = "<answer>" + "".join(pick(parts) + pick(seps) for _ in range(rng.randrange(1, 4))).strip() + "</answer>"
    rows[pick([solution, solution, "<answer>about " + pick(parts) + "</answer>"]), solution] = None
while len(rows) < 2040:
    solution = f"<answer>{beyond()}</answer>"
    rows[pick([solution, f"<answer>{beyond()}</answer>", "about 3"]), solution] = None
write("pairs.json", versions=versions, pairs=[[c, s, verdict(c, s)] for c, s in rows])

# Format rewards and ways to take an answer, on texts of tags.
pieces = [
    "<answer>",
    "</answer>",
    "<think>",
    "</think>",
    "a",
    "b c",
    " ",
    "\n",
    "\t",
    "\u00a0",
    "\x1c",
    "\u200b",
    "\r",
    "</ answer>",
    "<Answer>",
]
texts = set()
while len(texts) < 600:
    texts.add("".join(pick(pieces + pieces[:4] * 2) for _ in range(rng.randrange(1, 9))))
    think, answer = (pick(["", "a", "a\nb", "</think>", "<answer>a</answer>"]) for _ in range(2))
    texts.add(f"<answer>{think}</answer>{pick(['', '', answer, chr(10), ' '])}")
    texts.add(
        f"<think>{think}</think>{pick(['', ' ', chr(10), chr(10) * 2, chr(0xA0), chr(0x200B), 'x'])}<answer>{answer}</answer>{pick(['', '', '', ' ', chr(10)])}"
    )


def last(text):
    found = re.findall(r"<answer>(.*?)</answer>", text)
    return found[-1].strip() if found else text.strip()


def dotall(text):
    found = re.search(r"<answer>(.*?)</answer>", text, re.DOTALL)
    return found.group(1).strip() if found else text.strip()


def row(text):
    block = re.fullmatch(r"<answer>.*?</answer>", text, re.DOTALL) is not None
    thought = re.fullmatch(r"<think>.*?</think>\s*<answer>.*?</answer>", text, re.DOTALL) is not None
    return [text, block, thought, inside(text), dotall(text), last(text), inside(text.rsplit("</think>", 1)[-1])]


write(
    "tags.json",
    columns=["text", "format", "format-think", "answer-tag", "answer-tag-dotall", "last-answer-tag", "after-think"],
    rows=[row(t) for t in sorted(texts)],
)
