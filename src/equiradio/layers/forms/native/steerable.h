/* The kernels for one type of numbers, REAL; included by steerable.c once for each, and with PAIRS for a product that multiplies bf16.

   An image lies as (height, width, element, field). By frequency it is, row by row, (line, vector of fields, column, part, lane): both parts
   of a line side by side. Between bank and product it is (block, pixel, depth), behind the product (pixel, vectors of all blocks).
   Sums are made in one order for every pixel, whatever else is computed with it.

   The product multiplies units: a number by a vector of numbers, or with PAIRS two bf16 side by side by a vector of such pairs, which adds
   both products to sums in float32. A unit is as large as a REAL either way, so that both lie alike. */

#define LANES (VECTOR_BYTES / (int)sizeof(REAL))
#define Vector NAMED(Vector)
#define Bits NAMED(Bits)
#define Work NAMED(Work)
#define INLINE static inline __attribute__((always_inline))

typedef REAL Vector __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(REAL)), may_alias));
typedef INTEGER Bits __attribute__((vector_size(VECTOR_BYTES)));

#ifdef PAIRS
#define ELEMENT uint16_t /* of the chunk's matrix: the upper half of a float */
#define UNIT int32_t
#define TOGETHER 2 /* elements of a unit */
#ifdef TILES
#define WHOLE 32 /* elements that the product takes at a time */
#else
#define WHOLE TOGETHER
#endif
#define ONE 0x3f80
#define ADD_PRODUCT(sum, unit, row) __asm__("vdpbf16ps %2%{1to16%}, %1, %0" : "+v"(sum) : "v"(row), "m"(unit)) /* gcc 12 moves sums about */
#else
#define ELEMENT REAL
#define UNIT REAL
#define TOGETHER 1
#define WHOLE 1
#define ONE 1
#define ADD_PRODUCT(sum, unit, row) sum += (unit) * (row)
#endif

typedef struct {
    const Plan *plan;
    int vectors_in, vectors_out, wide; /* vectors of a part of a line, of a part of a bin of the answer, of all blocks' columns */
    Vector *rows;                      /* HALF * 2 + 1 rows by frequency */
    Vector *folded;                    /* rows of one line and vector, in KINDS sums and differences */
    ELEMENT *matrix;                   /* (block, chunk, depth) */
    Vector *answer;                    /* (chunk, wide) */
    int *y, *x;                        /* of the pixels of the chunk */
} Work;

/* ---- from elements to frequencies and back ---- */

/* How many of a vector's lanes hold fields. */
INLINE int NAMED(lanes_used)(int vector, int fields) {
    int left = fields - vector * LANES;
    return left < LANES ? left : LANES;
}

#if defined(__AVX2__) && !defined(__AVX512F__)
INLINE __m256i NAMED(first_lanes)(int count) {
    static const INTEGER mask[2 * LANES] = {-1, -1, -1, -1, LANES > 4 ? -1 : 0, LANES > 4 ? -1 : 0, LANES > 4 ? -1 : 0, LANES > 4 ? -1 : 0};
    return _mm256_loadu_si256((const __m256i *)(mask + LANES - count));
}
#endif

#if defined(__AVX2__) && !defined(__AVX512F__)
/* Fewer lanes than all, in pieces of 4, 2 and 1: processors of AMD take many times as long to store by a mask. */
INLINE void NAMED(store_pieces)(REAL *to, Vector value, int count) {
    if (sizeof(REAL) == 4) {
        __m128 piece = _mm256_castps256_ps128((__m256)value);
        if (count & 4) _mm_storeu_ps((float *)to, piece), to += 4, piece = _mm256_extractf128_ps((__m256)value, 1);
        if (count & 2) _mm_storel_pi((__m64 *)to, piece), to += 2, piece = _mm_movehl_ps(piece, piece);
        if (count & 1) _mm_store_ss((float *)to, piece);
    } else {
        __m128d piece = _mm256_castpd256_pd128((__m256d)value);
        if (count & 2) _mm_storeu_pd((double *)to, piece), to += 2, piece = _mm256_extractf128_pd((__m256d)value, 1);
        if (count & 1) _mm_store_sd((double *)to, piece);
    }
}
#endif

/* The first `count` lanes, the others 0; and the same to memory. */
INLINE Vector NAMED(load)(const REAL *from, int count) {
    if (count == LANES) return *(const Vector *)from;
#if defined(__AVX512F__)
    return sizeof(REAL) == 4 ? (Vector)_mm512_maskz_loadu_ps((1 << count) - 1, from) : (Vector)_mm512_maskz_loadu_pd((1 << count) - 1, from);
#elif defined(__AVX2__)
    __m256i mask = NAMED(first_lanes)(count);
    return sizeof(REAL) == 4 ? (Vector)_mm256_maskload_ps((const float *)from, mask) : (Vector)_mm256_maskload_pd((const double *)from, mask);
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
#elif defined(__AVX2__)
    else NAMED(store_pieces)(to, value, count);
#else
    else
        for (int i = 0; i < count; i++) to[i] = value[i];
#endif
}

