"""The options of the namespaces cluster, judged before anything starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from harness.trial import nearest


class Settings(msgspec.Struct, frozen=True):
    """`network`: who carries packets. auto: the kernel's bridge, and for faults beyond partitions
    netem where the kernel has it, else the switch of ours; kernel, switch: that one, always.
    """

    network: Literal["auto", "kernel", "switch"] = "auto"


def settings(options: Mapping[str, str]) -> Settings:
    """Options without mistakes."""
    return msgspec.convert(dict(options), Settings)


def mistakes_of(options: Mapping[str, str]) -> list[str]:
    """A sentence for each option that is unknown or unusable."""
    fields = {field.name: field for field in msgspec.structs.fields(Settings)}
    found = []
    for name, value in options.items():
        if name not in fields:
            found.append(f"the namespaces cluster has no option {name!r}. {nearest(name, fields)}")
            continue
        choices = fields[name].type.__args__
        if value not in choices:
            found.append(f"cluster option {name} is {value!r}. {nearest(value, choices)}")
    return found
