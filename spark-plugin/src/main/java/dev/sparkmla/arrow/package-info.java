/**
 * Arrow vectors to engine requests, engine results to Arrow vectors.
 *
 * <p>Here lives the layout of both kinds of batches. Spark does not: who fills and reads the
 * batches is {@link dev.sparkmla.sql}'s affair. Start at {@link dev.sparkmla.arrow.RequestVectors}
 * and {@link dev.sparkmla.arrow.ResultVectors}.
 */
package dev.sparkmla.arrow;
