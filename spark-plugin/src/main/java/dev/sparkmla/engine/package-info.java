/**
 * Batches of requests in, batches of results out: continuous batching over one paged cache.
 *
 * <p>Here live the model folder, the engine that is loaded from it, its intake, queue, scheduler
 * and loop, and the generation parameters. It knows neither Spark nor tensors. Start at {@link
 * dev.sparkmla.engine.GenerationEngine}.
 */
package dev.sparkmla.engine;
