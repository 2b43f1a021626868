// What can be laid over the image: attention of each gate and their mean, and what each pixel adds to the log-odds of a class.

import { bytes } from "./api.js";
import { span } from "./panel.js";

/**
 * A layer: key (as the state has it) and words; kind and colours for captions; map (turning) and back (turned back to the sky), 150 x 150
 * numbers; their peaks; base and over, how to paint it alone and over an image; levels of its contours; say, one number in words; of
 * evidence also bar, the numbers that its colours span, and line, what outlines are drawn in on it.
 */
export function attentionLayers({ maps, maps_turned_back: backs, peaks, peaks_turned_back: peaksBack }) {
  return maps.map((text, k) => {
    const map = bytes(text);
    const ends = ({ range }) => (range === "own" ? span(map) : [0, 255]);
    const base = (wish) => {
      const [low, high] = ends(wish);
      return { colours: wish.colours, stretch: "linear", low, high };
    };
    const levels = (wish) => {
      const [count, [low, high]] = [Number(wish.contours), ends(wish)];
      return Array.from({ length: count }, (_, level) => low + ((high - low) * (level + 1)) / (count + 1));
    };
    const over = (wish) => ({ ...base(wish), fading: (share) => share });
    const say = (value) => `attention ${(value / 255).toFixed(2)}`;
    const words = k === 0 ? "mean" : `gate ${k}`;
    return { key: String(k), words, kind: "Attention", colours: "", map, back: bytes(backs[k]), peak: peaks[k], peakBack: peaksBack[k], base, over, levels, say };
  });
}

/** None where the answer is no sum over pixels. */
export function evidenceLayer({ evidence }) {
  if (!evidence) return [];
  const [map, back] = [evidence.map, evidence.map_turned_back].map((text) => new Float32Array(bytes(text).buffer));
  const painted = (colours) => ({ colours, stretch: "linear", low: -evidence.full, high: evidence.full });
  const bar = { colours: "evidence", low: -evidence.full, high: evidence.full };
  const over = () => ({ ...painted("sign"), fading: (share) => Math.abs(2 * share - 1) });
  const say = (value) => `evidence ${signed(value, 4)} of log-odds`;
  const colours = `: blue speaks ${evidence.below}, orange ${evidence.above}`;
  return [{ key: "evidence", words: "evidence", kind: "Evidence", colours, map, back, base: () => painted("evidence"), over, levels: () => [], say, bar, line: "#444" }];
}

/** A number with a true minus, and none before a zero. */
export const plain = (value, digits) => (Number(value.toFixed(digits)) + 0).toFixed(digits).replace("-", "−");

export const signed = (value, digits) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(digits)}`;
