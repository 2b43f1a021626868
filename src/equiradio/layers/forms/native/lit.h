/* Layers in training, from fields to fields behind ReLU and batch norm, where what all images of a batch see alike is computed once;
   included behind passes.h. Sums over pixels are made in one order: a number of pixels at a time in REAL, and all of them in double. */

#define FEW 64 /* pixels, of all images, that stay in the cache */

/* As `lift` at the pixels that are set in `active`; the others are left as they are. */
void NAMED(lift_at)(const Plan *plan, int size, const REAL *image, const REAL *filters, const unsigned char *active, REAL *out, int low,
                    int high) {
    for (int y = low; y < high; y++)
        for (int x = 0; x < plan->width; x++) {
            size_t at = (size_t)y * plan->width + x;
            if (active[at]) NAMED(lift_pixel)(plan, size, image, (const Vector *)filters, NULL, y, x, out + at * plan->fields_out);
        }
}

/* Adds what one image brings to the gradient of an ordinary convolution's filters (size, size, fields_in, vectors). */
void NAMED(lift_gradient_at)(const Plan *plan, int size, const REAL *image, const REAL *grad, const unsigned char *active, REAL *gradient) {
    int half = size / 2, vectors = (plan->fields_out + LANES - 1) / LANES;
    for (int y = 0; y < plan->height; y++)
        for (int x = 0; x < plan->width; x++) {
            size_t at = (size_t)y * plan->width + x;
            if (!active[at]) continue;
            for (int tap = 0; tap < size * size; tap++) {
                int row = y + tap / size - half, column = x + tap % size - half;
                if (row < 0 || row >= plan->height || column < 0 || column >= plan->width) continue;
                const REAL *pixel = image + ((size_t)row * plan->width + column) * plan->fields_in;
                Vector *sum = (Vector *)gradient + (size_t)tap * plan->fields_in * vectors;
                for (int n = 0; n < vectors; n++) {
                    Vector slope = NAMED(load)(grad + at * plan->fields_out + n * LANES, NAMED(lanes_used)(n, plan->fields_out));
                    for (int i = 0; i < plan->fields_in; i++) sum[i * vectors + n] += pixel[i] * slope;
                }
            }
        }
}

/* A batch of images (images, pixels, numbers): for how many images each pixel stands, 0 where that of another one is taken for it, and
   which image's is taken there. */
typedef struct {
    int images;
    size_t pixels, numbers;
    const int *stands, *instead;
} NAMED(Batch);

/* To `sums` (numbers) what is added up in `some`, which is 0 then. */
INLINE void NAMED(add_up)(double *sums, REAL *some, size_t numbers) {
    for (size_t i = 0; i < numbers; i++) sums[i] += some[i], some[i] = 0;
}

/* Sums over pixels [low, high) of all images of max(0, fields), which is left there; with a mean, of the squared distance to it. */
int NAMED(moments)(const NAMED(Batch) *batch, REAL *fields, const REAL *mean, double *sums, size_t low, size_t high) {
    size_t numbers = batch->numbers;
    REAL *restrict some = room(6, numbers * sizeof(REAL));
    if (!some) return 1;
    memset(some, 0, numbers * sizeof(REAL));
    for (int image = 0; image < batch->images; image++)
        for (size_t first = low; first < high; first += FEW) {
            for (size_t at = first; at < high && at < first + FEW; at++) {
                REAL stands = batch->stands[image * batch->pixels + at];
                REAL *pixel = fields + (image * batch->pixels + at) * numbers;
                if (stands == 0) continue;
                if (mean)
                    for (size_t i = 0; i < numbers; i++) some[i] += stands * ((pixel[i] - mean[i]) * (pixel[i] - mean[i]));
                else
                    for (size_t i = 0; i < numbers; i++) {
                        pixel[i] = pixel[i] < 0 ? 0 : pixel[i];
                        some[i] += stands * pixel[i];
                    }
            }
            NAMED(add_up)(sums, some, numbers);
        }
    return 0;
}

/* Pixels [low, high) of fields * scale + shift, with those put in that other images' are taken for. */
int NAMED(scaled)(const NAMED(Batch) *batch, const REAL *fields, const REAL *scale, const REAL *shift, REAL *restrict out, size_t low,
                  size_t high) {
    size_t numbers = batch->numbers;
    for (size_t first = low; first < high; first += FEW) {
        size_t last = first + FEW < high ? first + FEW : high;
        for (int taken = 0; taken < 2; taken++)
            for (int image = 0; image < batch->images; image++)
                for (size_t at = first; at < last; at++) {
                    size_t here = image * batch->pixels + at, there = batch->instead[at] * batch->pixels + at;
                    if ((batch->stands[here] == 0) != taken) continue;
                    if (taken) memcpy(out + here * numbers, out + there * numbers, numbers * sizeof(REAL));
                    else
                        for (size_t i = 0; i < numbers; i++) out[here * numbers + i] = fields[here * numbers + i] * scale[i] + shift[i];
                }
    }
    return 0;
}

