"""Paxos, plugged into the harness exactly as anyone's own implementation would be."""

from pathlib import Path

SYSTEM = Path(__file__).with_name("system.yaml")
"""Where the harness reads how a node of this implementation is started and spoken to."""
