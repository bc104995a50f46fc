/** What a form must know of a JSON Schema: a plan of its fields, and a value to begin with. Pure. */

/**
 * @typedef {object} Plan one field of a form
 * @property {string} kind `text`, `number`, `boolean`, `choice`, `choices`, `list`, `object`, `variants` or,
 *   for what no field can express, `json`
 * @property {string} title
 * @property {string} description
 * @property {boolean} nullable whether it may be null
 * @property {Record<string, any>} schema of the field itself, its references followed
 * @property {unknown[]} [options] of `choice` and `choices`
 * @property {Plan} [item] of `list`
 * @property {{name: string, required: boolean, plan: Plan}[]} [fields] of `object`
 * @property {Plan[]} [variants] of `variants`
 */

const DEEPEST = 5;
const LONG_TEXT = 200;
const SCALARS = { string: "text", number: "number", integer: "number", boolean: "boolean" };
const WORDS = {
  text: "Text",
  number: "Number",
  boolean: "Yes or no",
  choice: "Choice",
  choices: "Choices",
  list: "List",
  object: "Object",
  variants: "Several kinds",
  json: "JSON",
};

/**
 * Plan the field for a schema.
 * @param {unknown} schema
 * @param {unknown} [root] the schema that references start from
 * @param {string} [name] stands in for a title
 * @returns {Plan}
 */
export function planOf(schema, root = schema, name = "", depth = 0) {
  const own = follow(schema, root);
  if (!own || depth > DEEPEST) return plain("json", own ?? {}, name);
  const { wanted, nullable } = withoutNull(own, root);
  // A member is called by its own title, not by its type's.
  const told = name ? { ...own, title: schema.title } : own;
  return { ...planKind(wanted, root, name, depth), ...texts(told, name), nullable };
}

/** What to fill a form with: the schema's first example, else those of its properties, or their defaults. */
export function exampleOf(schema) {
  const own = follow(schema, schema);
  if (own?.examples?.length) return structuredClone(own.examples[0]);
  if (!own?.properties) return own?.default ?? ([undefined, "object"].includes(own?.type) ? {} : undefined);
  const values = Object.entries(own.properties).map(([name, property]) => {
    const found = follow(property, schema);
    return [name, found?.examples?.[0] ?? found?.default ?? undefined];
  });
  return structuredClone(Object.fromEntries(values.filter(([, value]) => value !== undefined)));
}

/**
 * Whether the field that was planned can show a value, and give it back as it was.
 * @param {Plan} plan
 * @param {unknown} value undefined: none
 */
export function fits(plan, value) {
  if (value === undefined || plan.kind === "json") return true;
  if (value === null) return plan.nullable;
  return FITS[plan.kind](plan, value);
}

/** Where an option is among others, by its JSON; -1 if it isn't. */
export function optionIndex(options, value) {
  const text = JSON.stringify(value);
  return options.findIndex((option) => JSON.stringify(option) === text);
}

/** Whether a text wants several lines. */
export function isLong({ maxLength = 0, format = "" }, value) {
  return maxLength > LONG_TEXT || /^(textarea|multi-?line|markdown)$/.test(format) || /\n/.test(value ?? "");
}

/** Whether a value is an object of JSON's. */
export function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function plain(kind, schema, name) {
  return { kind, schema, nullable: false, ...texts(schema, name) };
}

function texts(schema, name) {
  const { title, description } = schema;
  return {
    title: typeof title === "string" && title ? title : spoken(name),
    description: typeof description === "string" ? description : "",
  };
}

