/* The kernels for one type of numbers, REAL; included by steerable.c once for each.

   An image lies as (height, width, element, field). By frequency it is, row by row, (bin, vector of fields, column, part, lane): both parts
   of a bin side by side. Between bank and product it is (block, pixel, depth), behind the product (pixel, vectors of all blocks).
   Sums are made in one order for every pixel, whatever else is computed with it. */

#define LANES (VECTOR_BYTES / (int)sizeof(REAL))
#define Vector NAMED(Vector)
#define Work NAMED(Work)
#define INLINE static inline __attribute__((always_inline))

typedef REAL Vector __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(REAL)), may_alias));

typedef struct {
    const Plan *plan;
    int vectors_in, vectors_out, wide; /* vectors of a part of a bin, in and out; of all blocks' columns */
    Vector *rows;                      /* HALF * 2 + 1 rows by frequency */
    Vector *folded;                    /* KINDS rows of one bin and vector */
    REAL *matrix;                      /* (block, chunk, depth) */
    Vector *answer;                    /* (chunk, wide) */
    int *y, *x;                        /* of the pixels of the chunk */
} Work;

/* ---- from elements to frequencies and back ---- */

/* How many of a vector's lanes hold fields. */
INLINE int NAMED(lanes_used)(int vector, int fields) {
    int left = fields - vector * LANES;
    return left < LANES ? left : LANES;
}

/* The first `count` lanes, the others 0; and the same to memory. */
INLINE Vector NAMED(load)(const REAL *from, int count) {
    if (count == LANES) return *(const Vector *)from;
#if defined(__AVX512F__)
    return sizeof(REAL) == 4 ? (Vector)_mm512_maskz_loadu_ps((1 << count) - 1, from) : (Vector)_mm512_maskz_loadu_pd((1 << count) - 1, from);
#else
    Vector some = {0};
    for (int i = 0; i < count; i++) some[i] = from[i];
    return some;
#endif
}

INLINE void NAMED(store)(REAL *to, Vector value, int count) {
    if (count == LANES) *(Vector *)to = value;
#if defined(__AVX512F__)
    else if (sizeof(REAL) == 4) _mm512_mask_storeu_ps(to, (1 << count) - 1, (__m512)value);
    else _mm512_mask_storeu_pd(to, (1 << count) - 1, (__m512d)value);
#else
    else
        for (int i = 0; i < count; i++) to[i] = value[i];
#endif
}

static void NAMED(analyse)(const Work *work, const REAL *row, const unsigned char *wanted, Vector *out) {
    const Plan *plan = work->plan;
    const REAL *analysis = plan->analysis;
    int across = plan->width + 2 * HALF, each = work->vectors_in / plan->copies;
    for (int line = 0; line < plan->bins * work->vectors_in; line++) /* beyond the image there is nothing */
        for (int x = 0; x < HALF; x++) {
            Vector *left = out + ((size_t)line * across + x) * 2, *right = left + (size_t)(plan->width + HALF) * 2;
            left[0] = left[1] = right[0] = right[1] = (Vector){0};
        }
    for (int x = 0; x < plan->width; x++) {
        if (!wanted[x]) continue;
        const REAL *pixel = row + (size_t)x * plan->order * plan->fields_in;
        for (int vector = 0; vector < each; vector++) {
            Vector element[MOST];
            int used = NAMED(lanes_used)(vector, plan->fields_in);
            for (int g = 0; g < plan->order; g++) element[g] = NAMED(load)(pixel + g * plan->fields_in + vector * LANES, used);
            const REAL *wave = analysis;
            for (int bin = 0; bin < plan->bins; bin++)
                for (int part = 0; part < 2; part++)
                    for (int copy = 0; copy < plan->copies; copy++, wave += plan->order) {
                        Vector sum = {0};
                        for (int g = 0; g < plan->order; g++) sum += wave[g] * element[g];
                        out[((size_t)(bin * work->vectors_in + copy * each + vector) * across + x + HALF) * 2 + part] = sum;
                    }
        }
    }
}

static void NAMED(synthesise)(const Work *work, const Vector *answer, REAL *pixel) {
    const Plan *plan = work->plan;
    int components = plan->bins * 2 * plan->copies, each = work->vectors_out;
    for (int vector = 0; vector < each; vector++) {
        Vector component[MOST];
        int used = NAMED(lanes_used)(vector, plan->fields_out);
        for (int c = 0; c < components; c++)
            component[c] = plan->block[c] < 0 ? (Vector){0} : answer[plan->column[c] + vector];
        const REAL *wave = plan->synthesis;
        for (int g = 0; g < plan->order; g++, wave += components) {
            Vector sum = {0};
            for (int c = 0; c < components; c++) sum += wave[c] * component[c];
            NAMED(store)(pixel + g * plan->fields_out + vector * LANES, sum, used);
        }
    }
}

