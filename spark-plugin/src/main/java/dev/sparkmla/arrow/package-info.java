/**
 * Requests and results, and batches of both as Arrow vectors.
 *
 * <p>Here live the layout of both kinds of batches, what their rows hold, and who owns their
 * memory. This package does not know Spark, nor how rows are computed. Start at {@link
 * dev.sparkmla.arrow.RequestBatch} and {@link dev.sparkmla.arrow.ResultBatch}.
 */
package dev.sparkmla.arrow;
