/**
 * Who is signed in. The credential is kept in sessionStorage: for this tab alone, over reloads, and gone with it.
 * A script of ours has to have it, for it goes into a header; the page lets no other script in.
 */

const KEY = "taskreel.session";
const DRAFTS = "taskreel.draft.";

/**
 * @typedef {{auth: "off" | "keys" | "jwt", tenant: string, subject: string, role: "submit" | "read" | "ops",
 *   expires_at: string | null}} Who as `GET /whoami` tells
 */

class Session {
  /** @type {Who | null} whom the credential stands for; kept when that has ended */
  who = null;
  /** Whether a pod wants a credential, and there is none that holds. */
  needed = false;
  #credential = null;
  #waiting = new Set();
  #listeners = [];

  constructor() {
    const { credential = null, who = null } = recall();
    [this.#credential, this.who] = [credential, who];
  }

  /** The API key or token; null where there is none. */
  get credential() {
    return this.#credential;
  }

  /** Whether requests have a credential. */
  get signedIn() {
    return this.#credential !== null;
  }

  /** Whether the role lets somebody submit, cancel and answer tasks, as far as is known. */
  get mayChange() {
    return this.who?.role !== "read";
  }

  /** Be told of changes; `changed`: somebody else is there than before, or nobody. */
  watch(listen) {
    this.#listeners.push(listen);
  }

  /**
   * Wait while a credential is needed.
   * @param {AbortSignal} [signal]
   * @returns {Promise<void>} rejects with an AbortError when the signal aborts, or when it's somebody else who
   *   signs in then
   */
  ready(signal) {
    if (!this.needed) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const over = new AbortController();
      const waiter = { resolve, reject, over };
      this.#waiting.add(waiter);
      const leave = () => {
        this.#waiting.delete(waiter);
        reject(signal.reason);
      };
      if (signal?.aborted) leave();
      else signal?.addEventListener("abort", leave, { signal: over.signal });
    });
  }

  /** A pod has refused what was sent with that credential. */
  refused(credential) {
    if (credential !== this.#credential || this.needed) return;
    this.needed = true;
    this.#tell(false);
  }

  /**
   * Somebody has a credential that holds.
   * @param {string} credential
   * @param {Who} who
   */
  signIn(credential, who) {
    const changed = !isSame(this.who, who);
    if (changed && this.who) forgetDrafts();
    const isAsked = who.auth !== "off";
    [this.#credential, this.who, this.needed] = [isAsked ? credential : null, isAsked ? who : null, false];
    keep(isAsked ? { credential, who } : null);
    this.#tell(changed);
    this.#settle(changed);
  }

  /** Forget the credential, and what was typed. */
  signOut() {
    [this.#credential, this.who, this.needed] = [null, null, true];
    keep(null);
    forgetDrafts();
    this.#tell(true);
  }

  #settle(changed) {
    for (const { resolve, reject, over } of this.#waiting) {
      over.abort();
      if (changed) reject(new DOMException("Somebody else has signed in.", "AbortError"));
      else resolve();
    }
    this.#waiting.clear();
  }

  #tell(changed) {
    for (const listen of this.#listeners) listen({ changed });
  }
}

function isSame(one, other) {
  return ["tenant", "subject", "role"].every((name) => one?.[name] === other[name]);
}

function recall() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY)) ?? {};
  } catch {
    return {}; // storage is forbidden, or holds what isn't ours
  }
}

function keep(value) {
  try {
    if (value) sessionStorage.setItem(KEY, JSON.stringify(value));
    else sessionStorage.removeItem(KEY);
  } catch {
    return; // it holds for this page, then
  }
}

function forgetDrafts() {
  try {
    for (const name of Object.keys(sessionStorage)) if (name.startsWith(DRAFTS)) sessionStorage.removeItem(name);
  } catch {
    return; // storage is forbidden: there are none
  }
}

/** The session of this page. */
export const session = new Session();
