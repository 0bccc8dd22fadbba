"""The works of `make bench-peers`: what is asked of both sides, how often, and what is hoped for."""

from dataclasses import dataclass, field

STEP = {"group": 8, "clip": 10, "new_tokens": 24, "questions": 1}


@dataclass(frozen=True)
class Work:
    """One row of the table."""

    name: str
    what: str
    #: How it is run: `ask` of workers that stay alive, `memory` of a step in a process of its own, `process` from start to end.
    way: str
    repeats: int
    #: The ratios, theirs by ours, that are aimed at, in order.
    targets: tuple
    request: dict = field(default_factory=dict)
    #: Clips, where items a second are of interest.
    items: int = 0


WORKS = [
    Work("step", "GRPO step: one question, 10 s, G = 8, 24 new tokens each", "ask", 3, (6, 8), {"work": "step"} | STEP),
    Work("step-memory", "peak memory of that step, whole process", "memory", 2, (3,), STEP),
    Work("prefill-1", "prefill to first token, 10 s, batch 1", "ask", 9, (1.7,), {"work": "prefill", "batch": 1}),
    Work("prefill-8", "prefill to first token, 10 s, batch 8", "ask", 5, (1.5,), {"work": "prefill", "batch": 8}),
    Work("decode-1", "decode step, batch 1, cache of 323 to 355", "ask", 7, (1.25, 2), {"work": "decode", "batch": 1, "new_tokens": 32}),
    Work("decode-8", "decode step, batch 8, cache of 323 to 355", "ask", 9, (1.4, 2), {"work": "decode", "batch": 8, "new_tokens": 32}),
    Work("evaluate", "evaluation of 50 clips of 10 s from WAV files, batch 8, 32 new tokens each", "ask", 3, (1.5,),
         {"work": "evaluate", "clips": 50, "batch": 8, "new_tokens": 32}, 50),
    Work("log-mel", "log-mel of a 10 s clip, one", "ask", 31, (3,), {"work": "log-mel"}),
    Work("clip", "WAV file of 30 s, 44.1 kHz, stereo: decode, resample, log-mel", "ask", 31, (3,), {"work": "clip"}),
    Work("start", "process start to first token, 10 s WAV file", "process", 5, (6,)),
    Work("start-memory", "peak memory of that process", "process", 5, (1 / 0.6,)),
    Work("score", "official scoring of 1000 predictions, whole process", "process", 15, (10,)),
]
