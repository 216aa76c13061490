/**
 * What is heard. Two decks: the match, and the stretch that was asked about; A/B goes from one to the
 * other at the same level. Playback goes on while one looks elsewhere.
 */

import { Deck, TARGET_LUFS } from "./deck.js";
import { Store } from "./store.js";
import { titleOf } from "./words.js";

/**
 * @typedef {{ track: Card, stretch: Stretch | null,
 *   blob?: Blob }} Heard
 */

export const player = new Store({
	/** @type {Heard | null} */ match: null,
	/** @type {Heard | null} */ asked: null,
	/** @type {"match" | "asked"} */ side: "match",
	isPlaying: false,
	loops: false,
	time_s: 0,
	duration_s: 0,
	/** @type {string | null} */ problem: null,
	/** @type {Card[]} */ queue: [],
	/** What more there is to hear when the queue is at its end. */
	more: /** @type {(() => Promise<Card[]>) | null} */ (null),
});

const decks = { match: new Deck("match", tell), asked: new Deck("asked", tell) };

/** @param {Heard} heard */
const sourceOf = (heard) =>
	heard.blob ? { blob: heard.blob, key: `file ${heard.track.path}` } : { id: heard.track.id, key: `track ${heard.track.id}` };

function tell() {
	const { side, match, asked, loops } = player.value;
	const deck = decks[side];
	const heard = side === "match" ? match : asked;
	if (loops && heard?.stretch && deck.isPlaying && deck.time_s >= heard.stretch.end_s) {
		deck.seek(heard.stretch.start_s);
	}
	if (deck.element.ended) void onEnd();
	player.patch({
		isPlaying: deck.isPlaying,
		time_s: deck.time_s,
		duration_s: deck.duration_s || heard?.track.duration_s || 0,
		problem: deck.problem,
	});
	if ("mediaSession" in navigator) navigator.mediaSession.playbackState = deck.isPlaying ? "playing" : "paused";
}

let ending = false;
async function onEnd() {
	if (ending || player.value.side !== "match") return;
	ending = true;
	try {
		await next();
	} finally {
		ending = false;
	}
}

/**
 * Play a track, from its stretch on.
 * @param {Heard} match
 * @param {Heard | null} [asked] what it is an answer to, for A/B
 * @param {Card[]} [queue] what follows
 */
export async function play(match, asked = null, queue = []) {
	decks.asked.pause();
	player.patch({ match, asked, side: "match", problem: null, queue });
	describe(match.track);
	if (await decks.match.load(sourceOf(match), match.stretch?.start_s ?? 0)) {
		level();
		decks.match.play();
	}
	if (asked) {
		await decks.asked.load(sourceOf(asked), asked.stretch?.start_s ?? 0);
		level();
	}
}

/** Both at the level of the quieter one, so that neither seems better for being louder. */
function level() {
	const known = [decks.match.loudness_lufs, player.value.asked ? decks.asked.loudness_lufs : null];
	const target = Math.min(TARGET_LUFS, ...known.map((lufs) => lufs ?? TARGET_LUFS));
	decks.match.level(target);
	decks.asked.level(target);
}

export function toggle() {
	const { side, match } = player.value;
	if (!match) return;
	if (decks[side].isPlaying) decks[side].pause();
	else decks[side].play();
}

/** From the match to what was asked about, and back. */
export function switchSides() {
	const { side, asked, match } = player.value;
	if (!asked || !match) return;
	const other = side === "match" ? "asked" : "match";
	decks[side].pause();
	player.patch({ side: other });
	describe((other === "match" ? match : asked).track);
	decks[other].play();
}

/** @param {number} at_s */
export function seek(at_s) {
	decks[player.value.side].seek(at_s);
}

/** @param {number} by_s */
export function nudge(by_s) {
	seek(decks[player.value.side].time_s + by_s);
}

export function loop() {
	player.patch({ loops: !player.value.loops });
}

/** The next track of the queue, if there is one. */
export async function next() {
	let { queue, more } = player.value;
	if (!queue.length && more) queue = await more().catch(() => []);
	const [first, ...rest] = queue;
	if (first) await play({ track: first, stretch: null }, null, rest);
}

export function stop() {
	decks.match.pause();
	decks.asked.pause();
}

/** Media keys and lock screens. @param {Card} track */
function describe(track) {
	if (!("mediaSession" in navigator)) return;
	navigator.mediaSession.metadata = new MediaMetadata({
		title: titleOf(track),
		artist: track.artist ?? "",
		album: track.album ?? "",
	});
}

if ("mediaSession" in navigator) {
	/** @type {[MediaSessionAction, MediaSessionActionHandler][]} */
	const keys = [
		["play", toggle],
		["pause", toggle],
		["nexttrack", () => void next()],
		["seekbackward", () => nudge(-5)],
		["seekforward", () => nudge(5)],
		["seekto", (details) => seek(details.seekTime ?? 0)],
	];
	for (const [action, handler] of keys) navigator.mediaSession.setActionHandler(action, handler);
}
