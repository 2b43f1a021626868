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

/* Rows [low, high) of W relu(W_x x + up(context)): features (height, width, features), context (rows, columns, vectors). */
int NAMED(score)(const NAMED(Gate) *gate, const REAL *features, const REAL *context, REAL *out, int low, int high) {
    size_t line = (size_t)gate->context_width * gate->vectors;
    Vector *between = room(6, line * VECTOR_BYTES);
    if (!between) return 1;
    for (int y = low; y < high; y++) {
        NAMED(Between) row = ((const NAMED(Between) *)gate->rows)[y];
        const Vector *upper = (const Vector *)context + row.first * line, *lower = (const Vector *)context + row.second * line;
        for (size_t i = 0; i < line; i++) between[i] = row.near * upper[i] + row.far * lower[i];
        for (int x = 0; x < gate->width; x++) {
            NAMED(Between) column = ((const NAMED(Between) *)gate->columns)[x];
            const REAL *pixel = features + ((size_t)y * gate->width + x) * gate->features;
            const Vector *left = between + column.first * gate->vectors, *right = between + column.second * gate->vectors;
            Vector sum = {0};
            for (int n = 0; n < gate->vectors; n += 4) {
                if (n + 4 <= gate->vectors) NAMED(score_of)(4, gate, pixel, left, right, column, n, &sum);
                else
                    for (int m = n; m < gate->vectors; m++) NAMED(score_of)(1, gate, pixel, left, right, column, m, &sum);
            }
            out[(size_t)y * gate->width + x] = NAMED(total)(sum);
        }
    }
    return 0;
}

/* Where gradients of an image's score go; all but `features` are added to. */
typedef struct {
    REAL *features, *context, *from_features, *to_score;
} NAMED(GateSlopes);

/* The way back of some vectors of hidden channels: their slopes, and what they bring to all but the features. */
INLINE void NAMED(slopes_of)(const int count, const NAMED(Gate) *gate, const NAMED(GateSlopes) *to, const REAL *pixel, REAL grad,
                             const Vector *left, const Vector *right, Vector *d_left, Vector *d_right, NAMED(Between) column, int first,
                             Vector *slope) {
    Vector hidden[4];
    NAMED(hidden)(count, gate, pixel, left, right, column, first, hidden);
    for (int n = 0; n < count; n++) {
        ((Vector *)to->to_score)[first + n] += grad * NAMED(relu)(hidden[n]);
        slope[first + n] = (Vector)((Bits)(grad * ((const Vector *)gate->to_score)[first + n]) & (Bits)(hidden[n] > (Vector){0}));
        d_left[first + n] += column.near * slope[first + n];
        d_right[first + n] += column.far * slope[first + n];
    }
    for (int i = 0; i < gate->features; i++)
        for (int n = 0; n < count; n++) ((Vector *)to->from_features)[i * gate->vectors + first + n] += pixel[i] * slope[first + n];
}

/* The way back of `score`, of one image; pixels without a gradient cost nothing. */
int NAMED(score_back)(const NAMED(Gate) *gate, const REAL *features, const REAL *context, const REAL *grad, const NAMED(GateSlopes) *to) {
    size_t line = (size_t)gate->context_width * gate->vectors;
    int wide = (gate->features + LANES - 1) / LANES;
    Vector *between = room(6, (2 * line + gate->vectors) * VECTOR_BYTES), *d_between = between + line, *slope = d_between + line;
    if (!between) return 1;
    for (int y = 0; y < gate->height; y++) {
        NAMED(Between) row = ((const NAMED(Between) *)gate->rows)[y];
        const Vector *upper = (const Vector *)context + row.first * line, *lower = (const Vector *)context + row.second * line;
        for (size_t i = 0; i < line; i++) between[i] = row.near * upper[i] + row.far * lower[i], d_between[i] = (Vector){0};
        for (int x = 0; x < gate->width; x++) {
            NAMED(Between) column = ((const NAMED(Between) *)gate->columns)[x];
            size_t at = (size_t)y * gate->width + x, near = (size_t)column.first * gate->vectors, far = (size_t)column.second * gate->vectors;
            const REAL *pixel = features + at * gate->features;
            REAL *d_pixel = to->features + at * gate->features;
            if (grad[at] == 0) {
                memset(d_pixel, 0, gate->features * sizeof(REAL));
                continue;
            }
#define SLOPES(count, n)                                                                                                                   \
    NAMED(slopes_of)(count, gate, to, pixel, grad[at], between + near, between + far, d_between + near, d_between + far, column, n, slope)
            for (int n = 0; n < gate->vectors; n += 4) {
                if (n + 4 <= gate->vectors) SLOPES(4, n);
                else
                    for (int m = n; m < gate->vectors; m++) SLOPES(1, m);
            }
#undef SLOPES
            for (int n = 0; n < wide; n++) {
                const Vector *weights = (const Vector *)gate->to_features + n;
                Vector sum[4] = {{0}, {0}, {0}, {0}};
                for (int i = 0; i < gate->vectors * LANES; i++) sum[i % 4] += ((const REAL *)slope)[i] * weights[(size_t)i * wide];
                NAMED(store)(d_pixel + n * LANES, (sum[0] + sum[1]) + (sum[2] + sum[3]), NAMED(lanes_used)(n, gate->features));
            }
        }
        Vector *d_upper = (Vector *)to->context + row.first * line, *d_lower = (Vector *)to->context + row.second * line;
        for (size_t i = 0; i < line; i++) d_upper[i] += row.near * d_between[i];
        for (size_t i = 0; i < line; i++) d_lower[i] += row.far * d_between[i];
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
