/* The product of bf16 on processors that multiply matrices (Intel's AMX); included by steerable.h in place of its own.

   A tile is 16 rows of 16 units. The matrix's rows are whole tiles deep, what fills them up is 0, and a chunk has room for whole tiles of
   pixels. A pixel's products are added up along the depth, tile by tile, whatever lies in the other rows. The gradient of the weights is
   added up the other way round, columns by depth: in a block a tile of 16 x 16 floats for each vector of columns and 16 elements of depth. */

#define TILE_ROWS 16
#define TILE_BYTES (TILE_ROWS * VECTOR_BYTES)
#define TILE_PIXELS (TILE_ROWS * TOGETHER) /* that the gradient's product takes at a time */
#define EVERY_ROW _Pragma("GCC unroll 16")
#define IN_MEMORY __asm__ volatile("" ::: "memory") /* gcc does not know that tiles read and write memory */

/* For this thread: eight tiles, all whole. */
static void tiles_on(void) {
    struct {
        uint8_t palette, start, nothing[14];
        uint16_t bytes[16];
        uint8_t rows[16];
    } shapes = {.palette = 1};
    for (int tile = 0; tile < 8; tile++) shapes.bytes[tile] = VECTOR_BYTES, shapes.rows[tile] = TILE_ROWS;
    __asm__ volatile("ldtilecfg %0" : : "m"(shapes)); /* gcc 12's own reads the first 8 bytes, as far as it knows */
}

static void tiles_off(void) { _tile_release(); }

/* Sums of 16 or, `tall`, 32 rows and one vector of columns or two: four tiles at most, which are 0 at first, or `c`, whose second row of
   tiles lies `next` bytes on and whose second column of tiles `beside`. */
INLINE void sums_from_zero(const int tall, const int two) {
    IN_MEMORY;
    _tile_zero(0);
    if (two) _tile_zero(1);
    if (tall) _tile_zero(2);
    if (tall && two) _tile_zero(3);
}

INLINE void sums_from(const int tall, const int two, const char *c, size_t row, size_t next, size_t beside) {
    IN_MEMORY;
    _tile_loadd(0, c, row);
    if (two) _tile_loadd(1, c + beside, row);
    if (tall) _tile_loadd(2, c + next, row);
    if (tall && two) _tile_loadd(3, c + next + beside, row);
}

INLINE void sums_to(const int tall, const int two, char *c, size_t row, size_t next, size_t beside) {
    _tile_stored(0, c, row);
    if (two) _tile_stored(1, c + beside, row);
    if (tall) _tile_stored(2, c + next, row);
    if (tall && two) _tile_stored(3, c + next + beside, row);
    IN_MEMORY;
}

/* Adds to the sums: tiles of `a` times tiles of `b`, in `steps` that lie `a_step` and `b_step` bytes apart. */
INLINE void add_products(const int tall, const int two, const char *a, size_t a_row, size_t a_next, size_t a_step, const char *b,
                         size_t b_row, size_t b_beside, size_t b_step, int steps) {
    for (int k = 0; k < steps; k++, a += a_step, b += b_step) {
        _tile_loadd(6, b, b_row);
        _tile_loadd(4, a, a_row);
        _tile_dpbf16ps(0, 4, 6);
        if (two) _tile_loadd(7, b + b_beside, b_row);
        if (two) _tile_dpbf16ps(1, 4, 7);
        if (tall) _tile_loadd(5, a + a_next, a_row);
        if (tall) _tile_dpbf16ps(2, 5, 6);
        if (tall && two) _tile_dpbf16ps(3, 5, 7);
    }
}

/* Calls `product` (rows are `tall`, columns are `two`) with numbers that the compiler sees. */
#define FOR_TILES(product, are_tall, are_two)                                                                                              \
    if (are_tall)                                                                                                                          \
        if (are_two) product(1, 1);                                                                                                        \
        else product(1, 0);                                                                                                                \
    else if (are_two) product(0, 1);                                                                                                       \
    else product(0, 0);

