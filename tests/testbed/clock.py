"""The one clock of the test bed."""

from __future__ import annotations

import time

#: Seconds, always forward. Durations are measured with it; dates in answers are moto's.
now = time.monotonic
