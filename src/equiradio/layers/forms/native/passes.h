/* The other passes over the pixels of an image, for one type of numbers; included by steerable.c behind steerable.h, whose vectors it uses.
   Every pixel's sums are made in one order. */

/* A pixel of an ordinary "same" convolution: filters (size, size, fields_in, vectors), `finish` scales and shifts of as many vectors. */
static void NAMED(lift_pixel)(const Plan *plan, int size, const REAL *image, const Vector *filters, const Vector *finish, int y, int x,
                              REAL *out) {
    int half = size / 2, vectors = (plan->fields_out + LANES - 1) / LANES;
    int left = x < half ? half - x : 0, right = x + half >= plan->width ? half + plan->width - x : size;
    for (int first = 0; first < vectors; first += 4) {
        int some = vectors - first < 4 ? vectors - first : 4;
        Vector sum[4] = {{0}, {0}, {0}, {0}};
        for (int j = 0; j < size; j++) {
            int row = y + j - half;
            if (row < 0 || row >= plan->height) continue;
            const REAL *pixel = image + ((ptrdiff_t)row * plan->width + x + left - half) * plan->fields_in;
            const Vector *factor = filters + (size_t)(j * size + left) * plan->fields_in * vectors + first;
            for (int i = 0; i < (right - left) * plan->fields_in; i++, factor += vectors)
                for (int n = 0; n < some; n++) sum[n] += pixel[i] * factor[n];
        }
        for (int n = first; n < first + some; n++) {
            Vector value = finish ? NAMED(finished)(sum[n - first], finish[n], finish[vectors + n]) : sum[n - first];
            NAMED(store)(out + n * LANES, value, NAMED(lanes_used)(n, plan->fields_out));
        }
    }
}

/* Rows [low, high) of an ordinary convolution of an image (height, width, fields_in); as `convolve` otherwise. */
int NAMED(lift)(const Plan *plan, int size, const REAL *image, const REAL *filters, const REAL *finish, const REAL *empty_in,
                const REAL *empty_out, REAL *out, int low, int high) {
    NAMED(Support) support;
    if (!NAMED(support)(&support, plan, image, empty_in, low, high)) return 1;
    const unsigned char *active = support.active + (size_t)(low - support.top) * plan->width;
    for (int y = low; y < high; y++)
        for (int x = 0; x < plan->width; x++)
            if (*active++) {
                REAL *to = out + ((size_t)y * plan->width + x) * plan->fields_out;
                NAMED(lift_pixel)(plan, size, image, (const Vector *)filters, (const Vector *)finish, y, x, to);
            }
    if (empty_in) NAMED(copy_others)(plan, plan->fields_out, &support, empty_out, out, low, high);
    return 0;
}

/* The larger one of each lane; nan wins. */
INLINE Vector NAMED(larger)(Vector x, Vector y) {
    Bits first = (Bits)(x > y) | (Bits)(x != x);
    return (Vector)(((Bits)x & first) | ((Bits)y & ~first));
}

/* Largest over the group: (pixels, order, fields) -> (pixels, fields). */
void NAMED(group_pool)(const REAL *in, long pixels, int order, int fields, REAL *out) {
    for (long p = 0; p < pixels; p++, in += (size_t)order * fields, out += fields)
        for (int i = 0; i < fields; i += LANES) {
            int used = NAMED(lanes_used)(0, fields - i);
            Vector most = NAMED(load)(in + i, used);
            for (int g = 1; g < order; g++) most = NAMED(larger)(NAMED(load)(in + (size_t)g * fields + i, used), most);
            NAMED(store)(out + i, most, used);
        }
}