/* Sets to 0 what fills the rows of the chunk's matrix up: it is multiplied by 0, but may be nan. */
static void NAMED(fill_up)(const Work *work) {
    const Plan *plan = work->plan;
    for (int block = 0; block < plan->blocks; block++)
        for (int p = 0; p < plan->chunk; p++) {
            UNIT *row = (UNIT *)work->matrix + ((size_t)block * plan->chunk + p) * plan->depth;
            _mm512_storeu_si512(row + plan->deep[block] - TILE_ROWS, _mm512_setzero_si512());
        }
}

/* The chunk's matrix times the weights: per block (depth, columns) in panels of two vectors' columns, the last one maybe of one. */
static void NAMED(multiply)(const Work *work, const void *weights, int pixels) {
    const Plan *plan = work->plan;
    const Vector *panel = weights;
    size_t row = (size_t)plan->depth * sizeof(UNIT), wide = (size_t)work->wide * VECTOR_BYTES;
    tiles_on();
    for (int block = 0, column = 0; block < plan->blocks; column += plan->columns[block], block++)
        for (int n = 0, two; n < plan->columns[block]; n += 1 + two) {
            const UNIT *matrix = (const UNIT *)work->matrix + (size_t)block * plan->chunk * plan->depth;
            int deep = plan->deep[block], steps = deep / TILE_ROWS;
            two = n + 1 < plan->columns[block];
            for (int p = 0; p < pixels; p += 2 * TILE_ROWS) {
                const char *a = (const char *)(matrix + (size_t)p * plan->depth), *b = (const char *)panel;
                char *c = (char *)(work->answer + (size_t)p * work->wide + column + n);
#define PRODUCT(tall, two)                                                                                                                 \
    (sums_from_zero(tall, two), add_products(tall, two, a, row, TILE_ROWS * row, VECTOR_BYTES, b, (1 + two) * VECTOR_BYTES, VECTOR_BYTES,  \
                                             (1 + two) * TILE_BYTES, steps),                                                               \
     sums_to(tall, two, c, wide, TILE_ROWS * wide, VECTOR_BYTES))
                FOR_TILES(PRODUCT, pixels - p > TILE_ROWS, two)
#undef PRODUCT
            }
            panel += (size_t)deep * (1 + two);
        }
    tiles_off();
}

/* 16 vectors of 16 units, rows for columns. */
static void NAMED(transpose)(const __m512i *in, __m512i *out) {
    __m512i a[TILE_ROWS], b[TILE_ROWS];
    EVERY_ROW
    for (int i = 0; i < TILE_ROWS; i += 2)
        a[i] = _mm512_unpacklo_epi32(in[i], in[i + 1]), a[i + 1] = _mm512_unpackhi_epi32(in[i], in[i + 1]);
    EVERY_ROW
    for (int i = 0; i < TILE_ROWS; i += 4)
        for (int j = 0; j < 2; j++) {
            b[i + 2 * j] = _mm512_unpacklo_epi64(a[i + j], a[i + 2 + j]);
            b[i + 2 * j + 1] = _mm512_unpackhi_epi64(a[i + j], a[i + 2 + j]);
        }
    EVERY_ROW
    for (int i = 0; i < TILE_ROWS; i += 8)
        for (int j = 0; j < 4; j++) {
            a[i + j] = _mm512_shuffle_i32x4(b[i + j], b[i + 4 + j], 0x88);
            a[i + 4 + j] = _mm512_shuffle_i32x4(b[i + j], b[i + 4 + j], 0xdd);
        }
    EVERY_ROW
    for (int j = 0; j < 8; j++) {
        out[j] = _mm512_shuffle_i32x4(a[j], a[8 + j], 0x88);
        out[8 + j] = _mm512_shuffle_i32x4(a[j], a[8 + j], 0xdd);
    }
}

