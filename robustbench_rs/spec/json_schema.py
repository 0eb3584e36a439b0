"""The JSON Schema of a spec file, for editors: what is valid, and what it means.

Each component kind is one definition; below ``defenses`` it is the one in which every parameter may also be a sweep.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaWarningKind

from robustbench_rs.api import Component
from robustbench_rs.spec.schema import Defense, Spec
from robustbench_rs.spec.shapes import Shape, model_fields
from robustbench_rs.spec.sweeps import SWEEP
from robustbench_rs.spec.validation import ValidationOptions, ValidationSpec

Json: TypeAlias = dict[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"


class Components(Protocol):
    """Where the classes of a kind are listed (the plugin registry)."""

    def components(self, kind: str) -> Sequence[type[Component]]: ...


class _Generator(GenerateJsonSchema):
    # Defaults that name a component are text before they are validated; :func:`_properties` states them itself.
    ignored_warning_kinds: set[JsonSchemaWarningKind] = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012


def json_schema(components: Components) -> Json:
    """JSON Schema (2020-12) of a spec file that uses these components."""
    return _Builder(components).build()


class _Builder:
    """Collects definitions while it walks the models; ``defs`` is the result's ``$defs``."""

    def __init__(self, components: Components) -> None:
        self._components = components
        self._defs: dict[str, Json] = {}

    def build(self) -> Json:
        root = self._object(Spec, "spec", sweeps=False)
        properties = root["properties"]
        names = {"type": "array", "items": {"type": "string"}}
        properties["include"] = {"anyOf": [{"type": "string"}, names], "description": "Files to build upon."}
        properties["defenses"] = {"type": "array", "minItems": 1, "items": self._defense()}
        properties["validation"] = self._validation()
        foreign = [key for key in Spec.model_fields if key not in ValidationSpec.model_fields]
        root["dependentSchemas"] = {"validation": {"properties": dict.fromkeys(foreign, False)}}
        # An included file may state what is required here.
        evaluation, validation = root.pop("required"), ["name", "validation"]
        root["anyOf"] = [{"required": evaluation}, {"required": validation}, {"required": ["include"]}]
        return {"$schema": DIALECT, "title": "robustbench-rs spec", **root, "$defs": self._used_by(root)}

    def _used_by(self, root: Json) -> Json:
        """The definitions that ``root`` refers to, also indirectly, sorted."""
        used: set[str] = set()
        fresh = _references(root)
        while fresh:
            used |= fresh
            fresh = {name for known in fresh for name in _references(self._defs[known])} - used
        return {name: self._defs[name] for name in sorted(used)}

    def _defense(self) -> Json:
        schema = self._object(Defense, "defense", sweeps=False)
        del schema["properties"]["point"]
        for key, shape in model_fields(Defense).items():
            if shape.kind is not None:
                optional = key not in schema["required"]
                swept = _sweepable(self._component(shape.kind, sweeps=True), shape)
                schema["properties"][key] = _either(swept, {"type": "null"}) if optional else swept
        return schema

    def _validation(self) -> Json:
        schema = self._object(ValidationOptions, "validation", sweeps=False)
        swept = _sweepable(self._component("noise", sweeps=True), Shape(kind="noise"))
        schema["properties"]["noises"] = {"type": "array", "minItems": 1, "items": swept}
        return schema

    def _component(self, kind: str, *, sweeps: bool) -> Json:
        """A reference to the definition of a kind, which is made on first use."""
        name = f"{kind}-swept" if sweeps else kind
        if name not in self._defs:
            self._defs[name] = {}
            classes = self._components.components(kind)
            objects = [self._component_object(component, kind, sweeps=sweeps) for component in classes]
            self._defs[name] = _either({"enum": [component.name for component in classes]}, *objects) if classes else {}
        return {"$ref": f"#/$defs/{name}"}

    def _component_object(self, component: type[Component], kind: str, *, sweeps: bool) -> Json:
        prefix = f"{kind}.{component.name}" + (".swept" if sweeps else "")
        schema = self._object(component.Params, prefix, sweeps=sweeps)
        text = (component.__doc__ or "").strip().split("\n\n")[0]
        named: Json = {"description": " ".join(text.split())} if text else {}
        properties = {"name": {"const": component.name}, **schema["properties"]}
        return named | schema | {"properties": properties, "required": ["name", *schema.get("required", [])]}

    def _object(self, model: type[BaseModel], prefix: str, *, sweeps: bool) -> Json:
        """The schema of one model; models nested in it become definitions under ``prefix``."""
        template = f"#/$defs/{prefix}.{{model}}"
        schema = model.model_json_schema(ref_template=template, schema_generator=_Generator, mode="validation")
        for name, definition in schema.pop("$defs", {}).items():
            self._defs[f"{prefix}.{name}"] = self._linked(definition, sweeps=sweeps)
        properties = {key: self._linked(value, sweeps=sweeps) for key, value in schema.get("properties", {}).items()}
        if sweeps:
            shapes = model_fields(model)
            properties = {key: _sweepable(value, shapes.get(key, Shape())) for key, value in properties.items()}
        linked = {"type": "object", "properties": properties, "additionalProperties": False}
        return linked | ({"required": schema["required"]} if "required" in schema else {})

    def _linked(self, schema: Any, *, sweeps: bool) -> Any:
        """``schema`` with every ``{"component": kind}`` replaced by a reference, without pydantic's made-up titles."""
        if isinstance(schema, list):
            return [self._linked(item, sweeps=sweeps) for item in schema]
        if not isinstance(schema, dict):
            return schema
        kept = {key: self._linked(value, sweeps=sweeps) for key, value in schema.items() if key != "title"}
        if isinstance(kept.get("component"), str):
            kept |= self._component(kept.pop("component"), sweeps=sweeps)
        return kept


def _sweepable(schema: Json, shape: Shape) -> Json:
    """``schema``, or several of it; its description and default stay outside."""
    notes = {key: schema[key] for key in ("description", "default") if key in schema}
    one = {key: value for key, value in schema.items() if key not in notes}
    several = {"type": "array", "items": one, "minItems": 1}
    sweep = {"type": "object", "properties": {SWEEP: several}, "required": [SWEEP], "additionalProperties": False}
    return _either(one, *([several] if shape.items is None else []), sweep) | notes


def _references(schema: Any) -> set[str]:
    """Names of the definitions that a schema refers to."""
    if isinstance(schema, list):
        return {name for item in schema for name in _references(item)}
    if not isinstance(schema, dict):
        return set()
    own = {schema["$ref"].rpartition("/")[2]} if isinstance(schema.get("$ref"), str) else set()
    return own | {name for value in schema.values() for name in _references(value)}


def _either(*schemas: Json) -> Json:
    return {"anyOf": list(schemas)}
