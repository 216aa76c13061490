/** Sounds that were dropped or recorded: the server hears them and forgets them; the browser keeps them to play. */

import { ask } from "./api.js";

/** @type {Map<string, { blob: Blob, name: string, duration_s: number }>} */
const kept = new Map();

/**
 * Let the server hear a sound. @param {Blob} blob @param {string} name
 * @returns {Promise<string>} the reference to ask with
 */
export async function bring(blob, name) {
	const answer = await ask("POST", `v1/sounds?${new URLSearchParams({ name })}`, { data: blob });
	kept.set(answer.ref, { blob, name: answer.name, duration_s: answer.duration_s });
	return answer.ref;
}

/** @param {string} ref */
export const soundOf = (ref) => kept.get(ref) ?? null;

/** @param {string} ref */
export const isSound = (ref) => ref.startsWith("sound:");