/* The answers' gradients of all pixels, as tiles of (column, pair of pixels): of each vector all steps of 32 pixels. */
static void NAMED(answer_tiles)(const Work *work, int pixels, int steps, __m512i *tiles) {
    const Vector *answer = work->answer;
    for (int n = 0; n < work->wide; n++)
        for (int step = 0; step < steps; step++) {
            __m512i pairs[TILE_ROWS];
            for (int i = 0; i < TILE_ROWS; i++) {
                int p = step * TILE_PIXELS + 2 * i;
                Vector one = p < pixels ? answer[(size_t)p * work->wide + n] : (Vector){0};
                Vector other = p + 1 < pixels ? answer[(size_t)(p + 1) * work->wide + n] : (Vector){0};
                pairs[i] = NAMED(side_by_side)((__m256i)_mm512_cvtneps_pbh((__m512)one), (__m256i)_mm512_cvtneps_pbh((__m512)other));
            }
            NAMED(transpose)(pairs, tiles + ((size_t)n * steps + step) * TILE_ROWS);
        }
}

/* A block's matrix, as tiles of (pair of pixels, element): of each 16 elements all steps; pixels that are not there are 0. */
static void NAMED(matrix_tiles)(const Work *work, int block, int pixels, int steps, __m512i *tiles) {
    const Plan *plan = work->plan;
    int rows = steps * TILE_ROWS, deep = plan->deep[block];
    const UNIT *matrix = (const UNIT *)work->matrix + (size_t)block * plan->chunk * plan->depth;
    for (int i = 0; i < rows; i++)
        for (int d = 0; d < deep; d += TILE_ROWS) { /* 32 elements of two pixels */
            const UNIT *first = matrix + (size_t)(2 * i) * plan->depth + d;
            __m512i one = 2 * i < pixels ? _mm512_loadu_si512(first) : _mm512_setzero_si512();
            __m512i other = 2 * i + 1 < pixels ? _mm512_loadu_si512(first + plan->depth) : _mm512_setzero_si512();
            __m512i *to = tiles + (size_t)(d / (TILE_ROWS / 2)) * rows + i;
            to[0] = NAMED(side_by_side)(_mm512_castsi512_si256(one), _mm512_castsi512_si256(other));
            to[rows] = NAMED(side_by_side)(_mm512_extracti64x4_epi64(one, 1), _mm512_extracti64x4_epi64(other, 1));
        }
}

/* What the chunk adds to the weights' gradient; 0 where there is no memory. */
static int NAMED(multiply_back)(const Work *work, REAL *gradient, int pixels) {
    const Plan *plan = work->plan;
    int steps = (pixels + TILE_PIXELS - 1) / TILE_PIXELS;
    size_t column_bytes = (size_t)steps * TILE_BYTES;
    char *answer = room(6, (size_t)(work->wide + 2 * plan->depth / TILE_ROWS) * column_bytes), *matrix = answer + work->wide * column_bytes;
    char *to = (char *)gradient;
    if (!answer) return 0;
    NAMED(answer_tiles)(work, pixels, steps, (__m512i *)answer);
    tiles_on();
    for (int block = 0; block < plan->blocks; block++) {
        int columns = plan->columns[block], pieces = 2 * plan->deep[block] / TILE_ROWS;
        size_t next = (size_t)pieces * TILE_BYTES;
        NAMED(matrix_tiles)(work, block, pixels, steps, (__m512i *)matrix);
        for (int d = 0; d < pieces; d += 2)
            for (int n = 0; n < columns; n += 2) {
                const char *a = answer + n * column_bytes, *b = matrix + d * column_bytes;
                char *c = to + ((size_t)n * pieces + d) * TILE_BYTES;
#define PRODUCT(tall, two)                                                                                                                 \
    (sums_from(tall, two, c, VECTOR_BYTES, next, TILE_BYTES),                                                                              \
     add_products(tall, two, a, VECTOR_BYTES, column_bytes, TILE_BYTES, b, VECTOR_BYTES, column_bytes, TILE_BYTES, steps),                 \
     sums_to(tall, two, c, VECTOR_BYTES, next, TILE_BYTES))
                FOR_TILES(PRODUCT, n + 1 < columns, 1)
#undef PRODUCT
            }
        to += (size_t)columns * pieces * TILE_BYTES;
        answer += columns * column_bytes;
    }
    tiles_off();
    return 1;
}
