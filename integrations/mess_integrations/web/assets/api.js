/** The server: the documented API and nothing else. */

import { Store } from "./store.js";

/** Whether the server knows this browser, and whether it answers at all. */
export const connection = new Store({ signedIn: true, problem: /** @type {string | null} */ (null) });

/** What the server said was wrong: one line that says what to do. */
export class ServerError extends Error {
	/** @param {number} status @param {string} message */
	constructor(status, message) {
		super(message);
		this.status = status;
	}
}

/** @param {string} path @returns {string} below wherever the page itself lies */
export const address = (path) => new URL(path, document.baseURI).toString();

/**
 * @param {string} method
 * @param {string} path
 * @param {{ body?: unknown, signal?: AbortSignal, data?: Blob, text?: boolean }} [options]
 * @returns {Promise<any>}
 */
export async function ask(method, path, options = {}) {
	/** @type {Response} */
	let answer;
	try {
		answer = await fetch(address(path), {
			method,
			signal: options.signal,
			body: options.data ?? (options.body === undefined ? undefined : JSON.stringify(options.body)),
			headers: options.data ? {} : { "Content-Type": "application/json" },
			credentials: "same-origin",
			cache: "no-cache",
		});
	} catch (error) {
		if (options.signal?.aborted) throw error;
		const problem = "MESS does not answer. Is it running? `mess up` starts it.";
		connection.patch({ problem });
		throw new ServerError(0, problem);
	}
	if (connection.value.problem) connection.patch({ problem: null });
	if (answer.status === 401) connection.patch({ signedIn: false });
	const text = await answer.text();
	if (!answer.ok) throw new ServerError(answer.status, reasonIn(text, answer.status));
	return options.text ? text : text && JSON.parse(text);
}

/** @param {string} text @param {number} status */
function reasonIn(text, status) {
	try {
		return String(JSON.parse(text).error);
	} catch {
		return `the server answered ${status}`;
	}
}

/** @param {string} path @param {Record<string, string | number>} [query] @param {AbortSignal} [signal] */
export function get(path, query = {}, signal = undefined) {
	const words = new URLSearchParams(Object.entries(query).map(([k, v]) => [k, String(v)]));
	return ask("GET", words.size ? `${path}?${words}` : path, { signal });
}

/** @param {string} path @param {unknown} body @param {AbortSignal} [signal] */
export const post = (path, body, signal = undefined) => ask("POST", path, { body, signal });

/** @type {Map<number, Outline>} */
const outlines = new Map();

/**
 * Sections and measures of tracks; asked for once each.
 * @param {number[]} ids
 * @returns {Promise<Map<number, Outline>>}
 */
export async function outlinesOf(ids) {
	const unknown = [...new Set(ids)].filter((id) => !outlines.has(id));
	for (let at = 0; at < unknown.length; at += 100) {
		const answer = await get("v1/outlines", { ids: unknown.slice(at, at + 100).join(",") });
		for (const one of answer.outlines) outlines.set(one.id, one);
	}
	return outlines;
}

/** @type {Map<string, Promise<any>>} */
const answers = new Map();

/** An answer that stays the same, asked for once. @param {string} path @returns {Promise<any>} */
function cached(path) {
	let found = answers.get(path);
	if (!found) {
		found = get(path);
		answers.set(path, found);
		found.catch(() => answers.delete(path));
		if (answers.size > 400) answers.delete(/** @type {string} */ (answers.keys().next().value));
	}
	return found;
}

/** @param {number} id @returns {Promise<Peaks>} */
export const peaksOf = (id) => cached(`v1/tracks/${id}/peaks`);

/** @param {number} id @returns {Promise<any>} the track with its tags, paths and measures */
export const trackOf = (id) => cached(`v1/tracks/${id}`);