/* The adjoint of `synthesise`: what a gradient is by frequency. */
static void NAMED(synthesise_back)(const Work *work, const REAL *pixel, Vector *answer) {
    const Plan *plan = work->plan;
    const REAL *synthesis = plan->synthesis;
    int components = plan->bins * 2 * plan->copies;
    for (int vector = 0; vector < work->vectors_out; vector++) {
        Vector element[MOST];
        int used = NAMED(lanes_used)(vector, plan->fields_out);
        for (int g = 0; g < plan->order; g++) element[g] = NAMED(load)(pixel + g * plan->fields_out + vector * LANES, used);
        for (int c = 0; c < components; c++) {
            if (plan->block[c] < 0) continue;
            Vector sum = {0};
            for (int g = 0; g < plan->order; g++) sum += synthesis[g * components + c] * element[g];
            answer[plan->column[c] + vector] = sum;
        }
    }
}

/* ---- the filter bank ---- */

/* All planes of one part of a bin at a pixel. The 5 x 5 filters are even or odd in each direction and equal, or opposite, across the
   diagonal, so that a window folded along rows (`kind`: middle, inner sum, outer sum, inner difference, outer difference) needs 78
   operations. `f`: even planes 1 and 4, six numbers each; odd planes 2 and 5; cosines of 3 and 6, three each; sines of 3 and 6. */
INLINE void NAMED(planes)(const Vector *at, size_t kind, const REAL *f, Vector *out) {
#define AT(which, x) at[(which) * kind + 2 * (x)]
#define SUM(which, x) (AT(which, x) + AT(which, -(x)))
#define STEP(which, x) (AT(which, x) - AT(which, -(x)))
    Vector e00 = AT(0, 0), e10 = SUM(0, 1), e20 = SUM(0, 2), e01 = AT(1, 0), e11 = SUM(1, 1), e21 = SUM(1, 2);
    Vector e02 = AT(2, 0), e12 = SUM(2, 1), e22 = SUM(2, 2);
    Vector near = e10 + e01, far = e20 + e02, knight = e21 + e12;
    Vector across = e10 - e01, long_across = e20 - e02, bent = e21 - e12;
    Vector o10 = STEP(0, 1), o20 = STEP(0, 2), o11 = STEP(1, 1), o21 = STEP(1, 2), o12 = STEP(2, 1), o22 = STEP(2, 2);
    Vector u10 = AT(3, 0), u11 = SUM(3, 1), u12 = SUM(3, 2), u20 = AT(4, 0), u21 = SUM(4, 1), u22 = SUM(4, 2);
    Vector d11 = STEP(3, 1), d22 = STEP(4, 2), turned = STEP(3, 2) + STEP(4, 1);
    out[0] = e00;
    for (int i = 0; i < 2; i++) {
        const REAL *even = f + 6 * i, *odd = f + 12 + 6 * i, *cosine = f + 24 + 3 * i, *sine = f + 30 + 3 * i;
        out[1 + i] = even[0] * e00 + even[1] * near + even[2] * e11 + even[3] * far + even[4] * knight + even[5] * e22;
        out[3 + 4 * i] = odd[0] * o10 + odd[1] * o11 + odd[2] * o12 + odd[3] * o20 + odd[4] * o21 + odd[5] * o22;
        out[4 + 4 * i] = odd[0] * u10 + odd[1] * u11 + odd[2] * u12 + odd[3] * u20 + odd[4] * u21 + odd[5] * u22;
        out[5 + 4 * i] = cosine[0] * across + cosine[1] * long_across + cosine[2] * bent;
        out[6 + 4 * i] = sine[0] * d11 + sine[1] * turned + sine[2] * d22;
    }
#undef AT
#undef SUM
#undef STEP
}

static void NAMED(fold)(const Vector *const rows[2 * HALF + 1], int from, int to, Vector *folded, size_t kind) {
    for (int i = 2 * from; i < 2 * to; i++) {
        Vector top = rows[0][i], upper = rows[1][i], middle = rows[2][i], lower = rows[3][i], bottom = rows[4][i];
        folded[i] = middle;
        folded[kind + i] = upper + lower;
        folded[2 * kind + i] = top + bottom;
        folded[3 * kind + i] = upper - lower; /* the sine is positive above */
        folded[4 * kind + i] = top - bottom;
    }
}

