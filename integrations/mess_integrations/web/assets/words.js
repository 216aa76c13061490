/** Numbers as people say them. */

/** @param {number} seconds @returns {string} m:ss, or h:mm:ss */
export function clock(seconds) {
	const whole = Math.max(0, Math.floor(seconds + 1e-6));
	const s = String(whole % 60).padStart(2, "0");
	const m = Math.floor(whole / 60) % 60;
	const h = Math.floor(whole / 3600);
	return h ? `${h}:${String(m).padStart(2, "0")}:${s}` : `${m}:${s}`;
}

/** @param {{ start_s: number, end_s: number }} stretch */
export const span = (stretch) => `${clock(stretch.start_s)}–${clock(stretch.end_s)}`;

const LIKENESS = /** @type {[number, string][]} */ ([
	[0.75, "nearly the same"],
	[0.5, "very alike"],
	[0.3, "alike"],
	[0.15, "somewhat alike"],
	[0, "hardly alike"],
]);

/** @param {number} score in [0, 1] */
export const likeness = (score) => (LIKENESS.find(([from]) => score >= from) ?? LIKENESS[4])[1];

/** @param {number} share in [0, 1] @returns {string} "99.8 %" */
export const percent = (share) => `${share < 0.99 ? Math.round(share * 100) : Math.min(99.9, share * 100).toFixed(1)} %`;

/** @param {{ confidence: number, sure: boolean }} heard @returns {string} how sure it is */
export const sureness = ({ confidence, sure }) => (confidence >= 0.6 ? "sure" : sure ? "fairly sure" : "unsure");

/** @param {number} n "12,345" */
export const figure = (n) => n.toLocaleString("en");

/** @param {number} n @param {string} one @param {string} [many] */
export const count = (n, one, many = `${one}s`) => `${figure(n)} ${n === 1 ? one : many}`;

/** @param {number} seconds @returns {string} "3 min", "2 h 5 min" */
export function about(seconds) {
	if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
	const minutes = Math.round(seconds / 60);
	return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** @param {string} iso a moment @returns {string} how long ago it was */
export function ago(iso) {
	const seconds = (Date.now() - Date.parse(iso)) / 1000;
	if (seconds < 5) return "now";
	if (seconds < 86_400) return `${about(seconds)} ago`;
	return count(Math.round(seconds / 86_400), "day") + " ago";
}

/** @param {Card} track */
export const titleOf = (track) => track.title || nameOf(track.path) || `track ${track.id}`;

/** @param {string | null} path @returns {string} the file's own name; bytes that are no text show as � */
export const nameOf = (path) =>
	(path ?? "").split("/").pop()?.replace(/[\ud800-\udfff]/gu, "�") ?? "";

/** @param {string} name such as "A minor" @returns {string} "Am" */
export const shortKey = (name) => name.replace(" minor", "m").replace(" major", "");
