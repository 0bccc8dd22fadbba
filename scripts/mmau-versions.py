#!/usr/bin/env python3
"""Makes recipes/data/mmau-rows.tsv: digests of every row of the versions of mmau-test-mini.json that lie in a folder.

    scripts/mmau-versions.py FOLDER

Files are found by their SHA-256, which recipes/data/mmau-versions.json knows; their names do not matter. No question, option
or answer is written, only ids and the first digits of hashes. Ends with 4 if the folder has no known version.
"""

import hashlib
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FIELDS = ["audio_id", "question", "choices", "answer", "dataset", "task", "split", "category", "sub-category", "difficulty"]
HEAD = """\
# Rows of the versions of mmau-test-mini.json whose files were at hand, made by scripts/mmau-versions.py.
# version: commit, then the start of the SHA-256 of its ids in order, a line each.
# fields: what is digested. Then a line for each row: the versions that have it so (1 is the first above), its id, and the
# first 8 digits of the SHA-256 of each field's canonical JSON.
"""


def digest(value):
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def main(folder):
    table = json.loads((ROOT / "recipes/data/mmau-versions.json").read_text())
    found = {hashlib.sha256(p.read_bytes()).hexdigest(): p for p in sorted(Path(folder).glob("*.json"))}
    versions = [v for v in table["versions"] if v["sha256"] in found]
    if not versions:
        print(f"error: {folder}: expected a known version of {table['file']}, found none of {len(found)} files", file=sys.stderr)
        return 4
    lines, rows = [], {}
    for number, version in enumerate(versions, 1):
        items = json.loads(found[version["sha256"]].read_text())
        order = hashlib.sha256("\n".join(item["id"] for item in items).encode()).hexdigest()[:16]
        lines.append(f"version\t{version['commit']}\t{order}")
        for item in items:
            assert set(item) == {"id", *FIELDS}, item["id"]
            row = (item["id"], "".join(digest(item[field]) for field in FIELDS))
            rows[row] = rows.get(row, "") + str(number)
    lines.append("\t".join(["fields", *FIELDS]))
    lines += [f"{which}\t{item}\t{digests}" for (item, digests), which in rows.items()]
    out = ROOT / "recipes/data/mmau-rows.tsv"
    out.write_text(HEAD + "\n".join(lines) + "\n")
    print(f"{out.relative_to(ROOT)}: {len(rows)} rows of {len(versions)} versions, {out.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
