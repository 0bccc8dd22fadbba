"""What a GRPO step has to compute, read and keep, from the shapes alone: the floor that measured steps are held against.

One question's step is a prefill, a decode of C - 1 steps over G rows, a pass of the reference and a pass of the policy (backward: twice its
forward) over the prompt once and its G completions behind it, and AdamW. The clip is encoded once a pass, over its own length. Only pairs of positions
that see each other are counted, and logits only where a token is chosen or scored.
"""

import json
from dataclasses import dataclass

FLOAT = 4
MELS = 128


@dataclass(frozen=True)
class Step:
    """A step: Q questions of P prompt tokens with clips of so many seconds, G completions of C tokens each."""

    questions: int
    prompt: int
    clip: int
    group: int
    new: int


@dataclass(frozen=True)
class Floor:
    """Float operations outside of decoding, seconds of decoding, bytes of the update; bytes held at the end of the policy's pass."""

    passes: float
    decode: float
    update: float
    memory: float


class Model:
    """The shape of a checkpoint, by its config.json; `width` is the bytes of a number, on disk and where it computes."""

    def __init__(self, folder, width=FLOAT):
        self.width = width
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        audio, text = config["audio_config"], config["text_config"]
        self.d, self.audio_layers, self.audio_inner = audio["d_model"], audio["encoder_layers"], audio["encoder_ffn_dim"]
        self.h, self.layers, self.inner, self.vocab = (text[k] for k in ("hidden_size", "num_hidden_layers", "intermediate_size", "vocab_size"))
        index = json.loads((folder / "model.safetensors.index.json").read_text(encoding="utf-8"))
        self.parameters = index["metadata"]["total_size"] // width
        #: Weights that a token goes through: the language model's layers, and with them the head.
        self.body = self.layers * (4 * self.h**2 + 3 * self.h * self.inner)
        self.body_and_head = self.body + self.h * self.vocab

    def encoder(self, seconds):
        """Operations on a clip: convolutions, layers, projector."""
        frames, positions = 100 * seconds, 50 * seconds
        convolutions = 2 * 3 * (frames * MELS * self.d + positions * self.d**2)
        layer = 2 * positions * (4 * self.d**2 + 2 * self.d * self.audio_inner) + 4 * positions**2 * self.d
        return convolutions + self.audio_layers * layer + 2 * (positions // 2) * self.d * self.h

    def text(self, tokens, pairs, logits):
        """Operations on so many tokens, pairs of positions that see each other, and positions with logits."""
        return 2 * tokens * self.body + 4 * pairs * self.h * self.layers + 2 * logits * self.h * self.vocab

    def read(self, rows, at):
        """Bytes that a decode step reads: the weights once, and the keys and values of every row at its positions so far."""
        return self.width * (self.body_and_head + rows * 2 * self.h * self.layers * at)

    def kept(self, step):
        """Bytes that the policy's pass keeps for its backward: of a layer the inputs of its two norms and of its linears, what attention
        takes and gives, what the activation takes and gives; of a logit its value and its logarithm."""
        tokens, positions = step.prompt + step.group * step.new, 50 * step.clip
        text = tokens * self.layers * (10 * self.h + 4 * self.inner)
        audio = positions * self.audio_layers * (8 * self.d + 2 * self.audio_inner)
        return FLOAT * (text + audio + 2 * step.group * step.new * self.vocab)

    def floor(self, step, machine):
        """The step's floor on a machine with so many `flops` and `bytes` a second."""
        p, g, c = step.prompt, step.group, step.new
        prefill = self.encoder(step.clip) + self.text(p, p * p / 2, 1)
        scored = self.encoder(step.clip) + self.text(p + g * c, p * p / 2 + g * (c * p + c * c / 2), g * c)
        rows = step.questions * g
        decode = 0.0
        for at in range(p, p + c - 1):
            operations = self.text(rows, rows * at, rows)
            decode += max(operations / machine["flops"], self.read(rows, at) / machine["bytes"])
        # Parameter, gradient and two moments are read, all but the gradient written.
        update = 7 * FLOAT * self.parameters
        # Policy and reference, a gradient and two moments a parameter; questions go through the policy one by one.
        memory = 5 * FLOAT * self.parameters + self.kept(step)
        return Floor(step.questions * (prefill + 4 * scored), decode, update, memory)

    def seconds(self, step, machine):
        """The least seconds of a step."""
        floor = self.floor(step, machine)
        return floor.passes / machine["flops"] + floor.decode + floor.update / machine["bytes"]
