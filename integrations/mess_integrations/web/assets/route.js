/**
 * The address after `#`: which view, and in it the whole question. So a question can be bookmarked and
 * shared, and the back button leads to the one before.
 */

import { Store } from "./store.js";

export const ASPECTS = ["feel", "timbre", "harmony", "rhythm", "energy", "structure"];
export const MOODS = ["calm", "driving", "dark", "bright"];

/** @type {Store<{ view: string, rest: string[], words: URLSearchParams }>} */
export const route = new Store(read());
addEventListener("hashchange", () => route.set(read()));

function read() {
	const [path, words = ""] = location.hash.replace(/^#\/?/, "").split("?", 2);
	const [view = "", ...rest] = path.split("/").map(decodeURIComponent);
	return { view: view || "ask", rest, words: new URLSearchParams(words) };
}

/** @param {string} hash @param {boolean} [replace] leave no step for the back button */
export function go(hash, replace = false) {
	if (replace) {
		history.replaceState(null, "", hash);
		route.set(read());
	} else if (location.hash !== hash) {
		location.hash = hash;
	}
}

/** @returns {Question} */
export function emptyQuestion() {
	return {
		refs: [], against: [], start: null, end: null, emphasis: {}, tempo: "", key: "", moods: [], year: "",
		genre: "", tag: "", exclude: "", duration: "", per_artist: 0, per_album: 0, diversity: 0, listener: "", k: 20,
	};
}

const TEXTS = /** @type {const} */ (["tempo", "key", "year", "genre", "tag", "exclude", "duration", "listener"]);
const NUMBERS = /** @type {const} */ (["per_artist", "per_album", "diversity"]);

/** @param {URLSearchParams} words @returns {Question} */
export function questionIn(words) {
	const question = emptyQuestion();
	question.refs = words.getAll("ref");
	question.against = words.getAll("not");
	question.moods = words.getAll("mood").filter((mood) => MOODS.includes(mood));
	for (const name of TEXTS) question[name] = words.get(name) ?? "";
	for (const name of NUMBERS) question[name] = number(words.get(name)) ?? 0;
	question.start = number(words.get("start"));
	question.end = number(words.get("end"));
	question.k = number(words.get("k")) ?? 20;
	for (const aspect of ASPECTS) {
		const weight = number(words.get(aspect));
		if (weight !== null && weight >= 0) question.emphasis[aspect] = weight;
	}
	return question;
}

/** @param {string | null} text */
function number(text) {
	const value = text === null || text === "" ? NaN : Number(text);
	return Number.isFinite(value) ? value : null;
}

/** @param {Question} question @param {string} [view] */
export function hashOf(question, view = "ask") {
	const words = new URLSearchParams();
	for (const ref of question.refs) words.append("ref", ref);
	for (const ref of question.against) words.append("not", ref);
	if (question.start !== null) words.set("start", String(question.start));
	if (question.end !== null) words.set("end", String(question.end));
	for (const aspect of ASPECTS) {
		const weight = question.emphasis[aspect];
		if (weight !== undefined && weight !== restOf(aspect)) words.set(aspect, String(weight));
	}
	for (const mood of question.moods) words.append("mood", mood);
	for (const name of TEXTS) if (question[name]) words.set(name, question[name]);
	for (const name of NUMBERS) if (question[name]) words.set(name, String(question[name]));
	if (question.k !== 20) words.set("k", String(question.k));
	return words.size ? `#/${view}?${words}` : `#/${view}`;
}

/** @param {string} aspect @returns {number} what counts when nothing is said */
export const restOf = (aspect) => (aspect === "feel" ? 1 : 0);

/** @param {Question} question @returns {Record<string, unknown>} as the API takes it */
export function bodyOf(question) {
	/** @type {Record<string, unknown>} */
	const filters = {};
	if (question.tempo) filters.tempo_bpm = question.tempo;
	if (question.key) filters.key = question.key;
	if (question.year) filters.year = question.year;
	if (question.duration) filters.duration_s = question.duration;
	if (question.genre) filters.genre = question.genre;
	if (question.tag) filters.tags = question.tag.split(/, */);
	if (question.moods.length) filters.moods = question.moods;
	if (question.exclude) filters.excluded_words = [question.exclude];
	const emphasis = Object.fromEntries(
		Object.entries(question.emphasis).filter(([aspect, weight]) => weight !== restOf(aspect)),
	);
	/** @type {Record<string, unknown>} */
	const body = {};
	if (Object.keys(filters).length) body.filters = filters;
	if (Object.keys(emphasis).length) body.emphasis = emphasis;
	if (question.against.length) body.against = question.against;
	for (const name of NUMBERS) if (question[name]) body[name] = question[name];
	if (question.listener) body.listener = question.listener;
	return body;
}
