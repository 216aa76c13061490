/** The answers: each can be heard at the matched place, judged, and asked about in turn. */

import { Icon } from "./icon.js";
import { player } from "./player.js";
import { html, useLayoutEffect, useRef } from "./preact.js";
import { ASPECTS } from "./route.js";
import { useStore } from "./store.js";
import { Strip } from "./strip.js";
import { clock, likeness, percent, shortKey, span, titleOf } from "./words.js";

/**
 * What can be done with an answer.
 * @typedef {{ play: (match: Match, at_s?: number) => void, ask: (match: Match) => void,
 *   more: (match: Match) => void, not: (match: Match) => void,
 *   judge: (match: Match, verdict: "like" | "dislike") => void }} Deeds
 */

const FEEL = new Set(["song", "windows", "course"]);

/**
 * How alike a match is in each aspect, in [0, 1], as far as its reasons tell.
 * @param {Match} match @returns {Record<string, number>}
 */
export function aspectsOf(match) {
	/** @type {Record<string, number>} */
	const found = {};
	let [sum, weights] = [0, 0];
	for (const { kind, value, likeness } of match.reasons) {
		if (likeness === null) continue;
		if (FEEL.has(kind)) {
			sum += value;
			weights += likeness && value / likeness;
		} else if (ASPECTS.includes(kind)) {
			found[kind] = Math.max(0, likeness);
		}
	}
	if (weights) found.feel = Math.max(0, sum / weights);
	return found;
}

/**
 * @param {{ matches: Match[], outlines: Map<number, Outline>, verdicts: Map<number, string>,
 *   selected: number, onSelect: (place: number) => void, deeds: Deeds }} props
 */
export function Matches({ matches, outlines, verdicts, selected, onSelect, deeds }) {
	const list = useRef(/** @type {HTMLElement | null} */ (null));
	useMoves(list, matches);
	return html`<ol class="matches" ref=${list} aria-label="Answers">
		${matches.map(
			(match, place) => html`<${Row} key=${match.track.id} match=${match} outline=${outlines.get(match.track.id) ?? null}
				verdict=${verdicts.get(match.track.id) ?? ""} isSelected=${place === selected}
				onSelect=${() => onSelect(place)} deeds=${deeds} />`,
		)}
	</ol>`;
}