/* max(0, x) * scale + shift; nan stays nan. */
INLINE Vector NAMED(finished)(Vector x, Vector scale, Vector shift) {
    return (Vector)((Bits)x & ~(Bits)(x < (Vector){0})) * scale + shift;
}

/* Of a group with half a turn, a bin is even or odd under it: what is of one parity needs the sums, or the differences, of the elements that
   half a turn exchanges, half as many. `count` elements or components are of each parity; it is a number that the compiler sees, so that
   they stay in registers. Without half a turn all are of one parity. */
#define EVERY _Pragma("GCC unroll 16")

INLINE Vector NAMED(weighed)(const int count, const REAL *weight, const int step, const Vector *given) {
    Vector sum = {0};
    EVERY
    for (int k = 0; k < count; k++) sum += weight[k * step] * given[k];
    return sum;
}

/* A pixel's elements (parity, count) of one vector of fields. */
INLINE void NAMED(by_parity)(const Plan *plan, const int parities, const int count, const REAL *pixel, int fields, int used, Vector *out) {
    EVERY
    for (int k = 0; k < count; k++) {
        const REAL *at = pixel + (size_t)plan->first[k] * fields;
        out[k] = NAMED(load)(at, used);
        if (parities == 1) continue;
        Vector opposite = NAMED(load)(at + (size_t)plan->half * fields, used);
        out[count + k] = out[k] - opposite;
        out[k] += opposite;
    }
}

INLINE void NAMED(analyse_by)(const Work *work, const int parities, const int count, const REAL *row, const unsigned char *wanted, Vector *out) {
    const Plan *plan = work->plan;
    size_t line = (size_t)work->vectors_in * (plan->width + 2 * HALF) * 2;
    for (int x = 0; x < plan->width; x++) {
        if (!wanted[x]) continue;
        const REAL *pixel = row + (size_t)x * plan->order * plan->fields_in;
        for (int vector = 0; vector < work->vectors_in; vector++) {
            Vector element[MOST], *to = out + ((size_t)vector * (plan->width + 2 * HALF) + x + HALF) * 2;
            NAMED(by_parity)(plan, parities, count, pixel + vector * LANES, plan->fields_in, NAMED(lanes_used)(vector, plan->fields_in), element);
            const REAL *wave = plan->analysis;
            for (int part = 0; part < 2 * plan->lines; part++, wave += count) {
                Vector *there = to + part / 2 * line + part % 2;
                if (parities == 2 && plan->odd[part]) *there = NAMED(weighed)(count, wave, 1, element + count);
                else *there = NAMED(weighed)(count, wave, 1, element);
            }
        }
    }
}

/* `finish`: where given, scales of all fields and then shifts, (2, vector): see `finished`. */
INLINE void NAMED(synthesise_by)(const Work *work, const int parities, const int count, const Vector *answer, const Vector *finish, REAL *pixel) {
    const Plan *plan = work->plan;
    int each = work->vectors_out, fields = plan->fields_out;
    for (int vector = 0; vector < each; vector++) {
        Vector component[MOST];
        int used = NAMED(lanes_used)(vector, fields);
        EVERY
        for (int c = 0; c < parities * count; c++) component[c] = answer[plan->column[c] + vector];
        const REAL *wave = plan->synthesis, *odd = wave + count * count;
        for (int k = 0; k < count; k++, wave += count, odd += count) {
            Vector one = NAMED(weighed)(count, wave, 1, component), other;
            REAL *to = pixel + (size_t)plan->first[k] * fields + vector * LANES;
            if (parities == 2) {
                Vector difference = NAMED(weighed)(count, odd, 1, component + count);
                other = one - difference;
                one += difference;
                if (finish) other = NAMED(finished)(other, finish[vector], finish[each + vector]);
                NAMED(store)(to + (size_t)plan->half * fields, other, used);
            }
            if (finish) one = NAMED(finished)(one, finish[vector], finish[each + vector]);
            NAMED(store)(to, one, used);
        }
    }
}

/* The adjoint of `synthesise`: what a gradient is by frequency. */
INLINE void NAMED(synthesise_back_by)(const Work *work, const int parities, const int count, const REAL *pixel, Vector *answer) {
    const Plan *plan = work->plan;
    for (int vector = 0; vector < work->vectors_out; vector++) {
        Vector element[MOST];
        const REAL *wave = plan->synthesis;
        NAMED(by_parity)(plan, parities, count, pixel + vector * LANES, plan->fields_out, NAMED(lanes_used)(vector, plan->fields_out), element);
        for (int c = 0; c < count; c++) {
            answer[plan->column[c] + vector] = NAMED(weighed)(count, wave + c, count, element);
            if (parities == 2)
                answer[plan->column[count + c] + vector] = NAMED(weighed)(count, wave + count * count + c, count, element + count);
        }
    }
}

