"""The report of `make bench-peers`: answers to rows, rows to Markdown and JSON."""

import json

import common
from common import median

THEIRS, OURS = "theirs", "ours"


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
    if "rollout_seconds" in answers[OURS][0]:
        row["rollout_seconds"] = {side: [a["rollout_seconds"] for a in found] for side, found in answers.items()}
    if work.way == "memory":
        row["loaded"] = {side: median([a["loaded"] for a in found]) for side, found in answers.items()}
    if work.items:
        row["items"] = work.items
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
        if "rollout_seconds" in row:
            rollout = {side: common.seconds(median(found)) for side, found in row["rollout_seconds"].items()}
            lines.append(f"- Of the step, the rollout: theirs {rollout[THEIRS]}, ours {rollout[OURS]}.")
        if "loaded" in row:
            held = {side: common.size(found) for side, found in row["loaded"].items()}
            lines.append(f"- Before the first step, policy and reference loaded: theirs {held[THEIRS]}, ours {held[OURS]}.")
        if "items a second" in row:
            rate = {side: f"{found:.2f}" for side, found in row["items a second"].items()}
            equal = f"{row['texts that are equal']} of {row['items']} texts are equal"
            lines.append(f"- Evaluation: theirs {rate[THEIRS]} clips a second, ours {rate[OURS]}; {equal}.")
    return "\n".join(lines)


def write(out, head, rows, wanted):
    """Leaves peers.md and peers.json; `wanted` works will have a row in the end."""
    text = ["# Beside the reference stack"]
    if head["quick"]:
        text.append("A smoke run: each work once, nothing warmed up. No figure of it means anything.")
    if len(rows) < wanted:
        text.append(f"Unfinished: {len(rows)} of {wanted} works.")
    text.append("Medians, least and largest in brackets; ratio is theirs by ours. What each row measures: docs/performance.md.")
    titles = ["work", "theirs", "ours", "ratio", "target", "reached"]
    about = [(key, value) for key, value in head.items() if key != "quick"]
    text += [common.table(titles, [cells(row) for row in rows]), notes(rows), "## Machine and versions", common.table(["", ""], about)]
    (out / "peers.md").write_text("\n\n".join(part for part in text if part) + "\n", encoding="utf-8")
    (out / "peers.json").write_text(json.dumps({"about": head, "rows": rows}, indent=1) + "\n", encoding="utf-8")
