"""Makes the fixtures of this folder anew, into the same places: `python tests/parity/prompt/make.py`. See README.md."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import common  # noqa: E402

from py import chat, python_text, questions, quoting, tokenizer  # noqa: E402

if __name__ == "__main__":
    versions = common.versions(HERE.parent / "requirements.txt", ["transformers", "tokenizers", "jinja2"])
    processor = tokenizer.make(HERE / "tokenizer")
    chat.make(HERE, versions, processor)
    python_text.make(HERE)
    quoting.make(HERE, versions, processor)
    questions.make(HERE, versions, processor)
