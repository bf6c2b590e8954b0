"""The words of the notation, which reading and drawing must agree on.

Rules
1. A short call is a letter and a value; what could be taken for one is written as a quoted name.
2. A bare word is a string where a name, a key or a reason is due, unless it is a JSON literal.
"""

import re

SHORT = {"w": "write", "r": "read", "a": "append", "c": "cas", "p": "propose"}
RETURN_NOTHING = ("write", "put", "append", "cas")  # nothing worth telling: an echo at most
LITERALS = ("nil", "null", "true", "false")

VALUE = re.compile(r'["\[{\d]|-\d|(?:nil|null|true|false)(?!\w)')  # how one begins
NIL = re.compile(r"nil(?!\w)")
SHORT_CALL = re.compile(rf"[wacp](?={VALUE.pattern})|r(?={VALUE.pattern}|[^\w\s=]|\s*\.\.\.)")
WORD = re.compile(r"[A-Za-z_]\w*(?:[-.]\w+)*")
CODE = re.compile(r"[\w.:/-]+")
