// Colour maps as 17 evenly spaced colours each, interpolated to 256. Those to choose from are matplotlib's and grow in lightness, so they
// read without hue. Evidence is blue below 0 and orange above, through white, or, over an image, by its sign alone.

const KNOTS = {
  gray: "000000101010202020303030404040505050606060707070808080909090a0a0a0b0b0b0c0c0c0d0d0d0e0e0e0f0f0f0ffffff",
  viridis: "44015448186a472d7b4240863b528b33638d2c728e26828e21918c1fa08828ae803fbc735ec96284d44baddc30d8e219fde725",
  cividis: "00224e002e6a1a386f32436d434e6c535a6d61656f6f70737d7c788c88789b9476aba072bcae6ccdbb63dec958f0d846fee838",
  inferno: "0000040b0724210c4a3d096557106e71196e8a226aa32c61bc3754d24644e45a31f1731df98e09fcac11f9cb35f2ea69fcffa4",
  evidence: "145fbe3172c64e86cd6a99d487acdca4c0e4c0d3ebdde7f2fafafaf4e5dbeed1bce9bc9ce3a87ddd935ed87e3ed26a1fcc5500",
  sign: "46a0ff46a0ff46a0ff46a0ff46a0ff46a0ff46a0ff46a0ff000000f0961ef0961ef0961ef0961ef0961ef0961ef0961ef0961e",
};

export const NAMES = { gray: "grey", viridis: "viridis", cividis: "cividis", inferno: "inferno" };

export const STRETCHES = {
  linear: (v) => v,
  sqrt: Math.sqrt,
  log: (v) => Math.log1p(300 * v) / Math.log1p(300),
  asinh: (v) => Math.asinh(12 * v) / Math.asinh(12),
};

function table(name) {
  const knot = (k, channel) => parseInt(KNOTS[name].substr(6 * k + 2 * channel, 2), 16);
  const colours = new Uint8Array(3 * 256);
  for (let value = 0; value < 256; value++) {
    const place = (value / 255) * 16;
    const k = Math.min(Math.floor(place), 15);
    for (let channel = 0; channel < 3; channel++) {
      colours[3 * value + channel] = Math.round(knot(k, channel) * (k + 1 - place) + knot(k + 1, channel) * (place - k));
    }
  }
  return colours;
}

const made = new Map();

/** 256 colours, red green blue, of a map after a stretch. */
export function shades(name, stretch = "linear") {
  const key = `${name} ${stretch}`;
  if (!made.has(key)) {
    const colours = table(name);
    const stretched = new Uint8Array(3 * 256);
    for (let value = 0; value < 256; value++) {
      const at = Math.round(255 * STRETCHES[stretch](value / 255));
      stretched.set(colours.subarray(3 * at, 3 * at + 3), 3 * value);
    }
    made.set(key, stretched);
  }
  return made.get(key);
}
