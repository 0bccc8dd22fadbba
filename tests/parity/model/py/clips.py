"""Short synthetic clips, 16-bit mono WAV at 16 kHz, and the texts asked about them."""

import wave

import numpy as np

from .common import CLIPS

RATE = 16000
# name: number of samples. `odd` is no multiple of the hop (160), so its last frame is partly padding.
LENGTHS = {"half": 8000, "one": 16000, "long": 27200, "odd": 5001}


def synthesise(name, n):
    """Int16 samples: a different mixture for each clip, loud enough to clip once in `long`."""
    t = np.arange(n) / RATE
    noise = np.random.Generator(np.random.PCG64(len(name) * 1000 + n)).uniform(-1, 1, n)
    if name == "half":
        x = 0.5 * np.sin(2 * np.pi * 440 * t) + 0.2 * np.sin(2 * np.pi * 1320 * t)
    elif name == "one":
        x = 0.6 * np.sin(2 * np.pi * (200 * t + 1500 * t * t)) * np.exp(-2 * t)
    elif name == "long":
        x = 0.9 * np.sin(2 * np.pi * 150 * t) * (np.sin(2 * np.pi * 3 * t) > 0) + 0.3 * noise
    else:
        x = 0.4 * noise * np.exp(-12 * t) + 0.02
    return np.clip(np.round(x * 32767), -32768, 32767).astype(np.int16)


def make():
    """Writes the clips; returns their samples as float32 in [-1, 1)."""
    CLIPS.mkdir(exist_ok=True)
    out = {}
    for name, n in LENGTHS.items():
        pcm = synthesise(name, n)
        with wave.open(str(CLIPS / f"{name}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE)
            file.writeframes(pcm.astype("<i2").tobytes())
        out[name] = pcm.astype(np.float32) / 32768
    return out


# name: (clips in order, text of the user turn after the audio)
CASES = {
    "odd": (["odd"], "Yes or no?"),
    "half": (
        ["half"],
        "What is the sound? Please choose the answer from the following options: ['a bell', \"a cat's cry\"]. "
        "Output the final answer in <answer> </answer>.",
    ),
    "one": (["one"], "Qu'est-ce que c'est: naïve — 日本語 été? 1234\n"),
    "long": (["long"], "How many beats? Options: ['2', '5', '10']"),
    "two": (["half", "long"], "Which audio is louder?"),
}


def conversation(case):
    """The case as a chat: one user turn with its audio first, default system turn."""
    names, text = CASES[case]
    content = [{"type": "audio", "audio_url": name} for name in names] + [{"type": "text", "text": text}]
    return [{"role": "user", "content": content}]
