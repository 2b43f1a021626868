/* An ordinary convolution on processors that multiply matrices; included by steerable.h. The rows of an image lie one behind the other, with
   HALF of nothing at both ends of each, so that a row of tiles is a piece of the window of one pixel after the other, read where it lies.
   Pixels that are asked for are taken 32 in a row, with those between them and the ends of rows, which are not written. The 0 that fills up
   a row of the window multiplies numbers behind it: one that is not finite spoils pixels further to the left than its own windows. */

#define GROUP (2 * TILE_ROWS)

static const ELEMENT one_of_bias[TILE_ROWS][TILE_PIXELS] = {{ONE}, {ONE}, {ONE}, {ONE}, {ONE}, {ONE}, {ONE}, {ONE},
                                                            {ONE}, {ONE}, {ONE}, {ONE}, {ONE}, {ONE}, {ONE}, {ONE}};

typedef struct {
    const Work *work;
    const NAMED(Support) *support;
    const NAMED(Task) *task;
    int low, high, across; /* rows of the answer; pixels of a row with what is added */
    const char *rows;
    size_t pixel, row; /* bytes */
} NAMED(Flat);

/* `groups` of pixels, which begin at those in work->y, times the weights of a panel of one or two vectors, to their columns `c`. */
INLINE void NAMED(flat_panel)(const NAMED(Flat) *flat, const int two, int groups, const char *panel, char *c) {
    const Work *work = flat->work;
    int steps = (work->plan->deep[0] / TILE_ROWS - 1) / (2 * HALF + 1);
    size_t wide = (size_t)work->wide * VECTOR_BYTES, unit = (1 + two) * VECTOR_BYTES, step = TILE_ROWS * unit;
    for (int group = 0; group < groups; group++, c += GROUP * wide) {
        const char *a = flat->rows + work->y[group] * flat->pixel, *b = panel;
        sums_from_zero(1, two);
        for (int j = 0; j <= 2 * HALF; j++, a += flat->row, b += steps * step)
            add_products(1, two, a, flat->pixel, TILE_ROWS * flat->pixel, VECTOR_BYTES, b, unit, VECTOR_BYTES, step, steps);
        add_products(1, two, (const char *)one_of_bias, VECTOR_BYTES, 0, 0, b, unit, VECTOR_BYTES, 0, 1);
        sums_to(1, two, c, wide, TILE_ROWS * wide, VECTOR_BYTES);
    }
}

static void NAMED(flat_groups)(const NAMED(Flat) *flat, int groups) {
    const Work *work = flat->work;
    const Plan *plan = work->plan;
    const char *panel = flat->task->weights;
    size_t numbers = (size_t)plan->order * plan->fields_out;
    tiles_on();
    for (int n = 0, two; n < plan->columns[0]; n += 1 + two) {
        two = n + 1 < plan->columns[0];
        if (two) NAMED(flat_panel)(flat, 1, groups, panel, (char *)(work->answer + n));
        else NAMED(flat_panel)(flat, 0, groups, panel, (char *)(work->answer + n));
        panel += (size_t)plan->deep[0] * (1 + two) * VECTOR_BYTES;
    }
    tiles_off();
    for (int row = 0; row < groups * GROUP; row++) {
        int at = work->y[row / GROUP] + row % GROUP, y = flat->low + at / flat->across, x = at % flat->across;
        if (x >= plan->width || y >= flat->high || !flat->support->active[(size_t)(y - flat->support->top) * plan->width + x]) continue;
        REAL *to = flat->task->to + ((size_t)y * plan->width + x) * numbers;
        NAMED(write_answer)(work, work->answer + (size_t)row * work->wide, flat->task->finish, to);
    }
}

/* Rows [low, high) of the answer; 0 where there is no memory. */
static int NAMED(walk_flat)(const Work *work, const REAL *image, const NAMED(Support) *support, int low, int high, const NAMED(Task) *task) {
    const Plan *plan = work->plan;
    int across = plan->width + 2 * HALF, lines = high - low + 2 * HALF, groups = 0;
    size_t fields = plan->fields_in, pixel = fields * sizeof(ELEMENT), row = across * pixel;
    size_t bytes = lines * row + GROUP * pixel + 2 * VECTOR_BYTES; /* what is read behind the last window is multiplied by 0 */
    char *rows = room(6, bytes);
    if (!rows) return 0;
    memset(rows, 0, bytes);
    for (int y = low - HALF; y < high + HALF; y++)
        if (y >= 0 && y < plan->height) {
            const unsigned char *wanted = support->wanted + (size_t)(y - support->top) * plan->width;
            NAMED(copy_row)(work, image + (size_t)y * plan->width * fields, wanted, (ELEMENT *)(rows + (y - low + HALF) * row));
        }
    NAMED(Flat) flat = {work, support, task, low, high, across, rows, pixel, row};
    for (int y = low; y < high; y++)
        for (int x = 0; x < plan->width; x++) {
            int at = (y - low) * across + x;
            if (!support->active[(size_t)(y - support->top) * plan->width + x]) continue;
            if (groups && at < work->y[groups - 1] + GROUP) continue;
            if (groups == plan->chunk / GROUP) NAMED(flat_groups)(&flat, groups), groups = 0;
            work->y[groups++] = at;
        }
    NAMED(flat_groups)(&flat, groups);
    return 1;
}
#undef GROUP
