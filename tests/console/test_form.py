"""Forms made from a JSON Schema: every value comes back as it went in, and what is typed has its type."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Page

from tests.support.browser import Tabs, axe

ADDRESS = {
    "type": "object",
    "title": "Address",
    "properties": {"street": {"type": "string", "minLength": 1}, "floor": {"type": "integer"}},
    "required": ["street"],
}
ORDER: dict[str, Any] = {
    "type": "object",
    "$defs": {
        "Address": ADDRESS,
        "Tree": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Tree"}}},
    },
    "properties": {
        "name": {"type": "string", "title": "Name", "description": "Who orders.", "maxLength": 60},
        "letter": {"type": "string", "maxLength": 5000},
        "pieces": {"type": "integer", "minimum": 1, "maximum": 50, "default": 7},
        "price": {"type": "number", "exclusiveMinimum": 0},
        "gift": {"type": "boolean", "default": False},
        "seen": {"anyOf": [{"type": "boolean"}, {"type": "null"}], "default": None},
        "speed": {"enum": ["slow", "fast"]},
        "size": {"enum": ["small", 2, None], "default": 2},
        "colours": {"type": "array", "items": {"enum": ["red", "green", "blue"]}, "uniqueItems": True},
        "tags": {"type": "array", "items": {"type": "string"}},
        "homes": {"type": "array", "items": {"$ref": "#/$defs/Address"}},
        "home": {"$ref": "#/$defs/Address"},
        "office": {"anyOf": [{"$ref": "#/$defs/Address"}, {"type": "null"}], "default": None},
        "reference": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
        "extra": {"type": "object", "additionalProperties": True},
        "pair": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "number"}]},
        "tree": {"$ref": "#/$defs/Tree"},
        "constructor": {"type": "string"},
    },
    "required": ["name", "speed", "home"],
}
LEAST = {"name": "Ada", "speed": "slow", "home": {"street": "Alley"}}

KEPT: list[dict[str, Any]] = [
    {},
    {"name": "", "letter": "two\nlines", "pieces": 1, "price": 1e21, "gift": False, "seen": None},
    {"gift": True, "seen": True, "size": None, "colours": [], "tags": [], "homes": []},
    {"size": 2, "colours": ["blue", "red"], "tags": ["", "b"], "office": None, "reference": "5"},
    {"homes": [{"street": "A", "floor": 2}, {"street": "B"}], "office": {"street": "C"}, "reference": 5},
    {"name": "two\nlines", "unknown": {"deep": [1, None]}, "__proto__x": 1, "constructor": "x"},
    {"pieces": "seven", "gift": "yes", "speed": "warp", "colours": ["red", "red"], "tags": "none"},
    {"pieces": None, "home": [], "homes": {"0": 1}, "office": 3, "reference": [1], "price": None},
    {"extra": {"any": [1.5, {"b": None}]}, "pair": ["a", 1], "tree": {"next": {"next": {"next": {}}}}},
]

SHOW = """async ([schema, value, given]) => {
  const { schemaForm } = await import("/console/form/form.js");
  globalThis.form = schemaForm(schema, given ? value : undefined);
  form.onChange = () => (globalThis.changes = (globalThis.changes ?? 0) + 1);
  const page = document.getElementById("page");
  page.replaceChildren(document.createElement("form"));
  page.firstChild.setAttribute("novalidate", "");
  page.firstChild.append(form.element);
}"""


async def form_page(tabs: Tabs, schema: Any, *value: Any) -> Page:
    """A page of the console whose only content is a form, begun with the value if there is one."""
    page = await tabs.open("/?status=queued&graph=nobody")
    await page.get_by_text("There is no queued nobody task.").wait_for()
    await page.evaluate(SHOW, [schema, value[0] if value else None, bool(value)])
    return page


async def value_of(page: Page) -> Any:
    """What the form holds."""
    return await page.evaluate("() => form.value")


async def test_what_nobody_touches_comes_back(tabs: Tabs) -> None:
    """A form holds the value it was begun with, though it may break the schema or be empty in places."""
    page = await form_page(tabs, ORDER)
    for more in KEPT:
        await page.evaluate(SHOW, [ORDER, {**LEAST, **more}, True])
        assert await value_of(page) == {**LEAST, **more}
        assert await page.evaluate("() => form.check()")


async def test_a_form_without_a_value(tabs: Tabs) -> None:
    """Nothing but what has to be there is sent, so that the graph's own defaults hold."""
    page = await form_page(tabs, ORDER)
    assert await value_of(page) == {"home": {}}


