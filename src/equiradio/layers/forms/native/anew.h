/* Forgets one type of numbers, so that the next can be included. */
#undef REAL
#undef INTEGER
#undef SUFFIX
#undef LANES
#undef Vector
#undef Bits
#undef Work
#undef INLINE
#undef ELEMENT
#undef UNIT
#undef TOGETHER
#undef WHOLE
#undef ONE
#undef ADD_PRODUCT
