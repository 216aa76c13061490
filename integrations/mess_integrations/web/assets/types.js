/**
 * What the server answers, as docs/query.md and /openapi.json describe it.
 *
 * @typedef {{ id: number, path: string | null, title: string | null, artist: string | null,
 *   album: string | null, duration_s: number }} Card
 * @typedef {{ start_s: number, end_s: number }} Stretch
 * @typedef {{ kind: string, value: number, text: string }} Reason
 * @typedef {{ rank: number, score: number, track: Card, query_section: Stretch | null,
 *   match_section: Stretch | null, confidence: number | null, repeats: Stretch[],
 *   reasons: Reason[] }} Match
 * @typedef {{ start_s: number, end_s: number, label: string, repeats: number[] }} Section
 * @typedef {{ bpm: number, confidence: number }} Tempo
 * @typedef {{ name: string, confidence: number }} Key
 * @typedef {{ tempo: Tempo | null, key: Key | null, activity: number, brightness: number | null,
 *   drive: number | null, moods: string[],
 *   loudness: { integrated_lufs: number | null, range_lu: number | null } }} Heard
 * @typedef {{ id: number, duration_s: number, sections: Section[], heard: Heard | null }} Outline
 * @typedef {{ duration_s: number, peaks: number[], level: number[] }} Peaks
 * @typedef {{ duration_s: number, media_type?: string | null, loudness_lufs?: number | null,
 *   problem: string | null }} Sound
 *
 * A question, by the words of docs/query.md. refs: track ids, or names of sounds that were dropped.
 * @typedef {{ refs: string[], against: string[], start: number | null, end: number | null,
 *   emphasis: Record<string, number>, tempo: string, key: string, moods: string[], year: string,
 *   genre: string, exclude: string, duration: string, per_artist: number, per_album: number,
 *   diversity: number, listener: string, k: number }} Question
 */

export {};
