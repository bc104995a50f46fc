/** Requests as lines for a shell. Pure. */

/** A word that a POSIX shell takes as it is. */
export function quoted(word) {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/**
 * The command that submits a task.
 * @param {string} origin of the pod, such as `http://localhost:8000`
 * @param {unknown} body of the request
 * @param {boolean} signedIn whether the pod wants a credential, which the shell has to have
 */
export function submitLine(origin, body, signedIn) {
  const words = [`curl -s ${origin}/tasks`, ...credentialOf(signedIn), "-H 'Content-Type: application/json'"];
  return [...words, `-d ${quoted(JSON.stringify(body))}`].join(" \\\n  ");
}

/**
 * The command that fetches one event.
 * @param {string} origin of the pod
 * @param {{taskId: string, before: string}} event `before`: the id of the one before it
 * @param {boolean} signedIn as above
 */
export function eventLine(origin, { taskId, before }, signedIn) {
  const url = `${origin}/tasks/${encodeURIComponent(taskId)}/events?after=${before}&limit=1`;
  return ["curl -s", ...credentialOf(signedIn), quoted(url)].join(" ");
}

function credentialOf(signedIn) {
  return signedIn ? ['-H "Authorization: Bearer $TASKREEL_TOKEN"'] : [];
}