/* Pixels x[0..count) of one row, from `first` on in the chunk's matrix. */
static void NAMED(bank)(const Work *work, const Vector *const rows[2 * HALF + 1], const int *x, int count, int first) {
    const Plan *plan = work->plan;
    int across = plan->width + 2 * HALF;
    size_t kind = (size_t)across * 2;
    for (int bin = 0; bin < plan->bins; bin++)
        for (int vector = 0; vector < work->vectors_in; vector++) {
            const Vector *here[2 * HALF + 1];
            int each = work->vectors_in / plan->copies, copy = vector / each, used = NAMED(lanes_used)(vector % each, plan->fields_in);
            for (int j = 0; j <= 2 * HALF; j++) here[j] = rows[j] + (size_t)(bin * work->vectors_in + vector) * kind;
            const Move *move = plan->move + plan->moves[bin];
            int moves = plan->moves[bin + 1] - plan->moves[bin], depth = plan->depth;
            REAL *start = work->matrix + (size_t)first * depth + copy * plan->fields_in + vector % each * LANES;
            for (int p = 0, folded = 0; p < count; p++) {
                NAMED(fold)(here, folded > x[p] ? folded : x[p], x[p] + 2 * HALF + 1, work->folded, kind);
                folded = x[p] + 2 * HALF + 1;
                const Vector *at = work->folded + 2 * (x[p] + HALF);
                Vector real[PLANES], imaginary[PLANES], value[VALUES];
                NAMED(planes)(at, kind, plan->filters, real);
                NAMED(planes)(at + 1, kind, plan->filters, imaginary);
                for (int i = 0; i < 3; i++) value[2 * i] = real[i], value[2 * i + 1] = imaginary[i];
                for (int i = 0; i < 4; i++) { /* a harmonic at +f and at -f */
                    Vector cosine = real[3 + 2 * i], sine = real[4 + 2 * i], cosine_i = imaginary[3 + 2 * i], sine_i = imaginary[4 + 2 * i];
                    value[6 + 4 * i] = cosine - sine_i, value[7 + 4 * i] = cosine_i + sine;
                    value[8 + 4 * i] = cosine + sine_i, value[9 + 4 * i] = cosine_i - sine;
                }
                REAL *to = start + (size_t)p * depth;
                if (used == LANES)
                    for (int i = 0; i < moves; i++) *(Vector *)(to + move[i].place) = value[move[i].value];
                else
                    for (int i = 0; i < moves; i++) NAMED(store)(to + move[i].place, value[move[i].value], used);
            }
        }
}

/* ---- the product ---- */

/* (rows, depth) x (depth, vectors): element (m, k) of the first lies at a[m * a_row + k * a_step], row k of the second at b + k * b_row. */
INLINE void NAMED(tile)(const int rows, const int vectors, const REAL *a, size_t a_row, size_t a_step, const Vector *b, size_t b_row,
                        int depth, Vector *c, size_t c_row, const int add) {
    Vector sum[TILE][2];
    for (int m = 0; m < rows; m++)
        for (int n = 0; n < vectors; n++) sum[m][n] = add ? c[m * c_row + n] : (Vector){0};
    for (int k = 0; k < depth; k++) {
        Vector row[2];
        for (int n = 0; n < vectors; n++) row[n] = b[k * b_row + n];
        for (int m = 0; m < rows; m++) {
            REAL factor = a[m * a_row + k * a_step];
            for (int n = 0; n < vectors; n++) sum[m][n] += factor * row[n];
        }
    }
    for (int m = 0; m < rows; m++)
        for (int n = 0; n < vectors; n++) c[m * c_row + n] = sum[m][n];
}

/* The same for any number of rows, in tiles; `add` to what is there. */
#define TILED(name, vectors, add)                                                                                                          \
    static void NAMED(name)(int rows, const REAL *a, size_t a_row, size_t a_step, const Vector *b, size_t b_row, int depth, Vector *c,     \
                            size_t c_row) {                                                                                                \
        int m = 0;                                                                                                                         \
        for (; m + TILE <= rows; m += TILE) NAMED(tile)(TILE, vectors, a + m * a_row, a_row, a_step, b, b_row, depth, c + m * c_row, c_row, add); \
        for (; m + TILE / 3 <= rows; m += TILE / 3)                                                                                        \
            NAMED(tile)(TILE / 3, vectors, a + m * a_row, a_row, a_step, b, b_row, depth, c + m * c_row, c_row, add);                      \
        for (; m < rows; m++) NAMED(tile)(1, vectors, a + m * a_row, a_row, a_step, b, b_row, depth, c + m * c_row, c_row, add);           \
    }
TILED(times_one, 1, 0)
TILED(times_two, 2, 0)
TILED(add_one, 1, 1)
TILED(add_two, 2, 1)
#undef TILED