/* Largest of each 2 x 2 pixels: rows [low, high) of (height / 2, width / 2, channels), from an image that is `width` pixels wide. */
void NAMED(max_pool)(const REAL *in, int width, int channels, REAL *out, int low, int high) {
    size_t line = (size_t)width * channels;
    for (int y = low; y < high; y++)
        for (int x = 0; x < width / 2; x++) {
            const REAL *from = in + 2 * y * line + 2 * (size_t)x * channels;
            REAL *to = out + ((size_t)y * (width / 2) + x) * channels;
            for (int i = 0; i < channels; i += LANES) {
                int used = NAMED(lanes_used)(0, channels - i);
                Vector upper = NAMED(larger)(NAMED(load)(from + i, used), NAMED(load)(from + channels + i, used));
                Vector lower = NAMED(larger)(NAMED(load)(from + line + i, used), NAMED(load)(from + line + channels + i, used));
                NAMED(store)(to + i, NAMED(larger)(upper, lower), used);
            }
        }
}

/* ---- a gate's score ---- */

/* Where an output row or column lies between two of the context's: the first of them, and what both weigh. */
typedef struct {
    int first, second;
    REAL near, far;
} NAMED(Between);

typedef struct {
    int height, width, features, context_width, vectors; /* vectors of hidden channels */
    const void *rows, *columns;                          /* Between, for every row and column */
    const void *from_features, *to_score;                /* (features, vectors), (vectors) */
    const void *to_features;                             /* the first again, (hidden, vectors of features), for the way back */
} NAMED(Gate);

INLINE REAL NAMED(total)(Vector x) {
    REAL lane[LANES];
    *(Vector *)lane = x;
#define HALVE(step)                                                                                                                        \
    if (LANES > (step))                                                                                                                    \
        for (int i = 0; i < (step); i++) lane[i] += lane[i + (step)];
    HALVE(8)
    HALVE(4)
    HALVE(2)
    HALVE(1)
#undef HALVE
    return lane[0];
}

/* A pixel's hidden channels before the ReLU: some vectors of them, from the first on. */
INLINE void NAMED(hidden)(const int count, const NAMED(Gate) *gate, const REAL *pixel, const Vector *left, const Vector *right,
                          NAMED(Between) column, int first, Vector *hidden) {
    const Vector *weights = (const Vector *)gate->from_features + first;
    for (int n = 0; n < count; n++) hidden[n] = column.near * left[first + n] + column.far * right[first + n];
    for (int i = 0; i < gate->features; i++)
        for (int n = 0; n < count; n++) hidden[n] += pixel[i] * weights[i * gate->vectors + n];
}

INLINE Vector NAMED(relu)(Vector x) { return (Vector)((Bits)x & ~(Bits)(x < (Vector){0})); }

/* Adds what some vectors of hidden channels bring to a pixel's score. */
INLINE void NAMED(score_of)(const int count, const NAMED(Gate) *gate, const REAL *pixel, const Vector *left, const Vector *right,
                            NAMED(Between) column, int first, Vector *sum) {
    Vector hidden[4];
    NAMED(hidden)(count, gate, pixel, left, right, column, first, hidden);
    for (int n = 0; n < count; n++) *sum += NAMED(relu)(hidden[n]) * ((const Vector *)gate->to_score)[first + n];
}

/* W relu(W_x x + up(context)) of a pixel x, between the columns of a row of the context that lie left and right of it. */
INLINE REAL NAMED(pixel_score)(const NAMED(Gate) *gate, const REAL *pixel, const Vector *left, const Vector *right,
                               NAMED(Between) column) {
    Vector sum = {0};
    for (int n = 0; n < gate->vectors; n += 4) {
        if (n + 4 <= gate->vectors) NAMED(score_of)(4, gate, pixel, left, right, column, n, &sum);
        else
            for (int m = n; m < gate->vectors; m++) NAMED(score_of)(1, gate, pixel, left, right, column, m, &sum);
    }
    return NAMED(total)(sum);
}

