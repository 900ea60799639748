"""Results of the verbs, as plain data: all that reports and programs know of a run."""
