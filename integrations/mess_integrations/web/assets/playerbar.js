/** What is heard, at the foot of every view. */

import { outlinesOf } from "./api.js";
import { html } from "./preact.js";
import { loop, next, player, seek, switchSides, toggle } from "./player.js";
import { Icon } from "./icon.js";
import { useLoaded, useStore } from "./store.js";
import { Waveform } from "./waveform.js";
import { clock, titleOf } from "./words.js";

const NONE = /** @type {Section[]} */ ([]);

export function PlayerBar() {
	const now = useStore(player, (value) => value);
	const heard = now.side === "match" ? now.match : now.asked;
	const id = heard && !heard.blob ? heard.track.id : null;
	const [outlines] = useLoaded(() => outlinesOf(id === null ? [] : [id]), [id]);
	if (!heard || !now.match) return null;
	return html`<section class="player" aria-label="Player">
		<button class="round big" onClick=${toggle} aria-label=${now.isPlaying ? "Pause" : "Play"} title="Space">
			<${Icon} name=${now.isPlaying ? "pause" : "play"} />
		</button>
		${
			now.asked &&
			html`<div class="ab" role="group" aria-label="Compare">
				<button aria-pressed=${now.side === "asked"}
					onClick=${() => now.side === "match" && switchSides()} title="What was asked about (b)">A</button>
				<button aria-pressed=${now.side === "match"}
					onClick=${() => now.side === "asked" && switchSides()} title="The match (b)">B</button>
			</div>`
		}
		<div class="now">
			<a class="title" href=${id === null ? undefined : `#/track/${id}`}>${titleOf(heard.track)}</a>
			<span class="by">${now.problem ?? heard.track.artist ?? (heard.blob ? "your sound" : "")}</span>
		</div>
		<span class="time">${clock(now.time_s)}</span>
		<${Waveform} key=${id} id=${id} duration_s=${now.duration_s} time_s=${now.time_s} onSeek=${seek}
			stretch=${heard.stretch} sections=${outlines?.get(id ?? 0)?.sections ?? NONE} label=${`Position in ${titleOf(heard.track)}`} />
		<span class="time">${clock(now.duration_s)}</span>
		<button class="round" onClick=${loop} aria-pressed=${now.loops} disabled=${!heard.stretch}
			aria-label="Repeat the stretch" title="Repeat the stretch (o)"><${Icon} name="loop" /></button>
		${
			(now.queue.length > 0 || now.more) &&
			html`<button class="round" onClick=${() => void next()} aria-label="Next track" title="Next track">
				<${Icon} name="next" /></button>`
		}
	</section>`;
}
