/** The rules of JSON Schema, in words that people who fill in a form understand. Pure. */

/**
 * @typedef {object} Failure what a pod says of a value that breaks a schema
 * @property {string} path where, such as `/lines/0/article`; empty: the whole
 * @property {string} [rule] the schema's keyword, such as `minimum`
 * @property {unknown} [expected] what the schema has there; of `required` the names that are missing
 * @property {string} [message] in place of the rule
 */

/**
 * What to do about a failure.
 * @param {Failure} failure
 */
export function failureText({ rule = "", expected, message }) {
  if (message) return message;
  if (Object.hasOwn(FAILURES, rule)) return FAILURES[rule](told(expected));
  return `It breaks the rule “${rule}” of the schema.`;
}

/**
 * The same failures, with those of `required` told of each member that is missing.
 * @param {Failure[]} failures
 * @returns {Failure[]}
 */
export function eachMissing(failures) {
  return failures.flatMap((failure) => {
    if (failure.rule !== "required" || !Array.isArray(failure.expected)) return [failure];
    return failure.expected.map((name) => ({ ...failure, path: `${failure.path}/${name}` }));
  });
}

/** What a schema allows, in a few words: `1 to 50`, `up to 200 characters`; empty if anything. */
export function limitsText(schema) {
  const { minLength, maxLength, minItems, maxItems, multipleOf, pattern } = schema;
  return [
    numbers(schema),
    multipleOf !== undefined && `in steps of ${told(multipleOf)}`,
    between(minLength || undefined, maxLength, "character"),
    between(minItems || undefined, maxItems, "item"),
    pattern !== undefined && `matching ${pattern}`,
  ]
    .filter(Boolean)
    .join(", ");
}

function numbers({ minimum, maximum, exclusiveMinimum: above, exclusiveMaximum: below }) {
  if (minimum !== undefined && maximum !== undefined) return `${told(minimum)} to ${told(maximum)}`;
  return [
    minimum !== undefined && `at least ${told(minimum)}`,
    above !== undefined && `more than ${told(above)}`,
    maximum !== undefined && `at most ${told(maximum)}`,
    below !== undefined && `less than ${told(below)}`,
  ]
    .filter(Boolean)
    .join(", ");
}

function between(least, most, noun) {
  if (least === undefined && most === undefined) return "";
  const last = most ?? least;
  const unit = `${noun}${last === 1 ? "" : "s"}`;
  if (least === undefined) return `up to ${told(most)} ${unit}`;
  if (most === undefined) return `at least ${told(least)} ${unit}`;
  return least === most ? `${told(least)} ${unit}` : `${told(least)} to ${told(most)} ${unit}`;
}

function told(value) {
  if (Array.isArray(value)) return value.map(told).join(", ");
  if (typeof value === "number") return value.toLocaleString("en", { maximumFractionDigits: 20 });
  return typeof value === "string" ? value : JSON.stringify(value);
}

const FAILURES = {
  required: () => "This is needed.",
  type: (expected) => `It has to be of the type ${expected}.`,
  enum: (expected) => `It has to be one of: ${expected}.`,
  const: (expected) => `It has to be ${expected}.`,
  minimum: (expected) => `It has to be at least ${expected}.`,
  maximum: (expected) => `It may be at most ${expected}.`,
  exclusiveMinimum: (expected) => `It has to be more than ${expected}.`,
  exclusiveMaximum: (expected) => `It has to be less than ${expected}.`,
  multipleOf: (expected) => `It has to be a multiple of ${expected}.`,
  minLength: (expected) => `It is too short: the shortest that is allowed has ${expected} characters.`,
  maxLength: (expected) => `It is too long: the longest that is allowed has ${expected} characters.`,
  pattern: (expected) => `It has to match ${expected}.`,
  format: (expected) => `It has to be written as ${expected}.`,
  minItems: (expected) => `There have to be at least ${expected}.`,
  maxItems: (expected) => `There may be at most ${expected}.`,
  uniqueItems: () => "No two may be the same.",
  anyOf: () => "It is none of what is allowed here.",
  oneOf: () => "It is none of what is allowed here, or more than one.",
  additionalProperties: () => "It has a member that the schema doesn't know.",
};