/* The chunk's matrix times the weights: per block (depth, columns) in panels of two vectors' columns, the last one maybe of one. */
static void NAMED(multiply)(const Work *work, const REAL *weights, int pixels) {
    const Plan *plan = work->plan;
    size_t deep = plan->depth;
    const Vector *panel = (const Vector *)weights;
    for (int block = 0, column = 0; block < plan->blocks; column += plan->columns[block], block++)
        for (int n = 0, two; n < plan->columns[block]; n += 1 + two) {
            two = n + 1 < plan->columns[block];
            (two ? NAMED(times_two) : NAMED(times_one))(pixels, work->matrix + block * plan->chunk * deep, deep, 1, panel, 1 + two, (int)deep,
                                                        work->answer + column + n, work->wide);
            panel += deep * (1 + two);
        }
}

/* Its adjoint: what the chunk adds to the weights' gradient. */
static void NAMED(multiply_back)(const Work *work, REAL *gradient, int pixels) {
    const Plan *plan = work->plan;
    size_t deep = plan->depth;
    Vector *panel = (Vector *)gradient;
    for (int block = 0, column = 0; block < plan->blocks; column += plan->columns[block], block++)
        for (int n = 0, two; n < plan->columns[block]; n += 1 + two) {
            two = n + 1 < plan->columns[block];
            (two ? NAMED(add_two) : NAMED(add_one))((int)deep, work->matrix + block * plan->chunk * deep, 1, deep, work->answer + column + n,
                                                    work->wide, pixels, panel, 1 + two);
            panel += deep * (1 + two);
        }
}

/* ---- the walk over an image ---- */

/* 1 for the pixels of rows [low, high) that differ from those of an empty sky. */
static void NAMED(differing)(const Plan *plan, const REAL *image, const REAL *empty, int low, int high, unsigned char *out) {
    size_t pixel = (size_t)plan->order * plan->fields_in, bytes = pixel * sizeof(REAL);
    for (size_t at = (size_t)low * plan->width; at < (size_t)high * plan->width; at++)
        *out++ = empty == NULL || memcmp(image + at * pixel, empty + at * pixel, bytes) != 0;
}

static int NAMED(prepare)(Work *work, const Plan *plan) {
    int across = plan->width + 2 * HALF;
    work->plan = plan;
    work->vectors_in = plan->copies * ((plan->fields_in + LANES - 1) / LANES);
    work->vectors_out = (plan->fields_out + LANES - 1) / LANES;
    work->wide = 0;
    for (int block = 0; block < plan->blocks; block++) work->wide += plan->columns[block];
    work->rows = room(0, (size_t)(2 * HALF + 1) * plan->bins * work->vectors_in * across * 2 * VECTOR_BYTES);
    work->folded = room(1, (size_t)KINDS * across * 2 * VECTOR_BYTES);
    work->matrix = room(2, (size_t)plan->blocks * plan->chunk * plan->depth * sizeof(REAL));
    work->answer = room(3, (size_t)plan->chunk * work->wide * VECTOR_BYTES);
    work->y = room(4, 2 * (size_t)plan->chunk * sizeof(int));
    work->x = work->y ? work->y + plan->chunk : NULL;
    return work->rows && work->folded && work->matrix && work->answer && work->y;
}

/* What is done with a chunk when it is full. */
typedef struct {
    const REAL *weights, *grad; /* one of the two: forward, or the weights' gradient */
    REAL *to;
} NAMED(Task);

static void NAMED(finish)(const Work *work, const NAMED(Task) *task, int pixels) {
    const Plan *plan = work->plan;
    size_t pixel = (size_t)plan->order * plan->fields_out;
    if (task->weights) NAMED(multiply)(work, task->weights, pixels);
    for (int p = 0; p < pixels; p++) {
        size_t at = ((size_t)work->y[p] * plan->width + work->x[p]) * pixel;
        if (task->weights) NAMED(synthesise)(work, work->answer + (size_t)p * work->wide, task->to + at);
        else NAMED(synthesise_back)(work, task->grad + at, work->answer + (size_t)p * work->wide);
    }
    if (!task->weights) NAMED(multiply_back)(work, task->to, pixels);
}

/* Which pixels of rows [low, high) are worth computing, and for that which pixels by frequency; rows [top, end) hold all of the latter. */
typedef struct {
    int top, end;
    unsigned char *active, *wanted; /* (end - top, width) each */
} NAMED(Support);

