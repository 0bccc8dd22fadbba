"""python_text.json: what Python says about text, for src/prompt/python.rs and src/prompt/repr.rs."""

import json
import random
import sys
import unicodedata

import common


def runs(holds):
    """Lengths of alternating runs over all code points, the first run being of those for which it does not hold."""
    lengths, state, length = [], False, 0
    for point in range(sys.maxunicode + 1):
        if holds(chr(point)) != state:
            lengths.append(length)
            state, length = not state, 0
        length += 1
    return lengths + [length]


def random_text(rng):
    """Up to 11 characters, those that quoting and printing depend on more often than others."""
    pools = [
        "abcXYZ 0123456789",
        "'\"\\",
        "\n\t\r\0\x07\x1b\x7f",
        "\x80\x85\xa0\xad\xff\u0301\u0600\u200b\u200d\u2028\u2029\u3000\ufeff\uffff",
        "\u00e9\u4e2d\u6587\u03c3\u03a3\u0130\u00df",
        "\U0001f600\U000e0001\U000f0000\U0010ffff\U0001fae0",
    ]
    weights = [6, 4, 2, 2, 2, 1]
    size = rng.randrange(12)
    return "".join(rng.choice(rng.choices(pools, weights)[0]) for _ in range(size))


SIGMA = ["Σ", "ΑΣ", "ΑΣΑ", "Α.Σ", "Σ Σ", "ΑΣ' Α", "ΑΣ\u0301", "ΑΣ\u0301Α", "\u00adΣ", "A\u00adΣ", "ǅΣ", "ΟΔΟΣ. ΟΔΟΣ"]


def make(here):
    """Writes the file."""
    rng = random.Random(20250517)
    texts = sorted({random_text(rng) for _ in range(400)})
    lists = [rng.sample(texts, rng.randrange(9)) for _ in range(60)]
    points = [p for p in range(sys.maxunicode + 1) if not 0xD800 <= p <= 0xDFFF]
    fixture = {
        "python": common.PYTHON,
        "unicode": unicodedata.unidata_version,
        "printable_runs": runs(str.isprintable),
        # `\w` of `re` is alphanumeric or an underscore.
        "word_runs": runs(lambda c: c.isalnum() or c == "_"),
        "space": [p for p in points if chr(p).isspace()],
        "lower": "".join(f"{chr(p)}{chr(p).lower()}\n" for p in points if chr(p).lower() != chr(p)),
        "lower_in_context": {text: text.lower() for text in SIGMA},
        "repr": {text: repr(text) for text in texts},
        "list_repr": [{"items": items, "repr": str(items)} for items in lists],
    }
    (here / "python_text.json").write_text(json.dumps(fixture, ensure_ascii=True, separators=(",", ":")) + "\n")
