"""What the servers for editors and for agents share: JSON-RPC over streams, and a child to work."""
