"""Many models, linted by an engine that may span machines: tasks go out, rows come back."""
