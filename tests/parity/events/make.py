"""An event file as TensorBoard's own writer leaves it: events.out.tfevents.tensorboard (see README.md)."""

import math
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

EVENTS = [
    (1_700_000_001.5, 1, [("loss", 0.5), ("reward/accuracy", -1e-3)]),
    (1_700_000_002.5, 300, [("kl", math.nan), ("grad_norm", math.inf)]),
    (1_700_000_003.0, 70_000, [("a long tag " * 20, 1e30)]),
]

with open(Path(__file__).parent / "events.out.tfevents.tensorboard", "wb") as file:
    writer = RecordWriter(file)
    writer.write(Event(wall_time=1_700_000_000.25, file_version="brain.Event:2").SerializeToString())
    for wall_time, step, values in EVENTS:
        summary = Summary(value=[Summary.Value(tag=tag, simple_value=number) for tag, number in values])
        writer.write(Event(wall_time=wall_time, step=step, summary=summary).SerializeToString())
    writer.flush()