/* `score`, or, where features of an empty sky are given, `apart`. */
INLINE int NAMED(scores)(const NAMED(Gate) *gate, const REAL *features, const REAL *empty, const REAL *context, REAL *out, REAL *difference,
                         int low, int high) {
    size_t line = (size_t)gate->context_width * gate->vectors, bytes = gate->features * sizeof(REAL);
    Vector *between = room(6, line * VECTOR_BYTES);
    if (!between) return 1;
    for (int y = low; y < high; y++) {
        NAMED(Between) row = ((const NAMED(Between) *)gate->rows)[y];
        const Vector *upper = (const Vector *)context + row.first * line, *lower = (const Vector *)context + row.second * line;
        for (size_t i = 0; i < line; i++) between[i] = row.near * upper[i] + row.far * lower[i];
        for (int x = 0; x < gate->width; x++) {
            NAMED(Between) column = ((const NAMED(Between) *)gate->columns)[x];
            const Vector *left = between + column.first * gate->vectors, *right = between + column.second * gate->vectors;
            size_t place = (size_t)y * gate->width + x, at = place * gate->features;
            int same = empty && memcmp(features + at, empty + at, bytes) == 0;
            out[place] = same ? 0 : NAMED(pixel_score)(gate, features + at, left, right, column);
            if (empty) difference[place] = same ? 0 : out[place] - NAMED(pixel_score)(gate, empty + at, left, right, column);
        }
    }
    return 0;
}

/* Rows [low, high) of W relu(W_x x + up(context)): features (height, width, features), context (rows, columns, vectors). */
int NAMED(score)(const NAMED(Gate) *gate, const REAL *features, const REAL *context, REAL *out, int low, int high) {
    return NAMED(scores)(gate, features, NULL, context, out, NULL, low, high);
}

/* The same, and how much the score of features of an empty sky in the same context is less; 0 both where features are those. */
int NAMED(apart)(const NAMED(Gate) *gate, const REAL *features, const REAL *empty, const REAL *context, REAL *out, REAL *difference,
                 int low, int high) {
    return NAMED(scores)(gate, features, empty, context, out, difference, low, high);
}

/* Where gradients of an image's score go; all but `features` are added to. */
typedef struct {
    REAL *features, *context, *from_features, *to_score;
} NAMED(GateSlopes);

/* What the way back of a score works with: some pixels of a row at a time, so that its matrices are multiplied in tiles. */
typedef struct {
    const NAMED(Gate) *gate;
    const NAMED(GateSlopes) *to;
    const Vector *between; /* the context at this row, and its gradient */
    Vector *d_between, *hidden, *d_features;
    REAL *features; /* of the pixels, one behind the other */
    int count, x[SOME_PIXELS];
} NAMED(ScoreBack);

