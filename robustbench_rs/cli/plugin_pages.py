"""``plugins show NAME``: what a component is for, its parameters, and what it vouches for."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator, Sequence
from typing import Any

import click

from robustbench_rs.api import Choice, Component, Noise, Params, ProductNoise
from robustbench_rs.api.labels import conditioned
from robustbench_rs.api.report import norm_name
from robustbench_rs.cli.components import choose
from robustbench_rs.cli.output import finite, print_json, print_table
from robustbench_rs.cli.settings import Command, Settings, pass_settings
from robustbench_rs.errors import InputError, RobustbenchError, RunError, did_you_mean
from robustbench_rs.plugins import KINDS, Registry

FACTS = ("symmetric", "unimodal", "log_concave", "continuous")
SHOWN_NORMS = (1.0, 2.0, math.inf)
EXAMPLE_DIM = 3072


def find_all(registry: Registry, name: str) -> list[type[Component]]:
    """Every component of that name (or ``kind:name``). Raises :class:`InputError` with what there is."""
    kind, colon, rest = name.partition(":")
    kinds = [kind] if colon and kind in KINDS else list(KINDS)
    wanted = rest if colon and kind in KINDS else name
    found = [item for each in kinds for item in registry.components(each) if item.name == wanted]
    if not found:
        names = {each for kind in kinds for each in registry.names(kind)}
        broken = "".join(f"\n{item}" for item in registry.broken)
        raise InputError(f"unknown plugin {wanted!r}{did_you_mean(wanted, names)}{broken}")
    return found


def levels(component: type[Component], params: Sequence[str]) -> list[str]:
    """What to add to the parameters so that a noise has a level, one after the other; nothing where one is given."""
    fields = component.Params.model_fields
    given = {param.partition("=")[0].strip() for param in params}
    if not issubclass(component, Noise) or given & {"sigma", "scale"}:
        return []
    return [f"{key}=0.5" for key in ("sigma", "scale") if key in fields]


def example(registry: Registry, component: type[Component], params: Sequence[str]) -> Choice[Any] | None:
    """The component with the given parameters, and a level added where a noise needs one and none is given.

    None when nothing is given and it cannot be made of that. Raises :class:`InputError` for parameters that are wrong.
    """
    problem: InputError | None = None
    for added in [[level] for level in levels(component, params)] or [[]]:
        try:
            return choose(registry, component.kind, component.name, [*params, *added])
        except InputError as error:
            problem = error
    if params and problem is not None:
        raise problem
    return None


@click.command(cls=Command)
@click.argument("name", metavar="NAME|KIND:NAME")
@click.option("--param", "params", multiple=True, metavar="KEY=VALUE", help="Show facts at these parameters.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_settings
def show(settings: Settings, name: str, params: tuple[str, ...], as_json: bool) -> None:
    """Show a component's description, parameters and facts."""
    registry = settings.registry
    pages = [_page(registry, component, params) for component in find_all(registry, name)]
    if as_json:
        print_json(pages)
        return
    for page in pages:
        _print(page)


def _page(registry: Registry, component: type[Component], params: Sequence[str]) -> dict[str, Any]:
    page: dict[str, Any] = {
        "kind": component.kind,
        "name": component.name,
        "owner": str(registry.owner(component)),
        "description": inspect.cleandoc(component.__doc__ or "").strip(),
        "parameters": list(_parameters(component.Params)),
    }
    if issubclass(component, Noise) and (choice := example(registry, component, params)) is not None:
        page |= _vouched(choice)
    return page


def _vouched(choice: Choice[Noise]) -> dict[str, Any]:
    """What a noise says of itself at these parameters. Raises :class:`RunError` naming it when it cannot."""
    noise = choice.make()
    try:
        facts, forms = dict(_facts(noise)), list(_closed_forms(noise))
    except RobustbenchError:
        raise
    except Exception as error:
        raise RunError(f"noise plugin {noise.name!r} cannot say its facts: {type(error).__name__}: {error}") from error
    given = {key: value for key, value in choice.canonical().items() if key != "name"}
    return {"example": given, "facts": facts, "closed_forms": forms}


def _parameters(model: type[Params]) -> Iterator[dict[str, Any]]:
    schema = model.model_json_schema()
    required = schema.get("required", [])
    for key, field in schema.get("properties", {}).items():
        yield {
            "name": key,
            "type": _type(field),
            "required": key in required,
            "default": field.get("default"),
            "description": field.get("description", ""),
        }


def _type(schema: dict[str, Any]) -> str:
    """A JSON Schema in a few words: ``number > 0``, ``training or null``."""
    if options := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(dict.fromkeys(_type(option) for option in options))
    if "component" in schema:
        return str(schema["component"])
    if "enum" in schema or "const" in schema:
        return " | ".join(str(value) for value in schema.get("enum", [schema.get("const")]))
    signs = {"exclusiveMinimum": ">", "minimum": ">=", "exclusiveMaximum": "<", "maximum": "<="}
    limits = [f"{sign} {schema[key]}" for key, sign in signs.items() if key in schema]
    kind = "path" if schema.get("format") == "path" else str(schema.get("type", "map" if "$ref" in schema else "any"))
    inner = f" of {_type(schema['items'])}" if kind == "array" and schema.get("items") else ""
    return " ".join([kind + inner, *limits])


def _facts(noise: Noise) -> Iterator[tuple[str, Any]]:
    yield "sigma", noise.sigma
    if noise.outcomes is not None:
        yield "draws in all", noise.outcomes
    if isinstance(noise, ProductNoise):
        yield "scale", noise.scale
        yield from ((fact, bool(getattr(noise, fact))) for fact in FACTS)
        yield "support", [norm_name(end) for end in noise.support]


def _closed_forms(noise: Noise) -> Iterator[dict[str, Any]]:
    for norm in SHOWN_NORMS:
        form = noise.closed_form(norm, EXAMPLE_DIM)
        if form is not None:
            label = conditioned(form.guarantee, "" if noise.condition is None else noise.condition.label)
            yield {"norm": norm_name(norm), "guarantee": label, "exact": form.exact, "source": form.source}


def _print(page: dict[str, Any]) -> None:
    click.echo(f"{page['kind']} {page['name']}, from {page['owner']}\n")
    if page["description"]:
        click.echo(f"{page['description']}\n")
    if page["parameters"]:
        rows = [
            (item["name"], item["type"], "required" if item["required"] else str(item["default"]), item["description"])
            for item in page["parameters"]
        ]
        print_table(("parameter", "type", "default", ""), rows)
        click.echo()
    if "facts" in page:
        given = ", ".join(f"{key}={value}" for key, value in page["example"].items())
        click.echo(f"Facts at {given}: " + ", ".join(f"{key} {finite(value)}" for key, value in page["facts"].items()))
        for form in page["closed_forms"]:
            exact = "exact" if form["exact"] else "a lower bound"
            click.echo(f"Closed form, norm {form['norm']}: {form['guarantee']}, {exact}; {form['source']}")
        if not page["closed_forms"]:
            click.echo("Closed forms: none")
        click.echo()
