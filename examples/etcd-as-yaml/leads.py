"""Exit status 0 if the member of etcd at the given address leads."""

import json
import sys
from urllib.request import Request, urlopen

url = f"http://{sys.argv[1]}/v3/maintenance/status"
with urlopen(Request(url, b"{}"), timeout=0.5) as answer:
    status = json.load(answer)
sys.exit(status.get("leader") != status["header"]["member_id"])
