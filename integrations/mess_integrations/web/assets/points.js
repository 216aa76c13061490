/** What the map is drawn from, and how: columns of numbers, up to 100,000 tracks. */

const N_COLOURS = 8;
const CELL = 64; // cells a side of the grid in which the nearest point is looked for
const KEYS = ["C", "G", "D", "A", "E", "B", "F#", "Db", "Ab", "Eb", "Bb", "F"];

/**
 * @typedef {{ scale: number, clusters: string[], albums: string[], id: number[], x: number[], y: number[],
 *   cluster: number[], tempo: (number | null)[], key: (string | null)[], energy: (number | null)[],
 *   album: (number | null)[] }} Columns
 * @typedef {{ x: number, y: number, zoom: number }} Look the middle of what is seen, and how large
 */

/** By what points can be coloured: a place on a scale from 0 to 1, or in a set of colours. */
export const COLOURINGS = ["cluster", "tempo", "key", "energy", "album"];

export class Points {
	/** @param {Columns} columns */
	constructor(columns) {
		this.columns = columns;
		this.n = columns.id.length;
		this.x = Float32Array.from(columns.x, (value) => value / columns.scale);
		this.y = Float32Array.from(columns.y, (value) => 1 - value / columns.scale);
		/** @type {Map<number, number[]>} */
		this.grid = new Map();
		for (let i = 0; i < this.n; i++) {
			const cell = this.cellOf(this.x[i], this.y[i]);
			const there = this.grid.get(cell);
			if (there) there.push(i);
			else this.grid.set(cell, [i]);
		}
	}

	/** @param {number} x @param {number} y */
	cellOf(x, y) {
		return Math.min(CELL - 1, Math.floor(x * CELL)) * CELL + Math.min(CELL - 1, Math.floor(y * CELL));
	}

	/** The nearest point within a distance, or -1. @param {number} x @param {number} y @param {number} within */
	nearest(x, y, within) {
		let [best, least] = [-1, within * within];
		const reach = Math.ceil(within * CELL);
		const [column, row] = [Math.floor(x * CELL), Math.floor(y * CELL)];
		for (let a = column - reach; a <= column + reach; a++) {
			for (let b = row - reach; b <= row + reach; b++) {
				if (a < 0 || b < 0 || a >= CELL || b >= CELL) continue;
				for (const i of this.grid.get(a * CELL + b) ?? []) {
					const away = (this.x[i] - x) ** 2 + (this.y[i] - y) ** 2;
					if (away < least) [best, least] = [i, away];
				}
			}
		}
		return best;
	}

	/** Those inside a closed line. @param {[number, number][]} line @returns {number[]} */
	inside(line) {
		const found = [];
		for (let i = 0; i < this.n; i++) {
			let isIn = false;
			for (let a = 0, b = line.length - 1; a < line.length; b = a++) {
				const [[ax, ay], [bx, by]] = [line[a], line[b]];
				if (ay > this.y[i] !== by > this.y[i] && this.x[i] < ((bx - ax) * (this.y[i] - ay)) / (by - ay) + ax) isIn = !isIn;
			}
			if (isIn) found.push(i);
		}
		return found;
	}

	/** The middle of each cluster. @returns {{ name: string, x: number, y: number, size: number, place: number }[]} */
	clusters() {
		const sums = this.columns.clusters.map((name, place) => ({ name, x: 0, y: 0, size: 0, place }));
		this.columns.cluster.forEach((place, i) => {
			const one = sums[place];
			one.x += this.x[i];
			one.y += this.y[i];
			one.size += 1;
		});
		return sums.filter((one) => one.size).map((one) => ({ ...one, x: one.x / one.size, y: one.y / one.size }));
	}

	/** For each point the place of its colour among `palette`. @param {string} by @returns {Uint8Array} */
	colours(by) {
		const { cluster, tempo, key, energy, album } = this.columns;
		const shade = (/** @type {number | null} */ value, /** @type {number} */ low, /** @type {number} */ high) =>
			value === null ? 255 : 16 + Math.round(Math.min(1, Math.max(0, (value - low) / (high - low))) * 31);
		return Uint8Array.from({ length: this.n }, (_, i) => {
			if (by === "tempo") return shade(tempo[i], 60, 180);
			if (by === "energy") return shade(energy[i], 0, 100);
			if (by === "key") {
				const [tonic, mode] = (key[i] ?? "").split(" ");
				const place = KEYS.indexOf(tonic);
				return place < 0 ? 255 : (place + (mode === "minor" ? 9 : 0)) % N_COLOURS;
			}
			const place = by === "album" ? album[i] : cluster[i];
			return place === null ? 255 : place % N_COLOURS;
		});
	}
}

/**
 * Draw the points as squares straight into the picture: 100,000 take a few milliseconds.
 * @param {CanvasRenderingContext2D} pen
 * @param {Points} points
 * @param {Uint8Array} colours
 * @param {Look} look
 * @param {number[][]} palette [r, g, b] by colour
 * @param {(i: number) => boolean} isBright
 */
export function drawPoints(pen, points, colours, look, palette, isBright) {
	const { width, height } = pen.canvas;
	const image = pen.createImageData(width, height);
	const data = new Uint32Array(image.data.buffer);
	const size = sizeOf(width, height, look);
	const least = points.n < 500 ? 9 : points.n < 5000 ? 6 : points.n < 30_000 ? 4 : 3;
	const dot = Math.round(least * (devicePixelRatio || 1) * Math.min(2.5, Math.max(0.7, Math.sqrt(look.zoom) / 1.1)));
	const shades = palette.map(([r, g, b]) => (255 << 24) | (b << 16) | (g << 8) | r);
	const dim = palette.map(([r, g, b]) => (70 << 24) | (b << 16) | (g << 8) | r);
	const radius = (dot / 2) ** 2;
	for (let i = 0; i < points.n; i++) {
		const left = Math.round((points.x[i] - look.x) * size + width / 2 - dot / 2);
		const top = Math.round((points.y[i] - look.y) * size + height / 2 - dot / 2);
		if (left < 0 || top < 0 || left + dot >= width || top + dot >= height) continue;
		const shade = (isBright(i) ? shades : dim)[colours[i] === 255 ? shades.length - 1 : colours[i]];
		for (let b = 0; b < dot; b++) {
			for (let a = 0; a < dot; a++) {
				if (dot < 4 || (a - dot / 2 + 0.5) ** 2 + (b - dot / 2 + 0.5) ** 2 <= radius) data[(top + b) * width + left + a] = shade;
			}
		}
	}
	pen.putImageData(image, 0, 0);
}

/** How many pixels the whole map is wide. @param {number} width @param {number} height @param {Look} look */
export const sizeOf = (width, height, look) => Math.min(width, height) * 0.92 * look.zoom;
