"""Common ground of the servers for editors and agents: JSON-RPC over streams, and a child."""
