/** Ask, hear the answers, steer. */

import { get, outlinesOf, post, trackOf } from "./api.js";
import { Asked } from "./asked.js";
import { Matches } from "./matches.js";
import { play, player, toggle } from "./player.js";
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./preact.js";
import { bodyOf, emptyQuestion, go, hashOf, questionIn } from "./route.js";
import { Search } from "./search.js";
import { bring, isSound, soundOf } from "./sounds.js";
import { EmptyLibrary, Failure, State } from "./states.js";
import { Chips, Dials } from "./steer.js";
import { useLoaded } from "./store.js";
import { count, titleOf } from "./words.js";

/** @param {{ words: URLSearchParams }} props */
export function Ask({ words }) {
	const told = useMemo(() => questionIn(words), [words]);
	/** A dial that is being turned asks at once, but leaves one step for the back button. */
	const [turning, setTurning] = useState(/** @type {Question | null} */ (null));
	useEffect(() => setTurning(null), [told]);
	const question = turning ?? told;
	const [hearing, setHearing] = useState("");
	const [problem, setProblem] = useState(/** @type {Error | null} */ (null));

	/** @param {Question} next @param {boolean} [isFinal] */
	const change = (next, isFinal = true) => {
		if (isFinal) go(hashOf(next));
		else setTurning(next);
	};
	/** @param {import("./search.js").Choice} choice */
	const choose = (choice) =>
		change({ ...emptyQuestion(), emphasis: question.emphasis, refs: choice.refs, start: choice.stretch?.start_s ?? null, end: choice.stretch?.end_s ?? null });
	/** @param {Blob} blob @param {string} name */
	const hear = async (blob, name) => {
		setHearing(name);
		setProblem(null);
		try {
			change({ ...emptyQuestion(), refs: [await bring(blob, name)] });
		} catch (error) {
			setProblem(/** @type {Error} */ (error));
		} finally {
			setHearing("");
		}
	};
	useDrop(hear);
	const isEmpty = question.refs.length === 0;
	return html`<main class="ask ${isEmpty ? "empty" : ""}">
		<h1 class=${isEmpty ? "" : "unseen"}>What shall it sound like?</h1>
		<${Search} onChoose=${choose} onSound=${hear} isLarge=${isEmpty}
			label=${isEmpty ? "A title, an artist, an album" : "Ask for something else"} />
		${hearing && html`<${State} title="Hearing your sound…"><p>${hearing}</p><//>`}
		${problem && html`<${Failure} error=${problem} />`}
		${!hearing && !problem && (isEmpty ? html`<${Start} />` : html`<${Answers} question=${question} onChange=${change} />`)}
	</main>`;
}

/** Before anything is asked. */
function Start() {
	const [status, error] = useLoaded(() => get("v1/status"), []);
	const [suggested] = useLoaded(() => get("v1/suggest", { q: "", k: 8 }), []);
	const recent = suggested?.tracks ?? [];
	if (error) return html`<${Failure} error=${error} />`;
	if (status && status.library.tracks === 0) return html`<${EmptyLibrary} />`;
	return html`<div class="start">
		<p class="hint">Drop a sound file anywhere on this page, or let it listen for ten seconds. Sounds are heard, not kept.</p>
		${recent.length > 0 && html`<h2>New in the library</h2>`}
		<ul class="cards">${recent.map(
			(track) => html`<li key=${track.id}><a href=${hashOf({ ...emptyQuestion(), refs: [String(track.id)] })}>
				<span class="title">${titleOf(track)}</span><span class="by">${track.artist ?? track.album ?? ""}</span></a></li>`,
		)}</ul>
		${status && html`<p class="hint">${count(status.library.tracks, "track")}, ${count(Math.max(1, Math.round(status.library.hours)), "hour")} of music</p>`}
	</div>`;
}

/** @param {{ question: Question, onChange: (question: Question, isFinal?: boolean) => void }} props */
function Answers({ question, onChange }) {
	const { matches, error, isWaiting, again } = useAnswers(question);
	const cards = useCards([...question.refs, ...question.against]);
	const outlines = useOutlines([...cards.values(), ...(matches ?? []).map((match) => match.track)].map((card) => card.id));
	const [verdicts, setVerdicts] = useState(/** @type {Map<string, string>} */ (new Map()));
	const [selected, setSelected] = useState(0);
	const seed = question.refs[0];
	const asked = cards.get(seed) ?? null;
	const said = useMemo(
		() => new Map([...verdicts].filter(([key]) => key.startsWith(`${seed}>`)).map(([key, word]) => [Number(key.split(">")[1]), word])),
		[verdicts, seed],
	);
	useEffect(() => setSelected(0), [hashOf(question)]);

	/** @param {Match} match @returns {Promise<import("./player.js").Heard | null>} the asked stretch, for A/B */
	const reference = async (match) => {
		const stretch = question.start !== null && question.end !== null ? { start_s: question.start, end_s: question.end } : match.query_section;
		const sound = soundOf(seed);
		if (sound) {
			return { track: { id: -1, path: sound.name, title: sound.name, artist: null, album: null, duration_s: sound.duration_s }, stretch, blob: sound.blob };
		}
		const card = /^\d+$/.test(seed) ? await trackOf(Number(seed)).catch(() => null) : null;
		return card && { track: card, stretch };
	};
	/** @type {import("./matches.js").Deeds} */
	const deeds = {
		play: async (match, at_s) => {
			const now = player.value.match;
			if (at_s === undefined && now?.track.id === match.track.id && !now.blob && player.value.side === "match") return toggle();
			const stretch = at_s === undefined ? match.match_section : { start_s: at_s, end_s: match.match_section?.end_s ?? match.track.duration_s };
			const rest = (matches ?? []).slice((matches ?? []).indexOf(match) + 1).map((one) => one.track);
			const from = at_s !== undefined && stretch && stretch.end_s <= at_s ? { start_s: at_s, end_s: match.track.duration_s } : stretch;
			await play({ track: match.track, stretch: from }, await reference(match), rest);
		},
		ask: (match) => onChange({ ...question, refs: [String(match.track.id)], start: null, end: null }),
		more: (match) => onChange({ ...question, refs: [...new Set([...question.refs, String(match.track.id)])], start: null, end: null }),
		not: (match) => onChange({ ...question, against: [...new Set([...question.against, String(match.track.id)])] }),
		judge: async (match, verdict) => {
			const key = `${seed}>${match.track.id}`;
			setVerdicts((now) => new Map(now).set(key, verdict));
			await post("v1/verdicts", { verdict, ref: String(match.track.id), for: seed, listener: "me" }).catch(() =>
				setVerdicts((now) => (now.delete(key), new Map(now))),
			);
		},
	};
	useKeys(matches ?? [], selected, setSelected, deeds);
	return html`<div class="columns">
		<aside>
			<${Asked} question=${question} cards=${cards} outlines=${outlines} onChange=${onChange} />
			<details class="steer" open=${!matchMedia("(max-width: 760px)").matches}><summary>Steer</summary>
				<h2>What counts</h2>
				<${Dials} question=${question} onChange=${onChange} />
				<h2>Who may answer</h2>
				<${Chips} question=${question} onChange=${onChange} />
			</details>
		</aside>
		<section class="answers ${isWaiting ? "waiting" : ""}" aria-label="Answers" aria-busy=${isWaiting}>
			${error && html`<${Failure} error=${error} onRetry=${again} />`}
			${!error && matches && matches.length === 0 && html`<${State} title="Nothing fits."><p>Take out a filter, or ask for something else.</p><//>`}
			${!error && matches && matches.length > 0 && html`<${Head} />
				<${Matches} matches=${matches} outlines=${outlines}
					verdicts=${said} selected=${selected} onSelect=${setSelected} deeds=${deeds} />
				${matches.length >= question.k && question.k < 1000 && html`<button class="quiet" onClick=${() => onChange({ ...question, k: question.k + 20 })}>More answers</button>`}
				<p class="hint keys"><kbd>↑</kbd><kbd>↓</kbd> walk <kbd>Space</kbd> play <kbd>b</kbd> A/B <kbd>Enter</kbd> ask for it
					<kbd>m</kbd> more <kbd>n</kbd> not this <kbd>l</kbd> like <kbd>d</kbd> dislike</p>`}
		</section>
	</div>`;
}

/** Names over the columns. */
const Head = () => html`<div class="match head" aria-hidden="true">
	<span></span><span></span><span>Track</span><span>Where it matches</span>
	<span class="bars">${["F", "T", "H", "R", "E", "S"].map((letter) => html`<b>${letter}</b>`)}</span>
	<span class="measures"><span>bpm</span><span>key</span></span><span>Likeness</span><span></span>
</div>`;

/** @param {Question} question */
function useAnswers(question) {
	const [state, setState] = useState({ matches: /** @type {Match[] | null} */ (null), error: /** @type {Error | null} */ (null), isWaiting: true });
	const [turn, setTurn] = useState(0);
	const key = hashOf(question);
	useEffect(() => {
		const abort = new AbortController();
		setState((now) => ({ ...now, isWaiting: true }));
		const started = performance.now();
		const stretch = question.start === null ? {} : { start: question.start, end: question.end };
		post("v1/similar", { refs: question.refs, k: question.k, ...stretch, ...bodyOf(question) }, abort.signal).then(
			(answer) => {
				setState({ matches: answer.matches, error: null, isWaiting: false });
				requestAnimationFrame(() => performance.measure("answered", { start: started }));
			},
			(error) => abort.signal.aborted || setState({ matches: null, error: lost(question, error), isWaiting: false }),
		);
		return () => abort.abort();
	}, [key, turn]);
	return { ...state, again: () => setTurn((n) => n + 1) };
}

/** @param {Question} question @param {Error & { status?: number }} error */
function lost(question, error) {
	if (question.refs.some(isSound) && error.status === 404) {
		error.message = "Sounds are not kept, and this one is forgotten by now: drop or record it again.";
	}
	return error;
}

const NONE = new Map();

/** @param {string[]} refs @returns {Map<string, Card>} */
export function useCards(refs) {
	const numbers = refs.filter((ref) => /^\d+$/.test(ref));
	const [cards] = useLoaded(() => Promise.all(numbers.map((ref) => trackOf(Number(ref)).catch(() => null))).then(
		(found) => new Map(numbers.flatMap((ref, place) => (found[place] ? [[ref, found[place]]] : []))),
	), [numbers.join()]);
	return cards ?? NONE;
}

/** @param {number[]} ids @returns {Map<number, Outline>} */
function useOutlines(ids) {
	const [outlines] = useLoaded(() => outlinesOf(ids), [ids.join()]);
	return outlines ?? NONE;
}

/** @param {(blob: Blob, name: string) => void} hear */
function useDrop(hear) {
	const latest = useRef(hear);
	latest.current = hear;
	useEffect(() => {
		const root = document.documentElement;
		const over = (event) => {
			if (!event.dataTransfer?.types.includes("Files")) return;
			event.preventDefault();
			root.classList.add("dropping");
		};
		const leave = (event) => void (event.relatedTarget || root.classList.remove("dropping"));
		const drop = (event) => {
			event.preventDefault();
			root.classList.remove("dropping");
			const file = event.dataTransfer?.files[0];
			if (file) latest.current(file, file.name);
		};
		addEventListener("dragover", over);
		addEventListener("dragleave", leave);
		addEventListener("drop", drop);
		return () => {
			removeEventListener("dragover", over);
			removeEventListener("dragleave", leave);
			removeEventListener("drop", drop);
		};
	}, []);
}

/** @param {Match[]} matches @param {number} selected @param {(place: number) => void} select @param {import("./matches.js").Deeds} deeds */
function useKeys(matches, selected, select, deeds) {
	// As soon as the answers are seen.
	useLayoutEffect(() => {
		const key = (event) => {
			const target = event.target;
			if (event.ctrlKey || event.metaKey || event.altKey || target.closest("input, textarea, select, [role=slider]")) return;
			const match = matches[selected];
			const isButton = target.closest("button, a, summary");
			if (event.key === "ArrowDown" || event.key === "ArrowUp") {
				event.preventDefault();
				const place = Math.min(matches.length - 1, Math.max(0, selected + (event.key === "ArrowDown" ? 1 : -1)));
				select(place);
				document.querySelectorAll(".matches > li")[place]?.scrollIntoView({ block: "nearest" });
				if (player.value.isPlaying && matches[place]) deeds.play(matches[place]);
			} else if (match && event.key === " " && !isButton && !player.value.match) {
				event.preventDefault();
				deeds.play(match);
			} else if (match && event.key === "Enter" && !isButton) deeds.ask(match);
			else if (match && event.key === "p") deeds.play(match);
			else if (match && event.key === "m") deeds.more(match);
			else if (match && event.key === "n") deeds.not(match);
			else if (match && event.key === "l") deeds.judge(match, "like");
			else if (match && event.key === "d") deeds.judge(match, "dislike");
		};
		addEventListener("keydown", key);
		return () => removeEventListener("keydown", key);
	}, [matches, selected, deeds]);
}