#define BY_COUNT(name, ...)                                                                                                                \
    switch (plan->parities == 2 ? plan->count : 0) {                                                                                       \
        case 2: NAMED(name)(work, 2, 2, __VA_ARGS__); break;                                                                               \
        case 4: NAMED(name)(work, 2, 4, __VA_ARGS__); break;                                                                               \
        case 8: NAMED(name)(work, 2, 8, __VA_ARGS__); break;                                                                               \
        case 16: NAMED(name)(work, 2, 16, __VA_ARGS__); break;                                                                             \
        default: NAMED(name)(work, plan->parities, plan->count, __VA_ARGS__);                                                              \
    }

static void NAMED(analyse)(const Work *work, const REAL *row, const unsigned char *wanted, Vector *out) {
    const Plan *plan = work->plan;
    int across = plan->width + 2 * HALF;
    for (int line = 0; line < plan->lines * work->vectors_in; line++) /* beyond the image there is nothing */
        for (int x = 0; x < HALF; x++) {
            Vector *left = out + ((size_t)line * across + x) * 2, *right = left + (size_t)(plan->width + HALF) * 2;
            left[0] = left[1] = right[0] = right[1] = (Vector){0};
        }
    BY_COUNT(analyse_by, row, wanted, out)
}

static void NAMED(synthesise)(const Work *work, const Vector *answer, const Vector *finish, REAL *pixel) {
    const Plan *plan = work->plan;
    BY_COUNT(synthesise_by, answer, finish, pixel)
}

static void NAMED(synthesise_back)(const Work *work, const REAL *pixel, Vector *answer) {
    const Plan *plan = work->plan;
    BY_COUNT(synthesise_back_by, pixel, answer)
}
#undef BY_COUNT
#undef EVERY

/* ---- the filter bank ---- */

/* The 5 x 5 filters are even or odd in each direction and equal, or opposite, across the diagonal, so that of a window folded along rows
   (middle, inner sum, outer sum, inner difference, outer difference) all planes of one part of a bin need 78 operations. They are
   computed in groups, of the two parts of a line side by side, so that a processor has several sums to add to at a time; `GROUP_END` keeps the compiler
   from mixing the groups, whose numbers would not fit into the registers. */
#define AT(which, x, part) at[2 * ((x) * KINDS + (which)) + (part)]
#define SUM(which, x, part) (AT(which, x, part) + AT(which, -(x), part))
#define STEP(which, x, part) (AT(which, x, part) - AT(which, -(x), part))
#define GROUP_END __asm__ volatile("" ::: "memory")

/* sum[i][part] = the sum over k of f[i * step + k] * given[k][part]. */
INLINE void NAMED(weigh)(const int terms, const int step, const REAL *f, Vector given[][2], Vector sum[2][2]) {
    for (int k = 0; k < terms; k++)
        for (int i = 0; i < 2; i++)
            for (int part = 0; part < 2; part++)
                if (k) sum[i][part] += f[i * step + k] * given[k][part];
                else sum[i][part] = f[i * step] * given[0][part];
}

/* Planes 0, 1 and 4, which are even in both directions. `f`: six numbers for each of the latter two. */
INLINE void NAMED(even_planes)(const Vector *at, const REAL *f, Vector *value) {
    Vector given[6][2], sum[2][2];
    for (int part = 0; part < 2; part++) {
        given[0][part] = AT(0, 0, part), given[1][part] = SUM(0, 1, part) + AT(1, 0, part), given[2][part] = SUM(1, 1, part);
        given[3][part] = SUM(0, 2, part) + AT(2, 0, part), given[4][part] = SUM(1, 2, part) + SUM(2, 1, part);
        given[5][part] = SUM(2, 2, part);
    }
    NAMED(weigh)(6, 6, f, given, sum);
    value[0] = given[0][0], value[1] = given[0][1];
    value[2] = sum[0][0], value[3] = sum[0][1], value[4] = sum[1][0], value[5] = sum[1][1];
}

/* Two harmonics of the same frequency, cosine[harmonic][part] and sine: of a bin four values each, at +f and at -f; of two parts `alone`
   six, a part's cosine, sine and opposite sine. */
INLINE void NAMED(pairs)(Vector cosine[2][2], Vector sine[2][2], int alone, Vector *first, Vector *second) {
    for (int i = 0; i < 2; i++) {
        Vector *value = i ? second : first;
        if (alone)
            for (int part = 0; part < 2; part++)
                value[3 * part] = cosine[i][part], value[3 * part + 1] = sine[i][part], value[3 * part + 2] = -sine[i][part];
        else {
            value[0] = cosine[i][0] - sine[i][1], value[1] = cosine[i][1] + sine[i][0];
            value[2] = cosine[i][0] + sine[i][1], value[3] = cosine[i][1] - sine[i][0];
        }
    }
}

