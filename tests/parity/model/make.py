"""Makes every fixture of this folder anew, into the same places: `python tests/parity/model/make.py`."""

import platform
import warnings

from py import common

common.be_deterministic()
warnings.filterwarnings("ignore")

from transformers.utils import logging  # noqa: E402

logging.disable_progress_bar()
logging.set_verbosity_error()

from py import checkpoints, clips, forward, lora, numerics, order, ours, sampling, terms, training  # noqa: E402


def main():
    """Runs the parts in order; the certificate comes last, with what was measured."""
    found = common.versions()
    waves = clips.make()
    checkpoints.make()
    forward_errors = forward.make(waves)
    sampling.make()
    terms.make()
    order.make()
    training_errors = training.make(waves)
    numerics.make(waves)
    lora_errors = lora.make(waves)
    ours.make(waves)
    common.write_json(
        "certificate.json",
        {
            "command": "scripts/parity-fixtures.sh",
            "python": ".".join(platform.python_version_tuple()[:2]),
            "versions": found,
            "device": "cpu, one thread, kernels without processor extensions",
            "seeds": checkpoints.SEEDS,
            "float32 error against float64 (bf16: against float32)": {
                "forward": forward_errors,
                "training": training_errors,
                "lora": lora_errors,
            },
        },
    )


if __name__ == "__main__":
    main()
