"""Disks and clocks of hosts that this process can mount on and start programs in."""
