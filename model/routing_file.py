"""A routing policy as it is written down: JSON whose fields override, one by one, the routing a model was trained with.

    {"temperature": 0.8, "top_k": 4, "prior_strength": 2.0, "default_domain": "legal",
     "priors": {"legal": [0.0, 0.0, 1.0, ...]}, "bias_by_layer": [[0.01, -0.02, ...], ...]}

The fields are `RoutingPolicy`'s; what is left out stays as it was. `priors` is an object, one number an expert under
each domain's name. `experts` is the model's and can only be confirmed. A capacity makes a token's experts depend on
the batch it happens to be in, so `capacity_factor` counts only beside `"batch_dependent": true`.

docs/routing.md describes each field.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from model.errors import RoutingRejected
from model.routing import DomainPrior, RoutingPolicy

__all__ = ["overridden", "read_fields"]

_FIELDS: Final = frozenset(field.name for field in dataclasses.fields(RoutingPolicy)) | {"batch_dependent"}
_MOST_BYTES: Final = 1 << 23
"""Biases of 61 layers x 256 experts, the largest model known here, take 0.4 MB."""


def read_fields(source: str) -> dict[str, Any]:
    """Return the fields of a policy.

    Args:
        source: A JSON object, or the path of a file that holds one; empty: no fields.

    Raises:
        RoutingRejected: there is no such file, or it holds something else.
    """
    text = source.strip()
    if not text:
        return {}
    name = "The policy" if text.startswith("{") else f"The policy {text}"
    try:
        if not text.startswith("{"):
            text = _read(Path(text).expanduser())
        fields = json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise RoutingRejected(
            f"{name} cannot be read: {error}.", remedy="Give a JSON object, or the path of a file with one."
        ) from None
    if not isinstance(fields, dict):
        raise RoutingRejected(f"{name} is no JSON object.", remedy='Write {"field": value, ...}; see docs/routing.md.')
    return fields


def overridden(policy: RoutingPolicy, fields: Mapping[str, Any], *, layers: int) -> RoutingPolicy:
    """Return a policy with fields of a file in place of its own.

    Args:
        policy: Where the other fields come from.
        fields: From `read_fields`.
        layers: Of the model, dense ones included; the lists by layer must be as long.

    Raises:
        RoutingRejected: a field is unknown, is of another type, or does not fit the model.
    """
    unknown = sorted(set(fields) - _FIELDS)
    if unknown:
        raise RoutingRejected(
            f"The routing policy has no field {', '.join(map(repr, unknown))}.",
            remedy=f"Fields: {', '.join(sorted(_FIELDS))}.",
        )
    values = dict(fields)
    allowed = values.pop("batch_dependent", False)
    if values.get("capacity_factor") is not None and allowed is not True:
        raise RoutingRejected(
            "A capacity makes a token's experts depend on the other requests in its batch.",
            remedy='Leave capacity_factor out when serving, or add "batch_dependent": true.',
        )
    if values.setdefault("experts", policy.experts) != policy.experts:
        raise RoutingRejected(
            f"The policy is for {values['experts']} experts, the model has {policy.experts}.",
            remedy="Give this model a policy of its own.",
        )
    changed = dataclasses.replace(policy, **{name: _value(name, value) for name, value in values.items()})
    for name in ("top_k_by_layer", "bias_by_layer"):
        given = len(getattr(changed, name))
        if given not in (0, layers):
            raise RoutingRejected(
                f"{name} names {given} layers, the model has {layers}.",
                remedy="Give it one entry for each layer; a dense layer's is not looked at.",
            )
    return changed


def _read(path: Path) -> str:
    if path.stat().st_size > _MOST_BYTES:
        raise ValueError(f"more than {_MOST_BYTES} bytes")
    return path.read_text(encoding="utf-8")


def _value(name: str, value: Any) -> Any:
    """Turn a JSON value into the field's type; RoutingPolicy itself checks counts and numbers."""
    if name == "priors":
        rows = _of_type(name, value, dict, "an object of lists")
        return tuple(DomainPrior(domain, tuple(_of_type(name, row, list, "lists"))) for domain, row in rows.items())
    if name == "bias_by_layer":
        rows = _of_type(name, value, list, "a list of lists")
        return tuple(tuple(_of_type(name, row, list, "a list of lists")) for row in rows)
    if name == "top_k_by_layer":
        return tuple(_of_type(name, value, list, "a list of whole numbers"))
    if name == "renormalize":
        return _of_type(name, value, bool, "true or false")
    if name in ("default_domain", "scores", "group_score"):
        return _of_type(name, value, str, "a word")
    return value


def _of_type(name: str, value: Any, kind: type, expected: str) -> Any:
    if not isinstance(value, kind):
        raise RoutingRejected(f"{name} of the routing policy is {value!r:.60}.", remedy=f"It needs {expected}.")
    return value
