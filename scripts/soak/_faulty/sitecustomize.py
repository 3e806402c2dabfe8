"""Makes workers of batches faulty. Python imports it at its start where PYTHONPATH names this folder."""

import sys

if any("youtu_gguf.batch.desk" in word for word in sys.orig_argv):
    from scripts.soak._faults import install

    install()
