"""Options of workloads: numbers, each with a default and bounds, judged before anything starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

import msgspec

from harness.trial import nearest

Count = Annotated[int, msgspec.Meta(ge=1, le=100_000)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=3600)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]

AnyOptions = TypeVar("AnyOptions", bound=msgspec.Struct)


def mistakes(options: Mapping[str, Any], kind: type[msgspec.Struct]) -> list[str]:
    """A sentence for each option that `kind` does not know or cannot take."""
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    found = []
    for name, value in options.items():
        if name not in fields:
            found.append(f"{name!r} is not an option of this workload. {nearest(name, fields)}")
            continue
        try:
            msgspec.convert(value, fields[name].type)
        except msgspec.ValidationError as wrong:
            default = fields[name].default
            found.append(f"option {name!r} is {value!r}: {wrong}. Its default is {default!r}.")
    return found


def convert(options: Mapping[str, Any], kind: type[AnyOptions]) -> AnyOptions:
    """The options over their defaults. They must be free of mistakes."""
    return msgspec.convert(dict(options), kind)
