"""How much memory a device holds, polled about twenty times a second from outside the process that is measured."""

import os
import subprocess
import sys
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


#: libtorch's own question to the driver, asked by a process of its own; its context is there before and after, so it cancels out.
ASK = f"""import sys, time, torch
while True:
    free, total = torch.cuda.mem_get_info(int(sys.argv[1]))
    print((total - free) >> 20, flush=True)
    time.sleep({EVERY})
"""


class Card(Meter):
    """All that a CUDA card holds, of whatever process: by NVIDIA's own tool or, where that says nothing, by torch."""

    def __init__(self, index):
        # CUDA_VISIBLE_DEVICES renumbers devices for libtorch, not for the tool.
        visible = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
        self.index = index
        self.id = visible[index].strip() if index < len(visible) else str(index)
        tool = f"nvidia-smi --query-gpu=memory.used -lms {round(EVERY * 1000)}"
        ways = {tool: [*tool.split(), "--format=csv,noheader,nounits", f"--id={self.id}"],
                "torch.cuda.mem_get_info": [sys.executable, "-c", ASK, str(index)]}  # fmt: skip
        for self.how, command in ways.items():
            if self.begin(command):
                break
        else:
            raise OSError(f"none of {', '.join(ways)} tells the card's memory")
        super().__init__()

    def begin(self, command):
        """Starts a process that prints MiB, and whether it does. It writes to a terminal: into a pipe it would keep its lines back."""
        ours, its = os.openpty()
        try:
            self.tool = subprocess.Popen(command, stdout=its, stdin=subprocess.DEVNULL)
        except OSError:
            os.close(ours)
            return False
        finally:
            os.close(its)
        self.lines = os.fdopen(ours, errors="replace")
        if self.next() is not None:
            return True
        self.tool.kill()
        self.tool.wait()
        return False

    def next(self):
        """The next number; `None` when there is none."""
        try:
            line = self.lines.readline().strip()
        except OSError:
            # A terminal whose writer has ended.
            return None
        return int(line) << 20 if line.isdigit() else None

    def watch(self):
        while (bytes_ := self.next()) is not None:
            self.see(bytes_)

    def room(self):
        """Bytes that a process with a context of its own finds free."""
        ask = f"import torch; print(torch.cuda.mem_get_info({self.index})[0])"
        done = subprocess.run([sys.executable, "-c", ask], stdout=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise OSError("torch does not tell how much of the card is free (above)")
        return int(done.stdout)

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

    def room(self):
        """Not known, not needed: what is measured so is never too large."""

    def follow(self, process):
        """Which process it is; `None` is none."""
        self.status = Path(f"/proc/{process.pid}/status") if process else None
