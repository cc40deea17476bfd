"""Holds the resources of a FHIR bundle: which patient each belongs to, and what a reference in it points at.

Source: HL7 FHIR R4 (4.0.1), Bundle and References. A reference is looked up by full address, by "Type/id", by "#id"
among the resources that its own resource contains, and by "Type?identifier=system|value". What is not found is counted
and said, never guessed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from retrieval.errors import ParseLimit
from retrieval.parsing.fhir_values import Json, concept, items, name, text

__all__ = ["Bundle", "title_of"]

_MOST: Final = 200_000
"""Resources in one bundle; a patient's record of a lifetime has a few thousand."""

_SUBJECTS: Final = ("subject", "patient", "beneficiary", "individual", "for")
_NAMED: Final = (
    "name",
    "title",
    "code",
    "medicationCodeableConcept",
    "type",
    "vaccineCode",
    "deviceName",
    "description",
)


class Bundle:
    """The resources of one file, in its order; a file with a single resource is a bundle of one."""

    def __init__(self, root: Json) -> None:
        self.resources = list[Json]()
        self.broken = set[str]()
        self.unread = 0
        self._by_address = dict[str, Json]()
        self._by_identifier = dict[str, Json]()
        for address, resource in self._unfold(root):
            self._add(address, resource)
        self.patients = [one for one in self.resources if one["resourceType"] == "Patient"]

    def _unfold(self, root: Json) -> Iterator[tuple[str, Json]]:
        """Yield each resource with its full address; bundles inside of bundles are opened, other entries counted."""
        stack: list[tuple[str, Any]] = [("", root)]
        while stack:
            address, resource = stack.pop()
            if not isinstance(resource, dict) or not text(resource.get("resourceType")):
                self.unread += 1
            elif resource["resourceType"] == "Bundle":
                entries = [one if isinstance(one, dict) else {} for one in items(resource, "entry")]
                # An entry with a request and no resource asks to delete something; it holds nothing to read.
                held = [one for one in entries if "resource" in one or "request" not in one]
                stack.extend((text(one.get("fullUrl")), one.get("resource")) for one in reversed(held))
            else:
                yield address, resource

    def _add(self, address: str, resource: Json) -> None:
        if len(self.resources) >= _MOST:
            raise ParseLimit(f"The record holds more than {_MOST} entries.", remedy="Split it by patient.")
        self.resources.append(resource)
        kind, identity = text(resource["resourceType"]), text(resource.get("id"))
        for known in filter(None, (address, f"{kind}/{identity}" if identity else "")):
            self._by_address.setdefault(known, resource)
        for one in items(resource, "identifier"):
            if isinstance(one, dict) and one.get("value"):
                key = f"{kind}?identifier={text(one.get('system'))}|{text(one.get('value'))}"
                self._by_identifier.setdefault(key, resource)

    def find(self, reference: str, *, inside: Json | None = None) -> Json | None:
        """Return the resource that a reference points at, or None; `inside` is the resource that holds it."""
        if reference.startswith("#"):
            held = items(inside, "contained") if inside else []
            return next((one for one in held if isinstance(one, dict) and one.get("id") == reference[1:]), None)
        if "?" in reference:
            return self._by_identifier.get(reference)
        plain = reference.split("/_history/")[0]
        return self._by_address.get(plain)

    def shown(self, found: Any, *, inside: Json | None = None) -> str:
        """Return what a Reference names: its display, else its target's name, else itself with "(not in this file)"."""
        if isinstance(found, list):
            return "; ".join(dict.fromkeys(filter(None, (self.shown(one, inside=inside) for one in found))))
        if not isinstance(found, dict):
            return ""
        reference, display = text(found.get("reference")), text(found.get("display"))
        target = self.find(reference, inside=inside) if reference else None
        if reference and target is None:
            self.broken.add(reference)
        if display or not reference:
            identifier = found.get("identifier")
            return display or (text(identifier.get("value")) if isinstance(identifier, dict) else "")
        return title_of(target) if target is not None else f"{reference} (not in this file)"

    def owner(self, resource: Json) -> str | None:
        """Return the key of the patient that a resource belongs to, or None for one that belongs to no patient.

        The key of a patient in the file is "Patient/id" (or its place); that of one who is not is the reference.
        """
        if resource["resourceType"] == "Patient":
            return self.key(resource)
        for field in _SUBJECTS:
            for found in items(resource, field):
                reference = text(found.get("reference")) if isinstance(found, dict) else ""
                target = self.find(reference, inside=resource) if reference else None
                if target is not None and target.get("resourceType") == "Patient":
                    return self.key(target)
                if target is None and "Patient/" in reference:
                    return reference.split("/_history/")[0]
        return None

    def key(self, patient: Json) -> str:
        """Return the key of a patient in the file."""
        identity = text(patient.get("id"))
        if identity:
            return f"Patient/{identity}"
        place = next((n for n, one in enumerate(self.resources, 1) if one is patient), 0)
        return f"Patient number {place} in this file"


def title_of(resource: Json) -> str:
    """Return the name by which a resource is spoken of, else its type and id."""
    for field in _NAMED:
        found = resource.get(field)
        shown = name(found) if field == "name" else concept(found)
        if shown:
            return shown
    if isinstance(resource.get("practitioner"), dict):  # a PractitionerRole is named by its holder
        return text(resource["practitioner"].get("display"))
    return f"{text(resource.get('resourceType'))}/{text(resource.get('id'))}".strip("/")