/* Planes 2 and 5. `f`: six numbers each, of cosine and sine alike. */
INLINE void NAMED(odd_planes)(const Vector *at, const REAL *f, int alone, Vector *value) {
    Vector given[6][2], cosine[2][2], sine[2][2];
    for (int part = 0; part < 2; part++) {
        given[0][part] = STEP(0, 1, part), given[1][part] = STEP(1, 1, part), given[2][part] = STEP(2, 1, part);
        given[3][part] = STEP(0, 2, part), given[4][part] = STEP(1, 2, part), given[5][part] = STEP(2, 2, part);
    }
    NAMED(weigh)(6, 6, f, given, cosine);
    for (int part = 0; part < 2; part++) {
        given[0][part] = AT(3, 0, part), given[1][part] = SUM(3, 1, part), given[2][part] = SUM(3, 2, part);
        given[3][part] = AT(4, 0, part), given[4][part] = SUM(4, 1, part), given[5][part] = SUM(4, 2, part);
    }
    NAMED(weigh)(6, 6, f, given, sine);
    NAMED(pairs)(cosine, sine, alone, value, value + (alone ? 12 : 8));
}

/* Planes 3 and 6. `f`: three numbers for each cosine, three for each sine. */
INLINE void NAMED(quarter_planes)(const Vector *at, const REAL *f, int alone, Vector *value) {
    Vector given[3][2], cosine[2][2], sine[2][2];
    for (int part = 0; part < 2; part++) {
        given[0][part] = SUM(0, 1, part) - AT(1, 0, part), given[1][part] = SUM(0, 2, part) - AT(2, 0, part);
        given[2][part] = SUM(1, 2, part) - SUM(2, 1, part);
    }
    NAMED(weigh)(3, 3, f, given, cosine);
    for (int part = 0; part < 2; part++) {
        given[0][part] = STEP(3, 1, part), given[1][part] = STEP(3, 2, part) + STEP(4, 1, part), given[2][part] = STEP(4, 2, part);
    }
    NAMED(weigh)(3, 3, f + 6, given, sine);
    NAMED(pairs)(cosine, sine, alone, value, value + (alone ? 12 : 8));
}

/* All values of one line at a pixel; `f` the filters' 36 numbers. */
INLINE void NAMED(values)(const Vector *at, const REAL *f, int alone, Vector *value) {
    NAMED(even_planes)(at, f, value);
    GROUP_END;
    NAMED(odd_planes)(at, f + 12, alone, value + 6);
    GROUP_END;
    NAMED(quarter_planes)(at, f + 24, alone, value + (alone ? 12 : 10));
}
#undef AT
#undef SUM
#undef STEP
#undef GROUP_END

/* Columns [from, to) of five rows: (column, kind, part). */
static void NAMED(fold)(const Vector *const rows[2 * HALF + 1], int from, int to, Vector *folded) {
    for (int x = from; x < to; x++) {
        Vector *column = folded + 2 * KINDS * (size_t)x, row[2 * HALF + 1][2];
        for (int j = 0; j <= 2 * HALF; j++) row[j][0] = rows[j][2 * x], row[j][1] = rows[j][2 * x + 1];
        for (int part = 0; part < 2; part++) {
            column[part] = row[2][part];
            column[2 + part] = row[1][part] + row[3][part];
            column[4 + part] = row[0][part] + row[4][part];
            column[6 + part] = row[1][part] - row[3][part]; /* the sine is positive above */
            column[8 + part] = row[0][part] - row[4][part];
        }
    }
}

/* The first `count` lanes to the chunk's matrix; of bf16 one more where that fills a pair. */
INLINE void NAMED(place)(ELEMENT *to, Vector value, int count) {
#ifdef PAIRS
    __m256i halves = (__m256i)_mm512_cvtneps_pbh((__m512)value);
    if (count == LANES) _mm256_storeu_si256((__m256i *)to, halves);
    else _mm256_mask_storeu_epi16(to, (__mmask16)((1 << (count + count % 2)) - 1), halves);
#else
    NAMED(store)(to, value, count);
#endif
}