async def test_what_is_typed_has_its_type(tabs: Tabs) -> None:
    """Each kind of field gives what its schema wants."""
    page = await form_page(tabs, ORDER)
    await page.get_by_label("Name").fill("Ada")
    await page.get_by_label("Pieces").fill("12")
    await page.get_by_label("Price").fill("0.5")
    await page.get_by_label("Gift").check()
    await page.get_by_label("Seen").select_option("No")
    await page.get_by_role("radio", name="fast").check()
    await page.get_by_label("Size").select_option("2")
    await page.get_by_role("checkbox", name="blue").check()
    await page.get_by_role("checkbox", name="red").check()
    await page.get_by_role("group", name="Home", exact=False).get_by_label("Street").fill("Alley")
    await page.get_by_label("Extra").fill('{"a": 1}')
    assert await value_of(page) == {
        "name": "Ada", "pieces": 12, "price": 0.5, "gift": True, "seen": False, "speed": "fast", "size": 2,
        "colours": ["red", "blue"], "home": {"street": "Alley"}, "extra": {"a": 1},
    }  # fmt: skip
    assert await page.evaluate("() => changes") >= 11


async def test_lists_grow_and_shrink(tabs: Tabs) -> None:
    """Items are added at the end and removed where their button is, and the focus stays in the list."""
    page = await form_page(tabs, ORDER, {**LEAST, "tags": ["a", "b"]})
    tags = page.get_by_role("group", name="Tags")
    await tags.get_by_role("button", name="Add").click()
    await page.keyboard.type("c")
    await tags.get_by_role("button", name="Remove Item 1 of Tags").click()
    assert (await value_of(page))["tags"] == ["b", "c"]
    assert await tags.get_by_role("button", name="Remove Item 1 of Tags").evaluate(
        "(button) => button === document.activeElement"
    )
    for _ in range(2):
        await page.keyboard.press("Enter")
    assert (await value_of(page))["tags"] == []


async def test_lists_of_objects_and_what_may_be_left_out(tabs: Tabs) -> None:
    """An object that may be left out is there once its box is ticked; items of a list may be objects."""
    page = await form_page(tabs, ORDER, LEAST)
    homes = page.get_by_role("group", name="Homes")
    await homes.get_by_role("button", name="Add").click()
    await homes.get_by_label("Street").fill("Away")
    await page.get_by_role("checkbox", name="Office").check()
    office = page.locator("fieldset", has=page.get_by_role("checkbox", name="Office"))
    await office.get_by_label("Floor").fill("3")
    value = await value_of(page)
    assert (value["homes"], value["office"]) == ([{"street": "Away"}], {"floor": 3})
    await page.get_by_role("checkbox", name="Office").uncheck()
    assert "office" not in await value_of(page)


async def test_the_kind_of_a_value_is_chosen(tabs: Tabs) -> None:
    """Where several types are allowed, the type is chosen first, and may be none."""
    page = await form_page(tabs, ORDER, {**LEAST, "reference": 5})
    kind = page.get_by_label("Kind of Reference")
    assert await kind.locator("option:checked").text_content() == "Number"
    await kind.select_option("Text")
    await page.get_by_role("group", name="Reference").get_by_role("textbox").fill("five")
    assert (await value_of(page))["reference"] == "five"
    await kind.select_option("Not set")
    assert "reference" not in await value_of(page)


async def test_emptied_fields_are_left_out(tabs: Tabs) -> None:
    """An empty field means absent, or null where something has to be there."""
    schema = {"type": "object", "required": ["a"], "properties": {
        "a": {"type": ["string", "null"]}, "b": {"type": ["number", "null"]}}}  # fmt: skip
    page = await form_page(tabs, schema, {"a": "x", "b": 1})
    await page.get_by_role("textbox", name="A", exact=True).fill("")
    await page.get_by_role("spinbutton", name="B", exact=True).fill("")
    assert await value_of(page) == {"a": None}


