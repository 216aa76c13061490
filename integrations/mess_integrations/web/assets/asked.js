/** What the question is about: tracks, sounds and a stretch, for it and against it. */

import { Icon } from "./icon.js";
import { player, play, toggle } from "./player.js";
import { html } from "./preact.js";
import { isSound, soundOf } from "./sounds.js";
import { useStore } from "./store.js";
import { Measures } from "./matches.js";
import { Strip } from "./strip.js";
import { clock, span, titleOf } from "./words.js";

/**
 * @param {{ question: Question, cards: Map<string, Card>,
 *   outlines: Map<number, Outline>, onChange: (question: Question) => void }} props
 */
export function Asked({ question, cards, outlines, onChange }) {
	const stretch = question.start !== null && question.end !== null ? { start_s: question.start, end_s: question.end } : null;
	return html`<section class="asked" aria-label="Question">
		<h2>${question.refs.length > 1 ? "Like these" : stretch ? "Like this stretch" : "Like this"}</h2>
		${question.refs.map((ref, place) => {
			const card = cards.get(ref);
			const own = place === 0 ? stretch : null;
			return html`<${One} key=${ref} name=${ref} card=${card} stretch=${own} outline=${card ? outlines.get(card.id) : null}
				onRemove=${() => onChange({ ...question, refs: question.refs.filter((one) => one !== ref), start: null, end: null })}
				onStretch=${(one) =>
					onChange({ ...question, refs: [ref], start: one && round(one.start_s), end: one && round(one.end_s) })} />`;
		})}
		${
			question.against.length > 0 &&
			html`<h2>Not like</h2>
				${question.against.map(
					(ref) => html`<${One} key=${ref} name=${ref} card=${cards.get(ref)} stretch=${null} outline=${null}
						onRemove=${() => onChange({ ...question, against: question.against.filter((one) => one !== ref) })} />`,
				)}`
		}
	</section>`;
}

const round = (seconds) => Math.round(seconds * 100) / 100;

/**
 * @param {{ name: string, card: Card | undefined, stretch: Stretch | null,
 *   outline: Outline | null | undefined, onRemove: () => void,
 *   onStretch?: (stretch: Stretch | null) => void }} props
 */
function One({ name, card, stretch, outline, onRemove, onStretch }) {
	const sound = soundOf(name);
	const title = sound ? sound.name : card ? titleOf(card) : isSound(name) ? "a sound of before" : "…";
	const duration_s = sound?.duration_s ?? card?.duration_s ?? 0;
	const track = card ?? { id: -1, path: title, title, artist: null, album: null, duration_s };
	const heard = useStore(player, (now) => (now.match && now.match.track.id === track.id && now.match.track.title === track.title ? now : null));
	const listen = () =>
		heard && heard.side === "match" ? toggle() : play({ track, stretch, blob: sound?.blob });
	const isPlaying = heard?.isPlaying && heard.side === "match";
	return html`<article class="one">
		<button class="round" disabled=${!card && !sound} onClick=${listen} aria-label=${`${isPlaying ? "Pause" : "Play"} ${title}`}>
			<${Icon} name=${isPlaying ? "pause" : "play"} /></button>
		<div class="what">
			${card ? html`<a class="title" href=${`#/track/${card.id}`}>${title}</a>` : html`<span class="title">${title}</span>`}
			<span class="by">${stretch ? span(stretch) : card?.artist ?? (duration_s ? clock(duration_s) : "")}</span>
		</div>
		${outline && html`<${Measures} heard=${outline.heard} />`}
		<button class="small" onClick=${onRemove} aria-label=${`Take ${title} out of the question`} title="Take out"><${Icon} name="close" /></button>
		${
			outline &&
			outline.sections.length > 0 &&
			onStretch &&
			html`<${Strip} duration_s=${outline.duration_s} sections=${outline.sections} stretch=${stretch}
				onPick=${(_at, section) =>
					onStretch(section && stretch?.start_s !== round(section.start_s) ? section : null)} />
				<p class="hint">${stretch ? html`<button class="link" onClick=${() => onStretch(null)}>Ask for the whole track</button>` : "Click a section to ask for it."}</p>`
		}
	</article>`;
}
