/** Asking the pod. Every failure is a `Problem` whose message can be shown to a person. */

import { session } from "../auth/session.js";

/**
 * An answer that isn't what was asked for.
 * @property {number} status of HTTP; 0: no pod answered
 * @property {string} code one word for programs, such as `task_not_found`
 * @property {{path: string, rule: string, message?: string}[]} errors what failed a schema, if that's it
 * @property {Record<string, any>} document the whole problem document
 */
export class Problem extends Error {
  constructor(status, document) {
    super(document.detail || document.title || `The pod answered ${status}.`);
    this.status = status;
    this.code = document.code ?? "";
    this.errors = document.errors ?? [];
    this.document = document;
  }
}

/**
 * Ask for JSON. While a credential is needed it waits until somebody has signed in; so does a request that is
 * refused for want of one, which is sent again then.
 * @param {"GET" | "POST"} method
 * @param {string} path
 * @param {{body?: unknown, query?: Record<string, string | null | undefined>, headers?: Record<string, string>,
 *   signal?: AbortSignal, patience?: number}} [options] a query's empty members are left out; patience: how
 *   many milliseconds a pod may take
 * @returns {Promise<any>} rejects with a Problem, or with AbortError when the signal aborts
 */
export async function ask(method, path, options = {}) {
  return (await exchange(method, path, options)).content;
}

/**
 * The same, with how far the pod's clock is ahead of this one's, in milliseconds (0 if by less than two seconds,
 * for HTTP tells whole ones).
 * @returns {Promise<{content: any, skew: number}>}
 */
export async function exchange(method, path, options = {}) {
  for (;;) {
    await session.ready(options.signal);
    const { credential } = session;
    const response = await send(path + searchOf(options.query), initOf(method, credential, options));
    const content = await read(response);
    if (response.ok) return { content, skew: skewOf(response) };
    const problem = new Problem(response.status, content);
    if (problem.code !== "unauthenticated") throw problem;
    session.refused(credential);
  }
}

/**
 * Whom a credential stands for.
 * @param {string | null} credential
 * @returns {Promise<import("../auth/session.js").Who>} rejects with a Problem
 */
export async function identify(credential) {
  const response = await send("/whoami", initOf("GET", credential, {}));
  const content = await read(response);
  if (!response.ok) throw new Problem(response.status, content);
  return content;
}

function searchOf(query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const search = new URLSearchParams(given).toString();
  return search && `?${search}`;
}

function initOf(method, credential, { body, headers, signal, patience }) {
  const limits = [signal, patience && AbortSignal.timeout(patience)].filter(Boolean);
  const init = { method, signal: AbortSignal.any(limits), headers: { Accept: "application/json", ...headers } };
  if (credential !== null) init.headers.Authorization = `Bearer ${credential}`;
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers["Content-Type"] = "application/json";
  }
  return init;
}

async function send(url, init) {
  try {
    return await fetch(url, init);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, { code: "unreachable", detail: "No pod answers; look whether it runs, or try again." });
  }
}

async function read(response) {
  try {
    return await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    const detail = `What answered (${response.status}) is no pod of Taskreel's; look at what lies between.`;
    throw new Problem(response.ok ? 502 : response.status, { code: "bad_answer", detail });
  }
}

function skewOf(response) {
  const there = Date.parse(response.headers.get("date") ?? "") + 500;
  const skew = there - Date.now();
  return Math.abs(skew) >= 2000 ? skew : 0;
}
