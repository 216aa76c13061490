/**
 * What the server answers, as docs/query.md and /openapi.json describe it, and what a question is. Read by
 * the type checker alone.
 */

interface Stretch {
  start_s: number;
  end_s: number;
}

interface Card {
  id: number;
  path: string | null;
  title: string | null;
  artist: string | null;
  album: string | null;
  duration_s: number;
}

interface Match {
  rank: number;
  score: number;
  track: Card;
  query_section: Stretch | null;
  match_section: Stretch | null;
  confidence: number | null;
  repeats: Stretch[];
  likeness: number | null;
  reasons: { kind: string; value: number; likeness: number | null; text: string }[];
}

interface Section extends Stretch {
  label: string;
  /** Places of the sections with the same letter. */
  repeats: number[];
}

interface TrackMeasures {
  tempo: { bpm: number; confidence: number; sure: boolean } | null;
  key: { name: string; confidence: number; sure: boolean } | null;
  loudness: { integrated_lufs: number | null; range_lu: number | null };
  activity: number;
  brightness: number | null;
  drive: number | null;
  moods: string[];
}

interface Outline {
  id: number;
  duration_s: number;
  sections: Section[];
  heard: TrackMeasures | null;
}

interface Peaks {
  duration_s: number;
  peaks: number[];
  level: number[];
}

/** A question by the words of docs/query.md. */
interface Question {
  /** Track ids, or names of sounds that were dropped. */
  refs: string[];
  against: string[];
  start: number | null;
  end: number | null;
  emphasis: Record<string, number>;
  tempo: string;
  key: string;
  moods: string[];
  year: string;
  genre: string;
  tag: string;
  exclude: string;
  duration: string;
  per_artist: number;
  per_album: number;
  diversity: number;
  listener: string;
  k: number;
}
