"""A data set as `datasets` saves it to a disk, in the layout of gijs/avqa-processed: processed/ (see README.md)."""

import shutil
from pathlib import Path

from datasets import Dataset, DatasetDict, Features, Value

HERE = Path(__file__).parent
# What `datasets` stores of an Audio column: the file's bytes and its name, nothing decoded.
FEATURES = Features(
    {
        "file_name": Value("string"),
        "question": Value("string"),
        "answer": Value("string"),
        "audio": {"bytes": Value("binary"), "path": Value("string")},
    }
)
ASKED = "How many animals are there in the video?\nChoices:\nA. 3\nB. One\nC. 4\nD. 2"


def row(name, clip, question=ASKED, answer="B. One"):
    return {"file_name": name, "question": question, "answer": answer, "audio": {"bytes": clip, "path": name}}


ROWS = [
    row("-HG3Omg_89c_000030.wav", b"RIFF one"),
    row("audio/b_000000.flac", b"fLaC two", "What happened?\nChoices:\nA. Yacht consignment\nB. A. I.", "B. A. I."),
    row("gone_000001.wav", None),
    row("c_000007.wav", b"RIFF three", "What happened?"),
    row("d_000007.wav", b"RIFF four", answer="E. Five"),
    row("-HG3Omg_89c_000030.wav", b"RIFF one", "Whose voice is in the video?\nChoices:\nA. a man's\nB. a woman's", "a man's"),
]

shutil.rmtree(HERE / "processed", ignore_errors=True)
split = Dataset.from_list(ROWS, features=FEATURES)
DatasetDict({"train": split, "validation": split.select([0])}).save_to_disk(HERE / "processed", num_shards={"train": 2, "validation": 1})
