"""Shortcuts in moto: the same answers, without working out again in every request what never changes.

- Structures given as plain dictionaries are walked by their own keys. moto looks up every member of the shape, under
  several spellings, in every structure: a page of a hundred DynamoDB items took 100 ms.
- Under which spellings a member is looked for in an object depends on the shape and the object's class.
- Which methods a class of responses has is listed once per class, which Regions a service has once per service.
- EC2 instances are looked up without a copy of every reservation there is: with 500 servers, each look took 10 ms.
- XML is written straight into a list of strings, without a SAX handler per element.
- A symmetric KMS key gets no RSA key of its own: it can neither sign nor show a public key.
- The 1,200 ECS-optimized machine images of each Region are left out, and what is forgotten is not built up once more.
"""

from __future__ import annotations

from functools import cache
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from moto.core import responses, utils
from moto.core.base_backend import AccountSpecificBackend, BackendDict, BaseBackend, backend_lock
from moto.core.serialize import (
    DEFAULT_ALIAS_PROVIDERS,
    AttributePicker,
    BaseJSONSerializer,
    BaseXMLSerializer,
    EC2Serializer,
    JSONSerializer,
)
from moto.ec2.models import amis
from moto.ec2.models.instances import InstanceBackend
from moto.kms import models as kms

_every_member = BaseJSONSerializer._serialize_type_structure
_every_member_of_xml = BaseXMLSerializer._serialize_type_structure
_picked = AttributePicker.__call__
_filtered_instances = InstanceBackend.all_instances
_private_key = kms.generate_private_key
_resource = amis.load_resource
_listed_regions = AccountSpecificBackend._generate_regions.__wrapped__
_regions_of: dict[str, tuple[str, ...]] = {}
_MISSING = object()
_SPELLINGS = "_spellings_by_class"


def install() -> None:
    """Put the shortcuts in place; a second time changes nothing."""
    JSONSerializer._serialize_type_structure = _own_keys
    BaseXMLSerializer._serialize_type_structure = _own_keys_of_xml
    AttributePicker.__call__ = _picked_by_known_spellings
    BaseXMLSerializer._serialize_body = _as_xml
    EC2Serializer._serialize_body = _as_document
    responses.method_names_from_class = _methods
    AccountSpecificBackend._generate_regions = _regions
    kms.generate_private_key = _key_of_asymmetric
    amis.load_resource = _without_ecs_images
    InstanceBackend.all_instances = _instances


def forget_all() -> None:
    """Drop every resource. moto's own reset builds each backend anew first, only to drop it."""
    with backend_lock:
        for services in BackendDict._instances:
            for regions in services.values():
                for backend in regions.values():
                    if type(backend).reset is not BaseBackend.reset:
                        backend.reset()
                regions.clear()
            services.clear()
        BackendDict._instances.clear()


def _regions(self: Any, service_name: str) -> list[str]:
    if service_name not in _regions_of:
        _regions_of[service_name] = tuple(_listed_regions(self, service_name))
    return list(_regions_of[service_name])


_methods = cache(utils.method_names_from_class)


def _key_of_asymmetric(key_spec: str) -> Any:
    return None if key_spec == "SYMMETRIC_DEFAULT" else _private_key(key_spec)


def _without_ecs_images(path: str) -> Any:
    return [] if path.startswith("ec2/resources/ecs/") else _resource(path)


def _instances(self: Any, filters: Any = None) -> list[Any]:
    if filters:
        found: list[Any] = _filtered_instances(self, filters)
        return found
    return [instance for reservation in list(self.reservations.values()) for instance in reservation.instances]


def _own_keys(self: Any, serialized: Any, value: Any, shape: Any, key: str) -> None:
    members = shape.members
    # Other spellings and transformers need moto's full look-up.
    plain = type(value) is dict and not getattr(self._value_picker, "response_transformers", None)
    if not plain or shape.is_document_type or any(name not in members for name in value):
        _every_member(self, serialized, value, shape, key)
        return
    wrapper = self.MAP_TYPE() if key else serialized
    for name, item in value.items():
        if item is not None:
            self._serialize(wrapper, item, members[name], name)
    if key:
        self._default_serialize(serialized, wrapper, shape, key)


def _own_keys_of_xml(self: Any, serialized: Any, value: Any, shape: Any, key: str) -> None:
    members = shape.members
    plain = type(value) is dict and not getattr(self._value_picker, "response_transformers", None)
    if not plain or any(name not in members for name in value):
        _every_member_of_xml(self, serialized, value, shape, key)
        return
    wrapper = self.MAP_TYPE() if key else serialized
    for name in value:
        member = members[name]
        member.parent = shape
        self._serialize_structure_member(wrapper, value, member, name)
    if key:
        self._default_serialize(serialized, wrapper, shape, key)


def _picked_by_known_spellings(self: Any, context: Any) -> Any:
    if self.alias_providers is not DEFAULT_ALIAS_PROVIDERS or context.shape is None:
        return _picked(self, context)
    obj, value = context.obj, None
    for spelling in _spellings(self, context):
        found = utils.get_value(obj, spelling, _MISSING)
        if found is not _MISSING:
            value = found
            break
    if self.response_transformers:
        path = f"{context.key_path}.{context.key}"
        for end, transform in self.response_transformers.items():
            if path.endswith(end):
                return transform(value)
    return value


def _spellings(picker: Any, context: Any) -> tuple[str, ...]:
    known = context.shape.__dict__.setdefault(_SPELLINGS, {})
    # The structure around a member adds a spelling; moto notes it on the member while it serializes.
    key = (type(picker), type(context.obj), context.key, hasattr(context.shape, "parent"))
    if key not in known:
        known[key] = tuple(dict.fromkeys(picker.get_possible_keys(context)))
    spellings: tuple[str, ...] = known[key]
    return spellings


def _as_document(self: Any, body: dict[str, Any]) -> str:
    return f'<?xml version="1.0" encoding="utf-8"?>\n{_as_xml(self, body)}'


def _as_xml(self: Any, body: dict[str, Any]) -> str:
    written: list[str] = []
    for name, value in body.items():
        _write(written.append, name, value)
    return "".join(written)


def _write(out: Any, name: str, value: Any) -> None:
    """Write an element as xmltodict's `unparse` does: `@` marks attributes, a list repeats its element, none is empty."""
    if type(value) is list or type(value) is tuple:
        for each in value:
            _write(out, name, each)
    elif isinstance(value, dict):
        attributes = "".join(f" {key[1:]}={quoteattr(str(v))}" for key, v in value.items() if key.startswith("@"))
        children = [(key, v) for key, v in value.items() if not key.startswith("@") and v != []]
        if not children:
            out(f"<{name}{attributes}/>")
            return
        out(f"<{name}{attributes}>")
        for key, child in children:
            if key == "#text":
                out(escape(_text(child)))
            else:
                _write(out, key, child)
        out(f"</{name}>")
    elif value is None:
        out(f"<{name}/>")
    else:
        text = escape(_text(value))
        out(f"<{name}>{text}</{name}>" if text else f"<{name}/>")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.decode() if isinstance(value, bytes) else str(value)
