/** Dials and chips: what counts, and who may answer. */

import { html, useMemo, useRef } from "./preact.js";
import { ASPECTS, MOODS, restOf } from "./route.js";

const MOST = 3;
const STEP = 0.25;
/** @type {Record<string, string>} */
const ABOUT = {
	feel: "the whole, its parts and its course",
	timbre: "what it sounds like, whatever is played",
	harmony: "which chords and notes follow which",
	rhythm: "at which periods onsets recur",
	energy: "how loudness and activity are spread",
	structure: "which parts return, and when",
};

/** @param {{ question: Question, onChange: (question: Question, isFinal?: boolean) => void }} props */
export function Dials({ question, onChange }) {
	return html`<div class="dials" role="group" aria-label="What counts">
		${ASPECTS.map(
			(aspect) => html`<${Dial} key=${aspect} name=${aspect} value=${question.emphasis[aspect] ?? restOf(aspect)}
				rest=${restOf(aspect)} onChange=${(weight, isFinal) => {
					const emphasis = { ...question.emphasis, [aspect]: weight };
					if (weight === restOf(aspect)) delete emphasis[aspect];
					if (ASPECTS.every((one) => (emphasis[one] ?? restOf(one)) === 0)) return;
					onChange({ ...question, emphasis }, isFinal);
				}} />`,
		)}
	</div>`;
}

/** A point on the ring. @param {number} turn in [0, 1] from lower left, clockwise */
function point(turn) {
	const angle = Math.PI * (0.75 + 1.5 * turn);
	return `${(24 + 18 * Math.cos(angle)).toFixed(2)} ${(24 + 18 * Math.sin(angle)).toFixed(2)}`;
}

/** @param {number} from @param {number} to */
const arc = (from, to) => `M${point(from)}A18 18 0 ${to - from > 2 / 3 ? 1 : 0} 1 ${point(to)}`;

/** @param {{ name: string, value: number, rest: number, onChange: (value: number, isFinal: boolean) => void }} props */
function Dial({ name, value, rest, onChange }) {
	const start = useRef(/** @type {{ y: number, x: number, value: number } | null} */ (null));
	/** Keys may come faster than they are drawn. */
	const now = useMemo(() => ({ value }), [value]);
	/** @param {number} wanted @param {boolean} isFinal */
	const set = (wanted, isFinal) => {
		const next = Math.min(MOST, Math.max(0, Math.round(wanted / STEP) * STEP));
		if (next !== now.value || isFinal) onChange((now.value = next), isFinal);
	};
	const key = (event) => {
		const at = now.value;
		const to = {
			ArrowUp: at + STEP, ArrowRight: at + STEP, ArrowDown: at - STEP, ArrowLeft: at - STEP,
			PageUp: at + 1, PageDown: at - 1, Home: 0, End: MOST, Backspace: rest, Delete: rest,
		}[event.key];
		if (to === undefined) return;
		event.preventDefault();
		event.stopPropagation();
		set(to, true);
	};
	const said = value === 0 ? (name === "feel" ? "off" : "as in the feel") : value === 1 ? "once" : `${value} times`;
	return html`<div class="dial ${value === rest ? "" : "turned"}" role="slider" tabindex="0" aria-label=${name}
		aria-valuemin="0" aria-valuemax=${MOST} aria-valuenow=${value} aria-valuetext=${said} onKeyDown=${key}
		title=${`${name}: ${ABOUT[name]}. Counts ${said}. Drag up or down; double click to put it back.`}
		onDblClick=${() => set(rest, true)}
		onWheel=${(event) => {
			event.preventDefault();
			set(now.value - Math.sign(event.deltaY) * STEP, true);
		}}
		onPointerDown=${(event) => {
			start.current = { y: event.clientY, x: event.clientX, value };
			event.currentTarget.setPointerCapture(event.pointerId);
		}}
		onPointerMove=${(event) => {
			const from = start.current;
			if (from) set(from.value + (from.y - event.clientY + (event.clientX - from.x)) / 40, false);
		}}
		onPointerUp=${() => {
			if (start.current && start.current.value !== now.value) set(now.value, true);
			start.current = null;
		}}>
		<svg viewBox="0 0 48 48" aria-hidden="true">
			<path class="ring" d=${arc(0, 1)} />
			${value > 0 && html`<path class="arc" d=${arc(0, value / MOST)} />`}
			<path class="hand" d=${`M${point(value / MOST)}L24 24`} />
		</svg>
		<span>${name}</span>
	</div>`;
}

/** @param {{ question: Question, only?: "filters", onChange: (question: Question, isFinal?: boolean) => void }} props */
export function Chips({ question, only, onChange }) {
	/** @param {Partial<Question>} changes */
	const set = (changes) => onChange({ ...question, ...changes }, true);
	/** @param {string} name @param {boolean} isOn @param {Partial<Question>} on @param {Partial<Question>} off @param {string} title */
	const chip = (name, isOn, on, off, title) =>
		html`<button class="chip" aria-pressed=${isOn} title=${title} onClick=${() => set(isOn ? off : on)}>${name}</button>`;
	const isStretch = question.start !== null;
	return html`<div class="chips" role="group" aria-label="Who may answer">
		${chip("same tempo", question.tempo === "same", { tempo: "same" }, { tempo: "" }, "Within 6 %; half and double count as well")}
		${chip("keys that mix", question.key === "same", { key: "same" }, { key: "" }, "The same key, its relative, or a fifth away")}
		${MOODS.map((mood) =>
			chip(mood, question.moods.includes(mood), { moods: [...question.moods, mood] },
				{ moods: question.moods.filter((one) => one !== mood) }, `Only what is ${mood}`),
		)}
		${!only && html`${chip("one per artist", question.per_artist === 1, { per_artist: 1 }, { per_artist: 0 }, "At most one answer of each artist")}
		${chip("one per album", question.per_album === 1, { per_album: 1 }, { per_album: 0 }, "At most one answer of each album")}
		${chip("varied", question.diversity > 0, { diversity: 0.3 }, { diversity: 0 }, "Answers that differ from each other")}
		${chip("by my taste", question.listener !== "", { listener: "me" }, { listener: "" }, "What you liked and disliked sets what counts, if it helps")}`}
		<details class="more" open=${hasTexts(question)}>
			<summary>More filters</summary>
			<div class="fields">
				${field("Tempo", "90-110", question.tempo === "same" ? "" : question.tempo, (tempo) => set({ tempo }))}
				${field("Key", "Am or 8A", question.key === "same" ? "" : question.key, (key) => set({ key }))}
				${field("Year", "1990-1999", question.year, (year) => set({ year }))}
				${field("Length", "2:30-4:00", question.duration, (duration) => set({ duration }))}
				${field("Sounds like", "ambient, guitar", question.tag, (tag) => set({ tag }))}
				${field("Genre", "ambient", question.genre, (genre) => set({ genre }))}
				${field("Without", "live", question.exclude, (exclude) => set({ exclude }))}
			</div>
		</details>
		${isStretch && html`<p class="hint">A stretch is compared by its sound; dials count for whole tracks.</p>`}
	</div>`;
}

/** @param {Question} question */
const hasTexts = (question) =>
	Boolean(question.year || question.genre || question.tag || question.exclude || question.duration ||
		(question.tempo && question.tempo !== "same") || (question.key && question.key !== "same"));

/** @param {string} name @param {string} example @param {string} value @param {(text: string) => void} set */
const field = (name, example, value, set) =>
	html`<label>${name}<input type="text" placeholder=${example} value=${value}
		onChange=${(event) => set(event.currentTarget.value.trim())} /></label>`;
