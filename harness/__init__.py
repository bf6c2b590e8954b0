"""Makes it happen: runs clusters, clients and faults, records, judges, reports.

The command is in harness.cli; a run from Python is harness.run.run(Trial(...), store).
"""
