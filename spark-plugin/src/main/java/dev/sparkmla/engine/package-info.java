/**
 * Requests in, results out: continuous batching over one paged cache.
 *
 * <p>Here live the engine, the model folder that it is loaded from, its scheduler, sequences,
 * sampling parameters, results and errors. Spark does not, nor do tensors. Start at {@link
 * dev.sparkmla.engine.GenerationEngine}.
 */
package dev.sparkmla.engine;