@pytest.mark.parametrize(
    ("label", "typed", "fault"),
    [("Pieces", "1.5", "whole number"), ("Price", "1e", "Give a number"), ("Extra", "{", "no JSON"),
     ("Pieces", "99999999999999999", "17 digits")],
)  # fmt: skip
async def test_what_cannot_be_read_is_said(tabs: Tabs, label: str, typed: str, fault: str) -> None:
    """It's said beside its field, which has the focus, and taken back when somebody types on."""
    page = await form_page(tabs, ORDER, LEAST)
    control = page.get_by_label(label)
    await control.press_sequentially(typed)
    assert not await page.evaluate("() => form.check()")
    assert fault in await page.locator(".form-error:visible").inner_text()
    assert await control.get_attribute("aria-invalid") == "true"
    assert await control.evaluate("(node) => node === document.activeElement")
    await control.fill("")
    assert await page.locator(".form-error:visible").count() == 0
    assert await page.evaluate("() => form.check()")


async def test_a_pods_objections_stand_at_their_fields(tabs: Tabs) -> None:
    """Each path leads to its field, also through lists; what's missing is said where it should be."""
    page = await form_page(tabs, ORDER, {**LEAST, "homes": [{"street": ""}]})
    errors = [
        {"path": "", "rule": "required", "expected": ["speed"]},
        {"path": "/homes/0/street", "rule": "minLength", "expected": 1},
        {"path": "/pieces", "rule": "maximum", "expected": 50},
        {"path": "/tags/7", "rule": "type", "expected": "string"},
    ]
    await page.evaluate("(errors) => form.showErrors(errors)", errors)
    said = {
        "Pieces": "It may be at most 50.",
        "Speed": "This is needed.",
        "Tags": "7: It has to be of the type string.",
        "Homes": "It is too short: the shortest that is allowed has 1 characters.",
    }
    for name, text in said.items():
        field = page.locator(".form-field", has_text=name).filter(has=page.locator(".form-error:visible"))
        assert text in await field.first.inner_text()
    assert await page.locator(".form-error:visible").count() == 4
    assert await page.evaluate("() => document.activeElement.type") == "number"


async def test_schemas_beyond_a_form(tabs: Tabs) -> None:
    """What no form can tell is edited as JSON, even a schema that is none or leads in circles."""
    schemas: list[Any] = [{}, True, "odd", {"$ref": "#"}, {"not": {}}, {"$ref": "http://elsewhere/"}]
    for schema in schemas:
        page = await form_page(tabs, schema, {"a": [1]})
        assert not await page.evaluate("() => form.expressive")
        assert await value_of(page) == {"a": [1]}
        await page.locator("textarea").fill("[2]")
        assert await value_of(page) == [2]


async def test_texts_of_a_schema_are_text(tabs: Tabs) -> None:
    """Markup in titles, options and descriptions shows as itself."""
    hostile = "<img src=x onerror=alert(1)>"
    schema = {
        "type": "object",
        "properties": {"a": {"title": hostile, "description": hostile, "enum": [hostile]}},
    }
    page = await form_page(tabs, schema)
    assert await page.locator("#page img").count() == 0
    assert await page.get_by_label(hostile).locator("option").last.text_content() == hostile


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_forms_are_accessible(tabs: Tabs, scheme: Any) -> None:
    """Axe finds nothing in a form that has every kind of field, nor in one with objections."""
    page = await form_page(
        tabs, ORDER, {**LEAST, "tags": ["a"], "homes": [{"street": ""}], "office": {"street": ""}}
    )
    await page.emulate_media(color_scheme=scheme)
    await page.evaluate("() => { form.element.closest('form').className = 'panel'; }")
    await page.evaluate("() => form.showErrors([{ path: '/pieces', rule: 'maximum', expected: 50 }])")
    assert [found for found in await axe(page) if "page-has-heading-one" not in found] == []
