"""Histories as pictures, to write them in tests and to show them to people.

    p0  |-w1-|                     w1 returned before r0 began, so nothing may read 0 any more
    p1    |---w2--- ...            never returned: may take effect at any later time, or never
    p2           |-r0-|

Rules
1. A line is a process, an interval a call. Its left bar is the invocation, its right end the
   completion: `|` ok, `!` fail, `?` unknown, `...` never returned. Columns tell order and nothing
   else; of events in one column invocations come first, so calls that touch overlap.
2. The call stands in the interval among dashes, values in JSON, null also as `nil`:
       w1        write 1                    a1    append 1
       r1 rnil   read 1, read null          r     a read of unknown outcome
       c1>2      cas from 1 to 2            p1=2  propose 1, told that 2 was chosen
       put "x"   NAME INPUT=OUTPUT          each part but the name may be left out
       w1@k      any of them, on key k
3. `!` alone is a fail without a reason, `!=` the reason `compare-failed`, `!code` any other.
4. What follows the last interval of a line is a note; lines that begin with `#` are comments.
5. A picture too wide for its page is folded: while a block's lines end in `~`, the next goes on.
6. parse(draw(calls)) has the same calls in the same real-time order. Times, nodes, texts of errors
   and what a write, put, append or cas returned are not drawn.
"""

from checkers.notation.drawing import draw, label
from checkers.notation.reading import NotationError, parse

__all__ = ["NotationError", "draw", "label", "parse"]
