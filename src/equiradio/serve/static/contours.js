// Marching squares.

/** Line pieces [x1, y1, x2, y2] (columns and rows) along which a plane of side x side numbers crosses a level. */
export function contour(plane, side, level) {
  const pieces = [];
  for (let row = 0; row < side - 1; row++) {
    for (let column = 0; column < side - 1; column++) {
      const at = row * side + column;
      const corners = [plane[at], plane[at + 1], plane[at + side + 1], plane[at + side]];
      const kind = corners.reduce((bits, value, k) => bits | (value >= level ? 1 << k : 0), 0);
      if (kind === 0 || kind === 15) continue;
      const cross = (a, b) => (level - corners[a]) / (corners[b] - corners[a]);
      const edge = [
        () => [column + cross(0, 1), row],
        () => [column + 1, row + cross(1, 2)],
        () => [column + cross(3, 2), row + 1],
        () => [column, row + cross(0, 3)],
      ];
      for (const [from, to] of EDGES[kind]) pieces.push([...edge[from](), ...edge[to]()]);
    }
  }
  return pieces;
}

const EDGES = [
  [], [[3, 0]], [[0, 1]], [[3, 1]], [[1, 2]], [[3, 0], [1, 2]], [[0, 2]], [[3, 2]],
  [[2, 3]], [[2, 0]], [[0, 1], [2, 3]], [[2, 1]], [[1, 3]], [[1, 0]], [[0, 3]], [],
];