/* The adjoint of putting in: gradients of pixels [low, high) that others are taken for are added, image by image, to those of the others,
   and are then 0. To `sums` (2, numbers) they are added alone and times `fields`. */
int NAMED(folded)(const NAMED(Batch) *batch, const REAL *grad, const REAL *fields, REAL *restrict out, double *sums, size_t low, size_t high) {
    size_t numbers = batch->numbers;
    REAL *restrict some = room(6, 2 * numbers * sizeof(REAL));
    if (!some) return 1;
    memset(some, 0, 2 * numbers * sizeof(REAL));
    for (size_t first = low; first < high; first += FEW) {
        size_t last = first + FEW < high ? first + FEW : high;
        for (int image = 0; image < batch->images; image++)
            memcpy(out + (image * batch->pixels + first) * numbers, grad + (image * batch->pixels + first) * numbers,
                   (last - first) * numbers * sizeof(REAL));
        for (int image = 0; image < batch->images; image++)
            for (size_t at = first; at < last; at++) {
                size_t here = image * batch->pixels + at, there = batch->instead[at] * batch->pixels + at;
                if (batch->stands[here]) continue;
                REAL *from = out + here * numbers, *to = out + there * numbers;
                for (size_t i = 0; i < numbers; i++) to[i] += from[i];
                memset(from, 0, numbers * sizeof(REAL));
            }
        for (int image = 0; image < batch->images; image++) {
            for (size_t at = first; at < last; at++) {
                size_t here = image * batch->pixels + at;
                if (!batch->stands[here]) continue;
                const REAL *slope = out + here * numbers, *pixel = fields + here * numbers;
                for (size_t i = 0; i < numbers; i++) some[i] += slope[i], some[numbers + i] += slope[i] * pixel[i];
            }
            NAMED(add_up)(sums, some, 2 * numbers);
        }
    }
    return 0;
}

/* What gradients behind the norm are before the ReLU: where fields are above 0, grad * scale + stands * (shift + slope * fields), else 0. */
int NAMED(unscaled)(const NAMED(Batch) *batch, const REAL *fields, const REAL *scale, const REAL *shift, const REAL *slope,
                    REAL *restrict grad, size_t low, size_t high) {
    size_t numbers = batch->numbers;
    for (int image = 0; image < batch->images; image++)
        for (size_t at = low; at < high; at++) {
            size_t here = image * batch->pixels + at;
            REAL stands = batch->stands[here], *value = grad + here * numbers;
            const REAL *pixel = fields + here * numbers;
            if (stands == 0) continue;
            for (size_t i = 0; i < numbers; i++) {
                REAL before = value[i] * scale[i] + stands * (shift[i] + slope[i] * pixel[i]);
                value[i] = pixel[i] > 0 ? before : 0;
            }
        }
    return 0;
}

/* The way back from a block's end, of one image (height, width, order, fields): from the largest over the group, where equals share the
   gradient, and where `halved` is given from the largest of each 2 x 2 pixels, where the first one has it. */
void NAMED(pool_back)(int height, int width, int order, int fields, const REAL *in, const REAL *largest, const REAL *d_largest,
                     const REAL *halved, const REAL *d_halved, REAL *restrict out) {
    size_t numbers = (size_t)order * fields, line = (size_t)width * numbers;
    for (size_t at = 0; at < (size_t)height * width; at++)
        for (int i = 0; i < fields; i += LANES) {
            int used = NAMED(lanes_used)(0, fields - i);
            const REAL *pixel = in + at * numbers + i;
            Vector most = NAMED(load)(largest + at * fields + i, used), equals = {0}, one = equals + 1;
            for (int g = 0; g < order; g++)
                equals += (Vector)((Bits)(NAMED(load)(pixel + (size_t)g * fields, used) == most) & (Bits)one);
            Vector share = NAMED(load)(d_largest + at * fields + i, used) / equals;
            for (int g = 0; g < order; g++) {
                Bits equal = (Bits)(NAMED(load)(pixel + (size_t)g * fields, used) == most);
                NAMED(store)(out + at * numbers + (size_t)g * fields + i, (Vector)((Bits)share & equal), used);
            }
        }
    if (!halved) return;
    for (int y = 0; y < height / 2; y++)
        for (int x = 0; x < width / 2; x++) {
            size_t at = (size_t)y * (width / 2) + x, first = 2 * y * line + 2 * x * numbers;
            const size_t places[4] = {first, first + numbers, first + line, first + line + numbers};
            for (size_t i = 0; i < numbers; i++) {
                REAL most = halved[at * numbers + i], slope = d_halved[at * numbers + i];
                for (int place = 0; place < 4; place++) {
                    REAL there = in[places[place] + i] == most ? slope : 0;
                    out[places[place] + i] += there;
                    slope -= there;
                }
            }
        }
}
#undef FEW
