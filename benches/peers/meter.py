"""How much memory a device holds, polled about twenty times a second from outside the process that is measured."""

import os
import subprocess
import threading
import time
from pathlib import Path

#: Seconds between two looks.
EVERY = 0.05


class Meter:
    """The memory of a device: now, and at its highest since `reset`. A subclass says how one looks."""

    def __init__(self):
        self.now = self.peak = 0
        self.looks = 0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def see(self, bytes_):
        """One look."""
        self.now, self.looks = bytes_, self.looks + 1
        self.peak = max(self.peak, bytes_)

    def settled(self):
        """What is held once a few looks have passed; raises where nothing is seen."""
        seen, until = self.looks, time.monotonic() + 10
        while self.looks < seen + 4:
            if time.monotonic() > until:
                raise OSError(f"no look at the memory within 10 s: {self.how}")
            time.sleep(EVERY)
        return self.now

    def reset(self):
        """Starts over: the highest is what is held now, which is returned."""
        self.peak = self.settled()
        return self.peak

    def close(self):
        """Ends the looking."""
        self.ended.set()


class Card(Meter):
    """All that a CUDA card holds, of whatever process, by NVIDIA's own tool."""

    def __init__(self, index):
        # CUDA_VISIBLE_DEVICES renumbers devices for libtorch, not for the tool.
        visible = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
        self.id = visible[index].strip() if index < len(visible) else str(index)
        self.how = f"nvidia-smi --query-gpu=memory.used -lms {round(EVERY * 1000)}"
        command = [*self.how.split(), "--format=csv,noheader,nounits", f"--id={self.id}"]
        self.tool = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        super().__init__()

    def watch(self):
        for line in self.tool.stdout:
            if line.strip().isdigit():
                self.see(int(line) << 20)

    def total(self):
        """Bytes of the card."""
        command = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits", f"--id={self.id}"]
        return int(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout) << 20

    def follow(self, _):
        """All processes are seen as it is."""

    def close(self):
        super().close()
        self.tool.terminate()
        self.tool.wait()


class Resident(Meter):
    """The resident memory of one process: what stands for a card on a machine without one."""

    how = "VmRSS of /proc/PID/status"

    def __init__(self):
        self.status = None
        super().__init__()

    def watch(self):
        while not self.ended.wait(EVERY):
            try:
                text = self.status.read_text() if self.status else ""
            except OSError:
                # The process has ended.
                text = ""
            kib = next((line.split()[1] for line in text.splitlines() if line.startswith("VmRSS:")), "0")
            self.see(int(kib) << 10)

    def total(self):
        """Not known, not needed: what stands here is never too large."""

    def follow(self, process):
        """Which process it is; `None` is none."""
        self.status = Path(f"/proc/{process.pid}/status") if process else None
