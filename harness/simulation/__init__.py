"""The deterministic world: nodes, links, disks and clocks in virtual time, from one seed."""
