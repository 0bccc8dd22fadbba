"""A small byte-level BPE tokenizer of the Qwen2 kind: 256 bytes, the merges that build a list of words, six special tokens."""

import json
import tempfile
from pathlib import Path

from transformers import AddedToken, Qwen2TokenizerFast
from transformers.models.qwen2.tokenization_qwen2 import bytes_to_unicode

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>"]
WORDS = [
    " the", " answer", "answer", " audio", "audio", " is", " in", " options", " following", "Output", " final", " sound",
    "What", " choose", " from", " You", " helpful", " assistant", "system", "user", "Please", ":", "é", " naï", "日",
]  # fmt: skip


def base_vocab():
    """The vocabulary without special tokens, and the merges that build each word from the left."""
    symbol = bytes_to_unicode()
    vocab = {symbol[b]: b for b in range(256)}
    merges = []
    for word in WORDS:
        units = [symbol[b] for b in word.encode("utf-8")]
        left = units[0]
        for unit in units[1:]:
            if left + unit not in vocab:
                merges.append((left, unit))
                vocab[left + unit] = len(vocab)
            left += unit
    return vocab, merges


def build():
    """The tokenizer; ids are bytes 0..255, merges, then the special tokens in their order in Qwen2-Audio."""
    vocab, merges = base_vocab()
    added = {len(vocab) + i: AddedToken(text, special=True, normalized=False) for i, text in enumerate(SPECIAL)}
    with tempfile.TemporaryDirectory() as folder:
        vocab_file, merges_file = Path(folder) / "vocab.json", Path(folder) / "merges.txt"
        vocab_file.write_text(json.dumps(vocab, ensure_ascii=False), encoding="utf-8")
        merges_file.write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges), encoding="utf-8")
        tokenizer = Qwen2TokenizerFast(
            vocab_file=str(vocab_file),
            merges_file=str(merges_file),
            added_tokens_decoder=added,
            additional_special_tokens=SPECIAL[1:],
            unk_token=None,
            eos_token="<|im_end|>",
            pad_token="<|endoftext|>",
            padding_side="left",
            model_max_length=8192,
        )
    for i, text in enumerate(SPECIAL):
        assert tokenizer.convert_tokens_to_ids(text) == len(vocab) + i, text
    for text in ["naïve — 日本語?\tdon't 123\r\n", "a  b", "'LL 's"]:
        assert tokenizer.decode(tokenizer(text).input_ids) == text, text
    return tokenizer
