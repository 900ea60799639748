"""The verbs of the command line as functions: `import modellint` offers them."""

import os

# As the command line does: numpy would start a thread per core when it is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
