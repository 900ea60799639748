"""A server for agents, by the Model Context Protocol: read-only, and confined to one folder."""