/* Pixels x[0..count) of one row, from `first` on in the chunk's matrix. */
static void NAMED(bank)(const Work *work, const Vector *const rows[2 * HALF + 1], const int *x, int count, int first) {
    const Plan *plan = work->plan;
    size_t line = 2 * (size_t)(plan->width + 2 * HALF);
    for (int number = 0; number < plan->lines; number++)
        for (int vector = 0; vector < work->vectors_in; vector++) {
            const Vector *here[2 * HALF + 1];
            int used = NAMED(lanes_used)(vector, plan->fields_in);
            for (int j = 0; j <= 2 * HALF; j++) here[j] = rows[j] + (size_t)(number * work->vectors_in + vector) * line;
            const Move *move = plan->move + plan->moves[number], *end = plan->move + plan->moves[number + 1];
            ELEMENT *start = work->matrix + (size_t)first * plan->depth * TOGETHER + vector * LANES;
            for (int p = 0, folded = 0; p < count; p++) {
                NAMED(fold)(here, folded > x[p] ? folded : x[p], x[p] + 2 * HALF + 1, work->folded);
                folded = x[p] + 2 * HALF + 1;
                const Vector *at = work->folded + 2 * KINDS * (size_t)(x[p] + HALF);
                Vector value[VALUES];
                NAMED(values)(at, plan->filters, plan->alone[number], value);
                ELEMENT *to = start + (size_t)p * plan->depth * TOGETHER;
                if (used == LANES)
                    for (const Move *next = move; next < end; next++) NAMED(place)(to + next->place, value[next->value], LANES);
                else
                    for (const Move *next = move; next < end; next++) NAMED(place)(to + next->place, value[next->value], used);
            }
        }
}

/* ---- an ordinary convolution: a plan without lines ---- */

/* The pixels that are wanted, one behind the other with HALF of nothing at each end. */
static void NAMED(copy_row)(const Work *work, const REAL *row, const unsigned char *wanted, ELEMENT *out) {
    int fields = work->plan->fields_in, width = work->plan->width;
    memset(out, 0, (size_t)HALF * fields * sizeof(ELEMENT));
    memset(out + (size_t)(HALF + width) * fields, 0, (size_t)HALF * fields * sizeof(ELEMENT));
    out += HALF * fields;
    for (int x = 0; x < width; x++, row += fields, out += fields) {
        if (!wanted[x]) continue;
        for (int i = 0; i < fields; i += LANES) {
            int used = NAMED(lanes_used)(0, fields - i);
            NAMED(place)(out + i, NAMED(load)(row + i, used), used); /* what it fills a pair with is the next pixel's, which comes later, or 0 */
        }
    }
}

/* The windows of pixels x[0..count) of one row, from `first` on in the chunk's matrix: row by row, filled up with 0, and a 1 for the bias. */
static void NAMED(windows)(const Work *work, const Vector *const rows[2 * HALF + 1], const int *x, int count, int first) {
    const Plan *plan = work->plan;
    size_t numbers = (2 * HALF + 1) * (size_t)plan->fields_in, whole = (numbers + WHOLE - 1) / WHOLE * WHOLE;
    for (int p = 0; p < count; p++) {
        ELEMENT *to = work->matrix + (size_t)(first + p) * plan->depth * TOGETHER;
        for (int j = 0; j <= 2 * HALF; j++, to += whole) {
            memset(to + numbers, 0, (whole - numbers) * sizeof(ELEMENT));
            memcpy(to, (const ELEMENT *)rows[j] + (size_t)x[p] * plan->fields_in, numbers * sizeof(ELEMENT));
        }
        to[TOGETHER - 1] = 0;
        to[0] = ONE;
    }
}

/* A pixel of the answer, as `synthesise` has it; and its gradient, as `synthesise_back` has it. */
static void NAMED(write_answer)(const Work *work, const Vector *answer, const Vector *finish, REAL *pixel) {
    int each = work->vectors_out;
    for (int n = 0; n < each; n++) {
        Vector value = finish ? NAMED(finished)(answer[n], finish[n], finish[each + n]) : answer[n];
        NAMED(store)(pixel + n * LANES, value, NAMED(lanes_used)(n, work->plan->fields_out));
    }
}

static void NAMED(read_gradient)(const Work *work, const REAL *pixel, Vector *answer) {
    for (int n = 0; n < work->vectors_out; n++) answer[n] = NAMED(load)(pixel + n * LANES, NAMED(lanes_used)(n, work->plan->fields_out));
}

/* ---- the product ---- */

#ifdef PAIRS
/* Pixels two by two: a row of pairs from two rows of bf16. */
INLINE __m512i NAMED(side_by_side)(__m256i first, __m256i second) {
    return _mm512_or_si512(_mm512_cvtepu16_epi32(first), _mm512_slli_epi32(_mm512_cvtepu16_epi32(second), 16));
}
#endif

#ifdef TILES
#include "tiles.h"
#else

