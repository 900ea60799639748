"""Forms of operators that runtimes refuse: conditions in tables, and words for them."""
