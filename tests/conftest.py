"""What all tests share: no telemetry, no time limit a noisy machine could miss, skips by name."""

import os
import signal

from hypothesis import settings

for variable in ("DO_NOT_TRACK", "DVC_NO_ANALYTICS", "MLFLOW_DISABLE_TELEMETRY"):
    os.environ[variable] = "true" if variable.startswith("MLFLOW") else "1"
os.environ["GX_ANALYTICS_ENABLED"] = "false"
os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"

# A shell starts background jobs with Ctrl-C ignored, and what these tests start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("firth", deadline=None, max_examples=40, derandomize=True)
settings.load_profile("firth")
