"""A server for editors, by the Language Server Protocol."""
