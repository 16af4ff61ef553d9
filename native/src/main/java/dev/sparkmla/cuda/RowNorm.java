package dev.sparkmla.cuda;

/**
 * An RMS norm of rows that an operation has just written, for what reads them next.
 *
 * @param gain float32 [columns], contiguous
 * @param epsilon added to the mean of the squares; not negative
 * @param out gets the normed rows
 */
public record RowNorm(DeviceTensor gain, float epsilon, GemmRows out) {}
