"""Tests of the servers for editors and for agents."""
