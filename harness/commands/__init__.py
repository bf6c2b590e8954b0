"""The commands that are too long to stand in harness.cli, one file each."""
