"""Makes the fixtures of this folder anew, into the same places: `python tests/parity/audio/make.py`. See README.md."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import common  # noqa: E402

from py import decode, mel, real_clips, resample  # noqa: E402

if __name__ == "__main__":
    common.be_deterministic()
    pins = ["torch", "torchaudio", "transformers", "numpy", "soundfile", "av"]
    versions = common.versions(HERE.parent / "requirements.txt", pins)
    decode.make(HERE, versions)
    resample.make(HERE, versions)
    mel.make(HERE, versions)
    real_clips.make(HERE, versions)