/* (rows, depth) x (depth, vectors): element (m, k) of the first lies at a[m * a_row + k * a_step], row k of the second at b + k * b_row. */
INLINE void NAMED(tile)(const int rows, const int vectors, const UNIT *a, size_t a_row, size_t a_step, const Vector *b, size_t b_row,
                        int depth, Vector *c, size_t c_row, const int add) {
    Vector sum[TILE][2];
    UNROLLED
    for (int m = 0; m < rows; m++)
        for (int n = 0; n < vectors; n++) sum[m][n] = add ? c[m * c_row + n] : (Vector){0};
    for (int k = 0; k < depth; k++) {
        Vector row[2];
        for (int n = 0; n < vectors; n++) row[n] = b[k * b_row + n];
        UNROLLED
        for (int m = 0; m < rows; m++)
            for (int n = 0; n < vectors; n++) ADD_PRODUCT(sum[m][n], a[m * a_row + k * a_step], row[n]);
    }
    UNROLLED
    for (int m = 0; m < rows; m++)
        for (int n = 0; n < vectors; n++) c[m * c_row + n] = sum[m][n];
}

/* The same for any number of rows, in tiles; `add` to what is there. */
#define TILED(name, vectors, add)                                                                                                          \
    static void NAMED(name)(int rows, const UNIT *a, size_t a_row, size_t a_step, const Vector *b, size_t b_row, int depth, Vector *c,     \
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
static void NAMED(multiply)(const Work *work, const void *weights, int pixels) {
    const Plan *plan = work->plan;
    const Vector *panel = weights;
    for (int block = 0, column = 0; block < plan->blocks; column += plan->columns[block], block++)
        for (int n = 0, two; n < plan->columns[block]; n += 1 + two) {
            const UNIT *matrix = (const UNIT *)work->matrix + (size_t)block * plan->chunk * plan->depth;
            int deep = plan->deep[block];
            two = n + 1 < plan->columns[block];
            (two ? NAMED(times_two) : NAMED(times_one))(pixels, matrix, plan->depth, 1, panel, 1 + two, deep, work->answer + column + n,
                                                        work->wide);
            panel += (size_t)deep * (1 + two);
        }
}

#ifdef PAIRS
/* The same of `numbers` bf16, or of floats that become bf16; without `second` the other halves are 0. */
static void NAMED(pair_elements)(const ELEMENT *first, const ELEMENT *second, int numbers, UNIT *out) {
    for (int i = 0; i < numbers; i += LANES) {
        __mmask16 mask = (__mmask16)((1 << NAMED(lanes_used)(0, numbers - i)) - 1);
        __m256i upper = second ? _mm256_maskz_loadu_epi16(mask, second + i) : _mm256_setzero_si256();
        _mm512_mask_storeu_epi32(out + i, mask, NAMED(side_by_side)(_mm256_maskz_loadu_epi16(mask, first + i), upper));
    }
}

static void NAMED(pair_vectors)(const Vector *first, const Vector *second, int vectors, Vector *out) {
    for (int n = 0; n < vectors; n++) {
        __m256i upper = second ? (__m256i)_mm512_cvtneps_pbh((__m512)second[n]) : _mm256_setzero_si256();
        out[n] = (Vector)NAMED(side_by_side)((__m256i)_mm512_cvtneps_pbh((__m512)first[n]), upper);
    }
}
#endif

/* Its adjoint: what the chunk adds to the weights' gradient, (depth, columns) in panels as the weights. */
static int NAMED(multiply_back)(const Work *work, REAL *gradient, int pixels) {
    const Plan *plan = work->plan;
    Vector *panel = (Vector *)gradient;
    const Vector *answer = work->answer;
    int steps = pixels;
#ifdef PAIRS
    steps = (pixels + 1) / 2;
    Vector *pairs = room(6, (size_t)steps * ((size_t)work->wide * VECTOR_BYTES + (size_t)plan->depth * TOGETHER * sizeof(UNIT)));
    UNIT *matrix = (UNIT *)(pairs + (size_t)steps * work->wide);
    if (!pairs) return 0;
    for (int p = 0; p < pixels; p += 2) {
        const Vector *first = work->answer + (size_t)p * work->wide;
        NAMED(pair_vectors)(first, p + 1 < pixels ? first + work->wide : NULL, work->wide, pairs + (size_t)(p / 2) * work->wide);
    }
    answer = pairs;
#endif
    for (int block = 0, column = 0; block < plan->blocks; column += plan->columns[block], block++) {
        int deep = plan->deep[block] * TOGETHER;
#ifdef PAIRS
        const ELEMENT *elements = work->matrix + (size_t)block * plan->chunk * plan->depth * TOGETHER;
        size_t row = deep, next = (size_t)plan->depth * TOGETHER;
        for (int p = 0; p < pixels; p += 2, elements += 2 * next)
            NAMED(pair_elements)(elements, p + 1 < pixels ? elements + next : NULL, deep, matrix + (size_t)(p / 2) * row);
#else
        const UNIT *matrix = work->matrix + (size_t)block * plan->chunk * plan->depth;
        size_t row = plan->depth;
#endif
        for (int n = 0, two; n < plan->columns[block]; n += 1 + two) {
            two = n + 1 < plan->columns[block];
            (two ? NAMED(add_two) : NAMED(add_one))(deep, matrix, 1, row, answer + column + n, work->wide, steps, panel, 1 + two);
            panel += (size_t)deep * (1 + two);
        }
    }
    return 1;
}
#endif

/* ---- the walk over an image ---- */

/* 1 for the pixels of rows [low, high) that differ from those of an empty sky. */
static void NAMED(differing)(const Plan *plan, const REAL *image, const REAL *empty, int low, int high, unsigned char *out) {
    size_t pixel = (size_t)plan->order * plan->fields_in, bytes = pixel * sizeof(REAL);
    for (size_t at = (size_t)low * plan->width; at < (size_t)high * plan->width; at++)
        *out++ = empty == NULL || memcmp(image + at * pixel, empty + at * pixel, bytes) != 0;
}

/* Bytes of a row by frequency, or of a row as it is where there are no lines. */
static size_t NAMED(row_bytes)(const Work *work) {
    const Plan *plan = work->plan;
    size_t across = plan->width + 2 * HALF;
    if (plan->lines) return plan->lines * work->vectors_in * across * 2 * VECTOR_BYTES;
    return (across * plan->fields_in * sizeof(ELEMENT) + VECTOR_BYTES - 1) / VECTOR_BYTES * VECTOR_BYTES;
}

static int NAMED(prepare)(Work *work, const Plan *plan) {
    int across = plan->width + 2 * HALF;
    work->plan = plan;
    work->vectors_in = (plan->fields_in + LANES - 1) / LANES;
    work->vectors_out = (plan->fields_out + LANES - 1) / LANES;
    work->wide = 0;
    for (int block = 0; block < plan->blocks; block++) work->wide += plan->columns[block];
    work->rows = room(0, (2 * HALF + 1) * NAMED(row_bytes)(work));
    work->folded = room(1, (size_t)KINDS * across * 2 * VECTOR_BYTES);
    work->matrix = room(2, (size_t)plan->blocks * plan->chunk * plan->depth * sizeof(UNIT));
    work->answer = room(3, (size_t)plan->chunk * work->wide * VECTOR_BYTES);
    work->y = room(4, 2 * (size_t)plan->chunk * sizeof(int));
    work->x = work->y ? work->y + plan->chunk : NULL;
    if (!work->rows || !work->folded || !work->matrix || !work->answer || !work->y) return 0;
#ifdef TILES
    NAMED(fill_up)(work);
#endif
    return 1;
}

/* What is done with a chunk when it is full. */
typedef struct {
    const void *weights;  /* forward, or */
    const REAL *grad;     /* for the weights' gradient */
    const Vector *finish; /* see `synthesise` */
    REAL *to;
} NAMED(Task);

static int NAMED(finish)(const Work *work, const NAMED(Task) *task, int pixels) {
    const Plan *plan = work->plan;
    size_t pixel = (size_t)plan->order * plan->fields_out;
    if (task->weights) NAMED(multiply)(work, task->weights, pixels);
    for (int p = 0; p < pixels; p++) {
        size_t at = ((size_t)work->y[p] * plan->width + work->x[p]) * pixel;
        Vector *answer = work->answer + (size_t)p * work->wide;
        if (task->weights) (plan->lines ? NAMED(synthesise) : NAMED(write_answer))(work, answer, task->finish, task->to + at);
        else (plan->lines ? NAMED(synthesise_back) : NAMED(read_gradient))(work, task->grad + at, answer);
    }
    return task->weights ? 1 : NAMED(multiply_back)(work, task->to, pixels);
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

/* The pixels of rows [low, high) that are not worth computing, of `pixel` numbers each, from the answer to an empty sky. */
static void NAMED(copy_others)(const Plan *plan, size_t pixel, const NAMED(Support) *support, const REAL *empty, REAL *out, int low, int high) {
    size_t above = (size_t)support->top * plan->width;
    for (size_t at = (size_t)low * plan->width, end = (size_t)high * plan->width, first; at < end; at++) {
        for (first = at; at < end && !support->active[at - above]; at++) {
        }
        if (at > first) memcpy(out + first * pixel, empty + first * pixel, (at - first) * pixel * sizeof(REAL));
    }
}

/* Row y by frequency, in its place among five; beyond the image there is nothing. */
static Vector *NAMED(row_at)(const Work *work, int y) {
    return (Vector *)((char *)work->rows + (size_t)((y + 2 * HALF + 1) % (2 * HALF + 1)) * NAMED(row_bytes)(work));
}

static void NAMED(bring)(const Work *work, const REAL *image, const NAMED(Support) *support, int y) {
    const Plan *plan = work->plan;
    if (y >= 0 && y < plan->height) {
        const REAL *row = image + (size_t)y * plan->width * plan->order * plan->fields_in;
        const unsigned char *wanted = support->wanted + (size_t)(y - support->top) * plan->width;
        if (plan->lines) NAMED(analyse)(work, row, wanted, NAMED(row_at)(work, y));
        else NAMED(copy_row)(work, row, wanted, (ELEMENT *)NAMED(row_at)(work, y));
    } else
        memset(NAMED(row_at)(work, y), 0, NAMED(row_bytes)(work));
}

#ifdef TILES
#include "ordinary.h"
#endif

/* Rows [low, high), chunk by chunk; 0 where there is no memory. */
static int NAMED(walk)(const Work *work, const REAL *image, const NAMED(Support) *support, int low, int high, const NAMED(Task) *task) {
    const Plan *plan = work->plan;
    int pixels = 0;
#ifdef TILES
    if (!plan->lines && task->weights) return NAMED(walk_flat)(work, image, support, low, high, task);
#endif
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
            if (pixels > first) (plan->lines ? NAMED(bank) : NAMED(windows))(work, rows, work->x + first, pixels - first, first);
            if (pixels < plan->chunk) continue;
            if (!NAMED(finish)(work, task, pixels)) return 0;
            pixels = 0;
        }
    }
    return !pixels || NAMED(finish)(work, task, pixels);
}