#define IN_PANELS(name, rows, a, a_row, a_step, b, b_row, depth, c, c_row, vectors)                                                        \
    for (int n = 0; n < (vectors); n += 2)                                                                                                 \
        (n + 1 < (vectors) ? NAMED(name##_two) : NAMED(name##_one))(rows, a, a_row, a_step, (b) + n, b_row, depth, (c) + n, c_row)

/* Hidden channels of the pixels become their slopes; what these bring to the context and to the score's weights is added. */
static void NAMED(slopes)(const NAMED(ScoreBack) *back, const REAL *grad) {
    int vectors = back->gate->vectors;
    for (int p = 0; p < back->count; p++) {
        NAMED(Between) column = ((const NAMED(Between) *)back->gate->columns)[back->x[p]];
        Vector *d_left = back->d_between + column.first * vectors, *d_right = back->d_between + column.second * vectors;
        REAL here = grad[back->x[p]];
        for (int n = 0; n < vectors; n++) {
            Vector *hidden = back->hidden + p * vectors + n;
            ((Vector *)back->to->to_score)[n] += here * NAMED(relu)(*hidden);
            *hidden = (Vector)((Bits)(here * ((const Vector *)back->gate->to_score)[n]) & (Bits)(*hidden > (Vector){0}));
            d_left[n] += column.near * *hidden;
            d_right[n] += column.far * *hidden;
        }
    }
}

/* The way back of the pixels that were gathered, of a row of features, gradients and gradients of features. */
static void NAMED(some_back)(const NAMED(ScoreBack) *back, const REAL *features, const REAL *grad, REAL *d_features) {
    const NAMED(Gate) *gate = back->gate;
    int count = back->count, vectors = gate->vectors, numbers = gate->features, wide = (numbers + LANES - 1) / LANES;
    for (int p = 0; p < count; p++) {
        NAMED(Between) column = ((const NAMED(Between) *)gate->columns)[back->x[p]];
        const Vector *left = back->between + column.first * vectors, *right = back->between + column.second * vectors;
        memcpy(back->features + (size_t)p * numbers, features + (size_t)back->x[p] * numbers, numbers * sizeof(REAL));
        for (int n = 0; n < vectors; n++) back->hidden[p * vectors + n] = column.near * left[n] + column.far * right[n];
    }
    IN_PANELS(add, count, back->features, numbers, 1, (const Vector *)gate->from_features, vectors, numbers, back->hidden, vectors, vectors);
    NAMED(slopes)(back, grad);
    IN_PANELS(add, numbers, back->features, 1, numbers, back->hidden, vectors, count, (Vector *)back->to->from_features, vectors, vectors);
    IN_PANELS(times, count, (const REAL *)back->hidden, (size_t)vectors * LANES, 1, (const Vector *)gate->to_features, wide, vectors * LANES,
              back->d_features, wide, wide);
    for (int p = 0; p < count; p++)
        for (int n = 0; n < wide; n++) {
            REAL *to = d_features + (size_t)back->x[p] * numbers + n * LANES;
            NAMED(store)(to, back->d_features[p * wide + n], NAMED(lanes_used)(n, numbers));
        }
}
#undef IN_PANELS

/* The way back of `score`, of one image; pixels without a gradient cost nothing. */
int NAMED(score_back)(const NAMED(Gate) *gate, const REAL *features, const REAL *context, const REAL *grad, const NAMED(GateSlopes) *to) {
    size_t line = (size_t)gate->context_width * gate->vectors, row_numbers = (size_t)gate->width * gate->features;
    int wide = (gate->features + LANES - 1) / LANES;
    Vector *between = room(6, (2 * line + SOME_PIXELS * (size_t)(gate->vectors + 2 * wide)) * VECTOR_BYTES), *hidden = between + 2 * line;
    if (!between) return 1;
    Vector *d_features = hidden + SOME_PIXELS * gate->vectors;
    NAMED(ScoreBack) back = {gate, to, between, between + line, hidden, d_features, (REAL *)(d_features + SOME_PIXELS * wide), 0, {0}};
    for (int y = 0; y < gate->height; y++) {
        NAMED(Between) row = ((const NAMED(Between) *)gate->rows)[y];
        const Vector *upper = (const Vector *)context + row.first * line, *lower = (const Vector *)context + row.second * line;
        const REAL *slope = grad + (size_t)y * gate->width;
        for (size_t i = 0; i < line; i++) between[i] = row.near * upper[i] + row.far * lower[i], back.d_between[i] = (Vector){0};
        for (int x = 0; x < gate->width;) {
            for (back.count = 0; x < gate->width && back.count < SOME_PIXELS; x++) {
                if (slope[x] != 0) back.x[back.count++] = x;
                else memset(to->features + y * row_numbers + (size_t)x * gate->features, 0, gate->features * sizeof(REAL));
            }
            NAMED(some_back)(&back, features + y * row_numbers, slope, to->features + y * row_numbers);
        }
        Vector *d_upper = (Vector *)to->context + row.first * line, *d_lower = (Vector *)to->context + row.second * line;
        for (size_t i = 0; i < line; i++) d_upper[i] += row.near * back.d_between[i];
        for (size_t i = 0; i < line; i++) d_lower[i] += row.far * back.d_between[i];
    }
    return 0;
}

/* Sum over pixels of weight * channels: (pixels), (pixels, channels) -> (channels); four sums side by side, of every fourth pixel. */
void NAMED(attend)(const REAL *weight, const REAL *in, long pixels, int channels, REAL *out) {
    for (int i = 0; i < channels; i += LANES) {
        int used = NAMED(lanes_used)(0, channels - i);
        Vector sum[4] = {{0}, {0}, {0}, {0}};
        for (long p = 0; p < pixels; p++) sum[p % 4] += weight[p] * NAMED(load)(in + p * channels + i, used);
        NAMED(store)(out + i, (sum[0] + sum[1]) + (sum[2] + sum[3]), used);
    }
}
