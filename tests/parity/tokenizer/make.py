"""Makes encodings.json anew: `python tests/parity/tokenizer/make.py`. See README.md.

Encodes texts with transformers' fast and slow Qwen2 tokenizers, from built/, the files of `synth::tokenizer::build(511)`.
"""

import hashlib
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import common  # noqa: E402

from transformers import AutoTokenizer, Qwen2Tokenizer, Qwen2TokenizerFast  # noqa: E402

FILES = ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.json", "merges.txt"]
# Ordinary prompts and answers, then what a tokenizer can get wrong: spaces, digits, case, scripts, special tokens, NFC.
TEXTS = [
    "",
    "What sound is this? Please choose the answer from the following options: ['noise', 'siren', 'hum', 'birds']. "
    "Output the final answer in <answer> </answer>.",
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\nAudio 1: <|audio_bos|><|AUDIO|><|AUDIO|>"
    "<|audio_eos|>\nWho is speaking?<|im_end|>\n<|im_start|>assistant\n",
    "<answer>clarinet</answer><|im_end|>",
    "<think>It rises.</think>\n<answer>siren</answer><|endoftext|>",
    "It's what they'd say: \"we'LL see\", isn't it?",
    "['a dog\\'s bark', \"the cat's meow\"]",
    "🎻🔔 👩‍👩‍👧 emoji",
    "日本語の音 한국어 العربية עברית",
    "cafe\u0301 is normalised to caf\u00e9; \u1e9b\u0323 \u212b too",
    "  two  spaces\t\ttabs \r\n\r\n lines\n\n\n end  ",
    "1234567890 3.14 ½ ²",
    "<|im_start|><|not_special|><|im_end|> <|AUDIO|>x<|AUDIO|>",
    "\u0000\u007f\u200b\ufeff",
    "ÀÉÎÕÜ straße ǅ ﬁ",
]


def main():
    """Checks what transformers makes of the folder, and writes encodings.json."""
    folder = HERE / "built"
    auto = AutoTokenizer.from_pretrained(folder)
    fast = Qwen2TokenizerFast.from_pretrained(folder)
    slow = Qwen2Tokenizer.from_pretrained(folder)
    assert type(auto) is Qwen2TokenizerFast, type(auto)
    cases = []
    for text in TEXTS:
        ids = auto(text)["input_ids"]
        assert ids == fast(text)["input_ids"] == slow(text)["input_ids"], text
        cases.append({"text": text, "ids": ids, "decoded": auto.decode(ids)})
    for t in (auto, fast, slow):
        assert (t.eos_token, t.pad_token, t.padding_side, t.model_max_length) == ("<|im_end|>", "<|endoftext|>", "left", 8192)
        assert t.bos_token is None, t.bos_token
        assert len(t) == max(t.added_tokens_decoder) + 1, len(t)
    sha256 = {f: hashlib.sha256((folder / f).read_bytes()).hexdigest() for f in FILES}
    head = {**common.versions(HERE.parent / "requirements.txt", ["transformers", "tokenizers"]), "vocab_size": len(auto)}
    common.write_json(HERE / "encodings.json", head, sha256=sha256, cases=cases)


if __name__ == "__main__":
    main()