/* ---- what Python calls; 0 is success ---- */

/* Rows [low, high) of the layer's answer to one image, finished where `finish` is given (see `synthesise`). Where `empty_in` and
   `empty_out` are given, what the layer is given and answers for an empty sky, a pixel that sees nothing else is copied from there. */
int NAMED(convolve)(const Plan *plan, const REAL *image, const void *weights, const REAL *finish, const REAL *empty_in, const REAL *empty_out,
                    REAL *out, int low, int high) {
    Work work;
    NAMED(Support) support;
    NAMED(Task) task = {.weights = weights, .finish = (const Vector *)finish, .to = out};
    if (!NAMED(prepare)(&work, plan) || !NAMED(support)(&support, plan, image, empty_in, low, high)) return 1;
    if (!NAMED(walk)(&work, image, &support, low, high, &task)) return 1;
    if (empty_in) NAMED(copy_others)(plan, (size_t)plan->order * plan->fields_out, &support, empty_out, out, low, high);
    return 0;
}

/* Adds to `gradient` what one image brings to the gradient of the weights, laid out as they are. */
int NAMED(gradient)(const Plan *plan, const REAL *image, const REAL *grad, REAL *gradient) {
    Work work;
    NAMED(Support) support;
    NAMED(Task) task = {.grad = grad, .to = gradient};
    if (!NAMED(prepare)(&work, plan) || !NAMED(support)(&support, plan, image, NULL, 0, plan->height)) return 1;
    return !NAMED(walk)(&work, image, &support, 0, plan->height, &task);
}

