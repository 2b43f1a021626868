// Positions on the sky between a grid of unit vectors, and how they are written.

/** Right ascension and declination, degrees, of a row and column of an image side x side; null where the source has no positions. */
export function position(grid, row, column, side = 150) {
  if (!grid) return null;
  const last = grid.length - 1;
  const down = (Math.min(Math.max(row, 0), side - 1) / (side - 1)) * last;
  const across = (Math.min(Math.max(column, 0), side - 1) / (side - 1)) * last;
  const r = Math.min(Math.floor(down), last - 1);
  const c = Math.min(Math.floor(across), last - 1);
  const [v, u] = [down - r, across - c];
  const at = (axis) =>
    grid[r][c][axis] * (1 - v) * (1 - u) + grid[r][c + 1][axis] * (1 - v) * u + grid[r + 1][c][axis] * v * (1 - u) + grid[r + 1][c + 1][axis] * v * u;
  const [x, y, z] = [at(0), at(1), at(2)];
  return { ra: ((Math.atan2(y, x) * 180) / Math.PI + 360) % 360, dec: (Math.atan2(z, Math.hypot(x, y)) * 180) / Math.PI };
}

/** 11:44:24.9 +25:14:07 */
export function sexagesimal({ ra, dec }) {
  const two = (number, digits = 0) => number.toFixed(digits).padStart(digits ? 3 + digits : 2, "0");
  const tenths = Math.round((ra / 15) * 36000) % 864000;
  const seconds = Math.round(Math.abs(dec) * 3600);
  const hours = `${two(Math.floor(tenths / 36000))}:${two(Math.floor(tenths / 600) % 60)}:${two((tenths % 600) / 10, 1)}`;
  const degrees = `${dec < 0 ? "−" : "+"}${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return `${hours} ${degrees}`;
}

/** Where a pixel of the turned image lies on the image as it is. Angle in degrees in the sense of torch.rot90. */
export function unturned(row, column, angle, side = 150) {
  const middle = (side - 1) / 2;
  const [sine, cosine] = [Math.sin((angle * Math.PI) / 180), Math.cos((angle * Math.PI) / 180)];
  const [x, y] = [column - middle, row - middle];
  return { row: sine * x + cosine * y + middle, column: cosine * x - sine * y + middle };
}

/** A position as a page of the sky, opened outside. */
export function aladin(ra, dec, degrees = 0.1) {
  const target = encodeURIComponent(`${ra} ${dec}`);
  return `https://aladin.cds.unistra.fr/AladinLite/?target=${target}&fov=${degrees}&survey=P%2FVLASS%2FQL1`;
}
