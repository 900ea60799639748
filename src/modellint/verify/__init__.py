"""Asks a runtime's own optimizer what became of the nodes that findings are about."""