static int NAMED(support)(NAMED(Support) *support, const Plan *plan, const REAL *image, const REAL *empty, int low, int high) {
    int width = plan->width, top = low > 2 * HALF ? low - 2 * HALF : 0, end = high + 2 * HALF;
    if (end > plan->height) end = plan->height;
    size_t pixels = (size_t)(end - top) * width;
    unsigned char *active = room(5, 2 * pixels);
    if (!active) return 0;
    *support = (NAMED(Support)){top, end, active, active + pixels};
    NAMED(differing)(plan, image, empty, top, end, active);
    if (!widen(active, end - top, width, active)) return 0;
    memset(active, 0, (size_t)(low - top) * width);
    memset(active + (size_t)(high - top) * width, 0, (size_t)(end - high) * width);
    return widen(active, end - top, width, support->wanted);
}

/* Row y by frequency, in its place among five; beyond the image there is nothing. */
static Vector *NAMED(row_at)(const Work *work, int y) {
    size_t line = (size_t)work->plan->bins * work->vectors_in * (work->plan->width + 2 * HALF) * 2;
    return work->rows + (size_t)((y + 2 * HALF + 1) % (2 * HALF + 1)) * line;
}

static void NAMED(bring)(const Work *work, const REAL *image, const NAMED(Support) *support, int y) {
    const Plan *plan = work->plan;
    if (y >= 0 && y < plan->height) {
        const REAL *row = image + (size_t)y * plan->width * plan->order * plan->fields_in;
        NAMED(analyse)(work, row, support->wanted + (size_t)(y - support->top) * plan->width, NAMED(row_at)(work, y));
    } else
        memset(NAMED(row_at)(work, y), 0, (size_t)((char *)NAMED(row_at)(work, 1) - (char *)NAMED(row_at)(work, 0)));
}

/* Rows [low, high), chunk by chunk. */
static void NAMED(walk)(const Work *work, const REAL *image, const NAMED(Support) *support, int low, int high, const NAMED(Task) *task) {
    const Plan *plan = work->plan;
    int pixels = 0;
    for (int y = low - HALF; y < low + HALF; y++) NAMED(bring)(work, image, support, y);
    for (int y = low; y < high; y++) {
        const unsigned char *active = support->active + (size_t)(y - support->top) * plan->width;
        const Vector *rows[2 * HALF + 1];
        NAMED(bring)(work, image, support, y + HALF);
        for (int j = 0; j <= 2 * HALF; j++) rows[j] = NAMED(row_at)(work, y - HALF + j);
        for (int x = 0; x < plan->width;) {
            int first = pixels;
            for (; x < plan->width && pixels < plan->chunk; x++)
                if (active[x]) work->y[pixels] = y, work->x[pixels++] = x;
            if (pixels > first) NAMED(bank)(work, rows, work->x + first, pixels - first, first);
            if (pixels == plan->chunk) NAMED(finish)(work, task, pixels), pixels = 0;
        }
    }
    if (pixels) NAMED(finish)(work, task, pixels);
}

/* ---- what Python calls; 0 is success ---- */

/* Rows [low, high) of the layer's answer to one image. Where `empty_in` and `empty_out` are given, what the layer is given and answers for
   an empty sky, a pixel that sees nothing else is copied from there. */
int NAMED(convolve)(const Plan *plan, const REAL *image, const REAL *weights, const REAL *empty_in, const REAL *empty_out, REAL *out, int low,
                    int high) {
    Work work;
    NAMED(Support) support;
    NAMED(Task) task = {weights, NULL, out};
    if (!NAMED(prepare)(&work, plan) || !NAMED(support)(&support, plan, image, empty_in, low, high)) return 1;
    NAMED(walk)(&work, image, &support, low, high, &task);
    if (!empty_in) return 0;
    size_t pixel = (size_t)plan->order * plan->fields_out;
    const unsigned char *active = support.active + (size_t)(low - support.top) * plan->width;
    for (size_t at = (size_t)low * plan->width; at < (size_t)high * plan->width; at++)
        if (!*active++) memcpy(out + at * pixel, empty_out + at * pixel, pixel * sizeof(REAL));
    return 0;
}

/* Adds to `gradient` what one image brings to the gradient of the weights, laid out as they are. */
int NAMED(gradient)(const Plan *plan, const REAL *image, const REAL *grad, REAL *gradient) {
    Work work;
    NAMED(Support) support;
    NAMED(Task) task = {NULL, grad, gradient};
    if (!NAMED(prepare)(&work, plan) || !NAMED(support)(&support, plan, image, NULL, 0, plan->height)) return 1;
    NAMED(walk)(&work, image, &support, 0, plan->height, &task);
    return 0;
}

#undef LANES
#undef Vector
#undef Work
#undef INLINE
