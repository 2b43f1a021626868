/* The kernels in training, where what all images of a batch see alike is computed once; included behind steerable.h. */

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

/* Rows [low, high) of the layer's answer to one image at the pixels that are set in `active`; the others are left as they are. */
int NAMED(convolve_at)(const Plan *plan, const REAL *image, const REAL *weights, const unsigned char *active, REAL *out, int low, int high) {
    Work work;
    NAMED(Support) support;
    NAMED(Task) task = {.weights = weights, .to = out};
    if (!NAMED(prepare)(&work, plan) || !NAMED(support_at)(&support, plan, active, low, high)) return 1;
    NAMED(walk)(&work, image, &support, low, high, &task);
    return 0;
}

/* As `gradient`, where the gradient of the answer is 0 but at the pixels that are set in `active`. */
int NAMED(gradient_at)(const Plan *plan, const REAL *image, const REAL *grad, const unsigned char *active, REAL *gradient) {
    Work work;
    NAMED(Support) support;
    NAMED(Task) task = {.grad = grad, .to = gradient};
    if (!NAMED(prepare)(&work, plan) || !NAMED(support_at)(&support, plan, active, 0, plan->height)) return 1;
    NAMED(walk)(&work, image, &support, 0, plan->height, &task);
    return 0;
}

/* Images (images, pixels, numbers): at the pixels [low, high) that are not set in `active` (images, pixels) the numbers of the image
   that `instead` names for the pixel. */
int NAMED(share)(int images, size_t pixels, size_t numbers, const unsigned char *active, const int *instead, REAL *fields, size_t low,
                 size_t high) {
    for (size_t image = 0; image < (size_t)images; image++)
        for (size_t at = low; at < high; at++)
            if (!active[image * pixels + at])
                memcpy(fields + (image * pixels + at) * numbers, fields + (instead[at] * pixels + at) * numbers, numbers * sizeof(REAL));
    return 0;
}

/* Its adjoint: gradients at pixels that are not set are added, image by image, to those of the image named instead, and are then 0. */
int NAMED(share_back)(int images, size_t pixels, size_t numbers, const unsigned char *active, const int *instead, const REAL *grad, REAL *out,
                      size_t low, size_t high) {
    for (size_t image = 0; image < (size_t)images; image++)
        memcpy(out + (image * pixels + low) * numbers, grad + (image * pixels + low) * numbers, (high - low) * numbers * sizeof(REAL));
    for (size_t image = 0; image < (size_t)images; image++)
        for (size_t at = low; at < high; at++)
            if (!active[image * pixels + at]) {
                REAL *from = out + (image * pixels + at) * numbers, *to = out + (instead[at] * pixels + at) * numbers;
                for (size_t i = 0; i < numbers; i++) to[i] += from[i], from[i] = 0;
            }
    return 0;
}