/** A member's name as a title. */
function spoken(name) {
  const words = name.replaceAll("_", " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** A schema with its `$ref`s followed and a lone `allOf` taken in; null if it is none, or leads nowhere. */
function follow(schema, root) {
  let own = schema;
  for (let step = 0; step < DEEPEST; step += 1) {
    if (!isObject(own)) return null;
    const { $ref, allOf, ...rest } = own;
    const lone = Array.isArray(allOf) && allOf.length === 1 ? allOf[0] : null;
    if ($ref === undefined && !lone) return own;
    const target = $ref === undefined ? lone : lookUp($ref, root);
    if (!isObject(target) || ($ref !== undefined && allOf)) return null;
    own = { ...target, ...rest };
  }
  return null;
}

function lookUp(reference, root) {
  if (reference === "#") return root;
  if (typeof reference !== "string" || !reference.startsWith("#/")) return null;
  const parts = reference.slice(2).split("/").map(unescape);
  return parts.reduce((at, part) => (at && Object.hasOwn(at, part) ? at[part] : null), root);
}

function unescape(part) {
  return decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~");
}

/** The schema of what isn't null, and whether null is allowed as well. */
function withoutNull(schema, root) {
  const { type, anyOf, oneOf, ...rest } = schema;
  if (Array.isArray(type)) {
    const others = type.filter((word) => word !== "null");
    const nullable = others.length < type.length;
    if (others.length === 1) return { wanted: { ...schema, type: others[0] }, nullable };
    return { wanted: { ...rest, anyOf: others.map((word) => ({ ...rest, type: word })) }, nullable };
  }
  const several = anyOf ?? oneOf;
  if (!Array.isArray(several) || (anyOf && oneOf)) return { wanted: schema, nullable: false };
  const others = several.filter((item) => follow(item, root)?.type !== "null");
  const nullable = others.length < several.length;
  const lone = others.length === 1 && follow(others[0], root);
  const wanted = lone ? { ...rest, ...(type && { type }), ...lone } : { ...rest, anyOf: others };
  return { wanted, nullable };
}

function planKind(schema, root, name, depth) {
  const options = optionsOf(schema, root);
  if (options) return { kind: "choice", schema, options };
  if (UNTOLD.some((word) => word in schema)) return { kind: "json", schema };
  if (schema.anyOf && !schema.properties) return planVariants(schema, root, depth);
  if (Object.hasOwn(SCALARS, schema.type)) return { kind: SCALARS[schema.type], schema };
  if (schema.type === "array") return planList(schema, root, depth);
  if (isObject(schema.properties)) return planObject(schema, root, depth);
  return { kind: "json", schema };
}

/** What changes the shape of a value by its other parts; no form can tell it. */
const UNTOLD = ["allOf", "oneOf", "not", "if", "prefixItems", "patternProperties", "dependentSchemas"];

function optionsOf(schema, root) {
  if ("const" in schema) return [schema.const];
  if (Array.isArray(schema.enum) && schema.enum.length) return schema.enum;
  const single = schema.anyOf?.map((item) => follow(item, root));
  const constant = single?.length && single.every((item) => item && "const" in item);
  return constant ? single.map((item) => item.const) : null;
}

function planVariants(schema, root, depth) {
  const variants = schema.anyOf.map((item) => {
    const plan = planOf(item, root, "", depth + 1);
    // What tells the variants apart is told, though it may have a default.
    const fields = plan.fields?.map((field) => (isFixed(field) ? { ...field, required: true } : field));
    return { ...plan, fields, title: plan.title || WORDS[plan.kind] };
  });
  return variants.length ? { kind: "variants", schema, variants } : { kind: "json", schema };
}

function planList(schema, root, depth) {
  const item = planOf(schema.items ?? {}, root, "", depth + 1);
  if (item.kind === "json" || item.nullable) return { kind: "json", schema };
  const options = item.kind === "choice" && item.options.length > 1 && item.options;
  return options ? { kind: "choices", schema, options } : { kind: "list", schema, item };
}

function planObject(schema, root, depth) {
  const required = new Set(schema.required);
  const fields = Object.entries(schema.properties).map(([name, property]) => {
    return { name, required: required.has(name), plan: planOf(property, root, name, depth + 1) };
  });
  return { kind: "object", schema, fields };
}

/** Whether a member of an object has but one value that's allowed. */
function isFixed({ plan }) {
  return plan.kind === "choice" && plan.options.length === 1;
}

const FITS = {
  text: (_, value) => typeof value === "string",
  number: (_, value) => typeof value === "number",
  boolean: (_, value) => typeof value === "boolean",
  choice: ({ options }, value) => optionIndex(options, value) >= 0,
  choices: ({ options }, value) => {
    if (!Array.isArray(value)) return false;
    const found = new Set(value.map((item) => optionIndex(options, item)));
    return found.size === value.length && !found.has(-1);
  },
  list: (_, value) => Array.isArray(value),
  object: ({ fields }, value) =>
    isObject(value) && fields.filter(isFixed).every(({ name, plan }) => fits(plan, value[name])),
  variants: ({ variants }, value) => variants.some((variant) => fits(variant, value)),
};
