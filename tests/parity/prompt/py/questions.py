"""questions.json: hashes of every MMAU question as the model gets it, where the question files are at hand.

For each file and prompt: `whole`, the sha256 over all questions, and `each`, the first six hex digits of each question's own
sha256, in the file's order, so that the first difference has a name. What is hashed: the rendered prompt in UTF-8, a zero byte,
the ids as little-endian uint32.
"""

import hashlib
import json
import struct

import common

from .asked import STYLES, at_test
from .tokenizer import expanded, rendered

DIGITS = 6


def make(here, versions, processor):
    """Writes the file if the questions are there."""
    folder = common.real_data("mmau-test-mini.2025-01-28.json", ["prompt/questions.json"])
    if folder is None:
        return
    found = {}
    for path in sorted(folder.glob("mmau-test-mini.2025-*.json")):
        rows = json.loads(path.read_text(encoding="utf-8"))
        for style in STYLES:
            whole, each = hashlib.sha256(), ""
            for row in rows:
                prompt = rendered(processor, at_test(style, row["question"], row["choices"]))
                counts, ids = expanded(processor, prompt, [16000])
                assert counts == [25]
                content = prompt.encode() + b"\0" + struct.pack(f"<{len(ids)}I", *ids)
                whole.update(content)
                each += hashlib.sha256(content).hexdigest()[:DIGITS]
            found[f"{path.name} prompt {style}"] = {"questions": len(rows), "whole": whole.hexdigest(), "each": each}
    head = {"made_with": {"python": common.PYTHON, **versions}, "audio_tokens": 25, "digits": DIGITS}
    common.write_json(here / "questions.json", head, files=found)
