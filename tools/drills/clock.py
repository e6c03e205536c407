"""A wall clock that can be stepped, for the Python processes that start with `settings`.

libfaketime 0.9.10 would step the monotonic clock too, or make `time.sleep` fail. Setting the machine's clock needs
root.
"""

from pathlib import Path

# Python imports this module at start, before any other reads the clock.
SITECUSTOMIZE = """
import datetime, os, time
_time, _step = time.time, os.environ["CLOCK_STEP"]

def stepped():
    with open(_step) as file:
        return _time() + float(file.read())

class Stepped(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(stepped(), tz)

time.time, datetime.datetime = stepped, Stepped
time.time_ns = lambda: int(stepped() * 1e9)
"""


class Clock:
    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(SITECUSTOMIZE)
        self._step = folder / "step"
        self.settings = {"PYTHONPATH": str(folder), "CLOCK_STEP": str(self._step)}
        self.step(0)

    def step(self, seconds: float) -> None:
        """Sets the clock's offset from the machine's, atomically."""
        draft = self._step.with_suffix(".draft")
        draft.write_text(str(seconds))
        draft.replace(self._step)
