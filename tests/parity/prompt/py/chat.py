"""chat.json: Qwen2AudioProcessor.apply_chat_template, the processor's call, and decoding."""

import json
import random

from .tokenizer import SPECIAL, expanded, rendered, runs

TEXTS = [
    "What is heard?",
    "What's that?  Two  spaces, 2024 digits\nand\r\n\tlines  ",
    "Question Please choose the answer from the following options: ['a', \"it's\", '\"q\"', '\\\\ \\n']. Output the final answer in "
    "<answer> </answer>.",
    "",
    "中文 e\u0301 \u00e9 \U0001f600 <|im_end|> <|audio_bos|>x<|audio_eos|> <|endoftext|>",
    "Audio 7: {{ messages }} {% if %} <think>",
]
# Texts that bring their own places for audio, with and without one of the neighbours.
BARE = ["<|AUDIO|>", "a <|AUDIO|> b <|audio_bos|><|AUDIO|> c <|AUDIO|><|audio_eos|>", "a longer opening <|AUDIO|><|AUDIO|>"]


def decodes(tokenizer):
    """Random ids, some beyond the tokenizer's, and a text that clean-up would change."""
    rng = random.Random(5)
    for _ in range(40):
        ids = [rng.randrange(len(tokenizer) + 8) for _ in range(rng.randrange(1, 12))]
        yield {"ids": ids, "text": tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)}
    yield {"ids": tokenizer.encode("it 's , a ."), "text": "it 's , a ."}


def make(here, versions, processor):
    """Writes the file."""
    tokenizer = processor.tokenizer
    many_lines = (here / "many_lines.jinja").read_text()
    cases, bare = [], []
    for text in TEXTS:
        for lengths in [[16000], [480000, 1000], [8000, 159, 480001]]:
            prompt = rendered(processor, text, len(lengths))
            counts, ids = expanded(processor, prompt, lengths)
            other = rendered(processor, text, len(lengths), many_lines)
            cases.append({"text": text, "counts": counts, "rendered": prompt, "many_lines": other, "id_runs": runs(ids)})
    for text in BARE:
        counts, ids = expanded(processor, text, [1600 + 640 * i for i in range(text.count("<|AUDIO|>"))])
        bare.append({"text": text, "counts": counts, "ids": ids})
    fixture = {
        "transformers": versions["transformers"],
        "tokenizers": versions["tokenizers"],
        "tokens": {t: tokenizer.convert_tokens_to_ids(t) for t in SPECIAL},
        "eos": tokenizer.eos_token_id,
        "pad": tokenizer.pad_token_id,
        "size": len(tokenizer),
        "cases": cases,
        "bare": bare,
        "decode": list(decodes(tokenizer)),
    }
    (here / "chat.json").write_text(json.dumps(fixture, separators=(",", ":")) + "\n")