/* As `support` gives it, for the pixels that are set in `active` (height, width). */
static int NAMED(support_at)(NAMED(Support) *support, const Plan *plan, const unsigned char *active, int low, int high) {
    size_t width = plan->width, pixels = (size_t)(high - low + 4 * HALF) * width;
    int top = low > 2 * HALF ? low - 2 * HALF : 0, end = high + 2 * HALF < plan->height ? high + 2 * HALF : plan->height;
    unsigned char *own = room(5, 2 * pixels);
    if (!own) return 0;
    *support = (NAMED(Support)){top, end, own, own + pixels};
    memset(own, 0, (end - top) * width);
    memcpy(own + (low - top) * width, active + low * width, (high - low) * width);
    return widen(own, end - top, plan->width, support->wanted);
}

/* Rows [low, high) of the layer's answer to one image at the pixels that are set in `active`; the others are set to 0 where `zeros` says
   so, and else left as they are. */
int NAMED(convolve_at)(const Plan *plan, const REAL *image, const void *weights, const unsigned char *active, int zeros, REAL *out, int low,
                       int high) {
    Work work;
    NAMED(Support) support;
    NAMED(Task) task = {.weights = weights, .to = out};
    size_t pixel = (size_t)plan->order * plan->fields_out;
    if (!NAMED(prepare)(&work, plan) || !NAMED(support_at)(&support, plan, active, low, high)) return 1;
    for (size_t at = (size_t)low * plan->width; zeros && at < (size_t)high * plan->width; at++)
        if (!active[at]) memset(out + at * pixel, 0, pixel * sizeof(REAL));
    return !NAMED(walk)(&work, image, &support, low, high, &task);
}

/* As `gradient`, where the gradient of the answer is 0 but at the pixels that are set in `active`. */
int NAMED(gradient_at)(const Plan *plan, const REAL *image, const REAL *grad, const unsigned char *active, REAL *gradient) {
    Work work;
    NAMED(Support) support;
    NAMED(Task) task = {.grad = grad, .to = gradient};
    if (!NAMED(prepare)(&work, plan) || !NAMED(support_at)(&support, plan, active, 0, plan->height)) return 1;
    return !NAMED(walk)(&work, image, &support, 0, plan->height, &task);
}