/** @param {{ match: Match, outline: Outline | null, verdict: string, isSelected: boolean, onSelect: () => void, deeds: Deeds }} props */
function Row({ match, outline, verdict, isSelected, onSelect, deeds }) {
	const { track } = match;
	const title = titleOf(track);
	const heard = useStore(player, (now) => (now.match?.track.id === track.id && !now.match.blob ? now : null));
	const isPlaying = heard?.isPlaying && heard.side === "match";
	const start_s = match.match_section?.start_s ?? 0;
	const aspects = aspectsOf(match);
	return html`<li class="match ${isSelected ? "selected" : ""} ${heard ? "current" : ""} ${verdict}" data-id=${track.id}
		onClick=${onSelect} aria-current=${isSelected ? "true" : undefined}>
		<span class="rank">${match.rank}</span>
		<button class="round" onClick=${() => deeds.play(match)}
			aria-label=${`${isPlaying ? "Pause" : "Play"} ${title}${start_s ? ` from ${clock(start_s)}` : ""}`}
			title=${match.match_section ? `Play at the match, ${span(match.match_section)}` : "Play"}>
			<${Icon} name=${isPlaying ? "pause" : "play"} /></button>
		<div class="what">
			<a class="title" href=${`#/track/${track.id}`}>${title}</a>
			<span class="by">${[track.artist, track.album].filter(Boolean).join(" · ") || "no artist"}</span>
		</div>
		<${Strip} duration_s=${track.duration_s} sections=${outline?.sections ?? []} stretch=${match.match_section}
			repeats=${match.repeats} time_s=${heard ? heard.time_s : null}
			onPick=${(at_s) => deeds.play(match, at_s)} />
		<${Bars} aspects=${aspects} />
		<${Measures} heard=${outline?.heard ?? null} reasons=${match.reasons} />
		<span class="likeness" title=${`${match.likeness === null ? "" : `closer than ${percent(match.likeness)} of the pairs in your library; `}score ${match.score.toFixed(2)}${
			match.confidence === null ? "" : `; the same recording: ${Math.round(match.confidence * 100)} %`
		}`}>${match.likeness === null ? likeness(match.score) : percent(match.likeness)}<i style=${{ width: `${Math.round(match.score * 100)}%` }} /></span>
		<div class="deeds">
			${deed("plus", "More of this: ask with it as well", () => deeds.more(match), `More like ${title}`)}
			${deed("minus", "Not this: answers unlike it", () => deeds.not(match), `Not like ${title}`)}
			${deed("up", "A good answer", () => deeds.judge(match, "like"), `Like ${title}`, verdict === "like")}
			${deed("down", "Not a good answer", () => deeds.judge(match, "dislike"), `Dislike ${title}`, verdict === "dislike")}
		</div>
	</li>`;
}

/** @param {string} icon @param {string} title @param {() => void} act @param {string} label @param {boolean} [isOn] */
const deed = (icon, title, act, label, isOn) =>
	html`<button class="small" title=${title} aria-label=${label} aria-pressed=${isOn}
		onClick=${(event) => (event.stopPropagation(), act())}><${Icon} name=${icon} /></button>`;

/** @param {{ aspects: Record<string, number> }} props */
function Bars({ aspects }) {
	const known = ASPECTS.filter((aspect) => aspect in aspects);
	const said = known.map((aspect) => `${aspect} ${likeness(aspects[aspect])}`).join(", ");
	return html`<div class="bars" role="img" aria-label=${said || "no aspects"}>
		${ASPECTS.map((aspect) => {
			const value = aspects[aspect];
			const title = value === undefined ? `${aspect}: not counted` : `${aspect}: ${likeness(value)} (${value.toFixed(2)})`;
			return html`<span title=${title} class=${value === undefined ? "none" : ""}>
				<i style=${{ height: `${Math.round(Math.min(1, value ?? 0) * 100)}%` }} /></span>`;
		})}
	</div>`;
}

/** @param {{ heard: TrackMeasures | null, reasons?: Match["reasons"] }} props */
export function Measures({ heard, reasons = [] }) {
	const [tempo, key] = [heard?.tempo?.sure ? heard.tempo : null, heard?.key?.sure ? heard.key : null];
	const [isSameTempo, isMixing] = ["tempo", "key"].map((kind) => reasons.some((one) => one.kind === kind && one.likeness === 1));
	return html`<div class="measures">
		<span class=${isSameTempo ? "fits" : ""} title=${tempo ? `${tempo.bpm.toFixed(1)} beats per minute${isSameTempo ? ", as in the question" : ""}` : "no tempo is sure"}>
			${tempo ? Math.round(tempo.bpm) : "–"}</span>
		<span class=${isMixing ? "fits" : ""} title=${key ? `${key.name}${isMixing ? ", mixes with the question" : ""}` : "no key is sure"}>
			${key ? shortKey(key.name) : "–"}</span>
	</div>`;
}

/** Rows that change their place move there (first, last, invert, play). @param {{ current: HTMLElement | null }} list @param {Match[]} matches */
function useMoves(list, matches) {
	const before = useRef(/** @type {Map<string, number>} */ (new Map()));
	useLayoutEffect(() => {
		const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
		/** @type {Map<string, number>} */
		const now = new Map();
		const rows = /** @type {HTMLElement[]} */ ([...(list.current?.children ?? [])]);
		for (const row of rows) now.set(row.dataset.id ?? "", row.offsetTop);
		for (const row of rows) {
			const [old, fresh] = [before.current.get(row.dataset.id ?? ""), now.get(row.dataset.id ?? "")];
			if (isCalm || old === fresh || !before.current.size) continue;
			const start = old === undefined ? { opacity: 0 } : { transform: `translateY(${old - (fresh ?? 0)}px)` };
			row.animate([start, { opacity: 1, transform: "none" }], { duration: 240, easing: "cubic-bezier(.2,.7,.2,1)" });
		}
		before.current = now;
	}, [matches]);
}
